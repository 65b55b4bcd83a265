package directory

import (
	"fmt"
	"strings"

	"siprotate/batch"
	"siprotate/exotel"
)

// A Match is a SIP device, and its user.
type Match struct {
	User   *exotel.User
	Device *exotel.Device
}

// An Index finds devices among those that are wanted. It is safe for concurrent
// use. The faults that it returns have no file and no line.
type Index struct {
	wanted *Wanted
	users  map[key][]*exotel.User // those that have the key
	known  map[string]bool
}

// NewIndex returns the index of the users that have what is wanted. It costs
// memory for these alone, and keeps pointers to them.
func NewIndex(w *Wanted, users []exotel.User) *Index {
	x := &Index{wanted: w, users: map[key][]*exotel.User{}, known: map[string]bool{}}
	for i := range users {
		x.add(&users[i])
	}
	return x
}

// add adds a user if it is a wanted one, and reports whether it is.
func (x *Index) add(u *exotel.User) bool {
	id := userKey(u.ID)
	if x.known[id] {
		return true
	}
	for _, k := range keysOf(u) {
		if x.wanted.keys[k] {
			x.users[k] = append(x.users[k], u)
			x.known[id] = true
		}
	}
	return x.known[id]
}

// Complete gives a row the ids of its device, and the SIP id and the email if it
// has none. A row that has both ids stays as it is. The fault, with which a row
// stays as it is, too, says why it names no device or several.
func (x *Index) Complete(row *batch.Row) *batch.Fault {
	if complete(row) {
		return nil
	}
	if fault := check(row); fault != nil {
		return fault
	}
	m, fault := x.One(ReferenceOf(row))
	if fault != nil {
		return fault
	}
	row.UserID, row.DeviceID = m.User.ID, m.Device.ID
	if row.SIPID == "" {
		row.SIPID = exotel.SIPID(m.Device.ContactURI)
	}
	if row.Email == "" {
		row.Email = m.User.Email
	}
	return nil
}

// One returns the device that a reference names, or why it names none or
// several.
func (x *Index) One(r Reference) (Match, *batch.Fault) {
	matches, fault := x.All(r)
	if fault != nil {
		return Match{}, fault
	}
	column, shown := r.column()
	switch len(matches) {
	case 0:
		return Match{}, &batch.Fault{Column: column, Text: shown + " has no SIP device"}
	case 1:
		return matches[0], nil
	}
	return Match{}, &batch.Fault{
		Column: column,
		Text:   fmt.Sprintf("%s has %d SIP devices: %s", shown, len(matches), listed(matches)),
		Hint:   "where a user has several devices, say which one is meant by its sip_id or its device_id",
	}
}

// All returns all devices that a reference names; none if its user has none.
// The faults are those of [Index.Users], and a device that is none of its user's.
func (x *Index) All(r Reference) ([]Match, *batch.Fault) {
	users, fault := x.Users(r)
	if fault != nil {
		return nil, fault
	}
	var matches, named []Match
	for _, u := range users {
		for d := range SIPDevices(u) {
			if r.SIPID != "" && exotel.SIPID(d.ContactURI) != r.SIPID {
				continue
			}
			matches = append(matches, Match{u, d})
			if d.ID == r.DeviceID {
				named = append(named, Match{u, d})
			}
		}
	}
	switch {
	case r.DeviceID == "":
		return matches, nil
	case len(named) == 0:
		column, shown := r.column()
		return nil, &batch.Fault{Column: columnDevice, Text: fmt.Sprintf("%s contradicts %s %s, whose SIP devices are: %s",
			quote(r.DeviceID), column, shown, listed(matches))}
	}
	return named, nil
}

// Users returns the users that a reference names, at least one. The fault is
// that it names nobody, or contradicts itself.
func (x *Index) Users(r Reference) ([]*exotel.User, *batch.Fault) {
	users := x.users[r.key()]
	if len(users) == 0 {
		return nil, r.unknown()
	}
	var fault *batch.Fault
	if r.Email != "" {
		users, fault = r.narrow(users, columnEmail, r.Email, func(u *exotel.User) bool { return emailKey(u.Email) == emailKey(r.Email) })
	}
	if r.UserID != "" && fault == nil {
		users, fault = r.narrow(users, columnUser, r.UserID, func(u *exotel.User) bool { return userKey(u.ID) == userKey(r.UserID) })
	}
	return users, fault
}

// narrow returns the users that fit something else in the reference, or the
// fault that none does.
func (r Reference) narrow(users []*exotel.User, column, value string, fits func(*exotel.User) bool) (left []*exotel.User, _ *batch.Fault) {
	for _, u := range users {
		if fits(u) {
			left = append(left, u)
		}
	}
	if len(left) > 0 {
		return left, nil
	}
	lookedUp, shown := r.column()
	owner := "user " + bare(users[0].ID)
	if email := users[0].Email; email != "" {
		owner += " (" + bare(email) + ")"
	}
	return nil, &batch.Fault{Column: column, Text: fmt.Sprintf("%s contradicts %s %s, which belongs to %s", quote(value), lookedUp, shown, owner)}
}

// maxListed bounds the devices that a fault lists.
const maxListed = 10

// listed lists devices for a person.
func listed(matches []Match) string {
	if len(matches) == 0 {
		return "none"
	}
	var parts []string
	for _, m := range matches[:min(len(matches), maxListed)] {
		part := bare(m.Device.ID)
		if id := exotel.SIPID(m.Device.ContactURI); id != "" {
			part += " (" + bare(id) + ")"
		}
		parts = append(parts, part)
	}
	if more := len(matches) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

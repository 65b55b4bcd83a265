package directory

import "fmt"

// A Match is a device, and its user.
type Match struct {
	User   *User
	Device *Device
}

// An Index finds devices among those that are wanted.
type Index struct {
	wanted *Wanted
	users  map[key][]*User // those that have the key
	known  map[string]bool
}

// NewIndex returns the index of the users that have what is wanted. It costs
// memory for these alone.
func NewIndex(w *Wanted, users []User) *Index {
	x := &Index{wanted: w, users: map[key][]*User{}, known: map[string]bool{}}
	for i := range users {
		x.add(&users[i])
	}
	return x
}

// add takes up a user, and reports whether it is a wanted one.
func (x *Index) add(u *User) bool {
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

// keysOf returns what a user can be looked up by.
func keysOf(u *User) []key {
	keys := []key{{byUserID, userKey(u.ID)}}
	if u.Email != "" {
		keys = append(keys, key{byEmail, emailKey(u.Email)})
	}
	sips := map[string]bool{}
	for _, d := range u.Devices {
		if d.SIPID != "" && !sips[d.SIPID] {
			sips[d.SIPID] = true
			keys = append(keys, key{bySIPID, d.SIPID})
		}
	}
	return keys
}

// One returns the device that a reference names, or why it names none or
// several.
func (x *Index) One(r Reference) (Match, *Problem) {
	matches, problem := x.All(r)
	switch {
	case problem != nil:
		return Match{}, problem
	case len(matches) == 0:
		return Match{}, &Problem{Column: r.column(), Text: r.shown() + " has no SIP device"}
	case len(matches) > 1:
		return Match{}, &Problem{
			Column: r.column(),
			Text:   fmt.Sprintf("%s has %d SIP devices: %s", r.shown(), len(matches), listed(matches)),
			Hint:   "where a user has several devices, say which one is meant by its sip_id or its device_id",
		}
	}
	return matches[0], nil
}

// Users returns the users that a reference names. A problem is one that names
// nobody, or contradicts itself.
func (x *Index) Users(r Reference) ([]*User, *Problem) {
	users := x.users[r.key()]
	if len(users) == 0 {
		return nil, &Problem{Column: r.column(), Text: r.shown() + " is unknown: " + r.unknown()}
	}
	return r.narrow(users)
}

// All returns all devices that a reference names; none if its user has none.
// The problems are those of [Index.Users], and a device that is none of its user's.
func (x *Index) All(r Reference) ([]Match, *Problem) {
	users, problem := x.Users(r)
	if problem != nil {
		return nil, problem
	}
	matches := r.devices(users)
	if r.DeviceID == "" {
		return matches, nil
	}
	var left []Match
	for _, m := range matches {
		if m.Device.ID == r.DeviceID {
			left = append(left, m)
		}
	}
	if len(left) == 0 {
		return nil, &Problem{Column: columnDevice, Text: fmt.Sprintf("%s contradicts %s %s, whose SIP devices are: %s",
			show(r.DeviceID), r.column(), r.shown(), listed(matches))}
	}
	return left, nil
}

// narrow drops the users that something else in the reference excludes.
func (r Reference) narrow(users []*User) ([]*User, *Problem) {
	for _, by := range []struct {
		column, value string
		fits          func(*User) bool
	}{
		{columnEmail, r.Email, func(u *User) bool { return emailKey(u.Email) == emailKey(r.Email) }},
		{columnUser, r.UserID, func(u *User) bool { return userKey(u.ID) == userKey(r.UserID) }},
	} {
		if by.value == "" {
			continue
		}
		var left []*User
		for _, u := range users {
			if by.fits(u) {
				left = append(left, u)
			}
		}
		if len(left) == 0 {
			return nil, &Problem{Column: by.column, Text: fmt.Sprintf("%s contradicts %s %s, which belongs to %s",
				show(by.value), r.column(), r.shown(), users[0].who())}
		}
		users = left
	}
	return users, nil
}

// devices returns the devices of the users, or those alone that have the SIP id
// if there is one.
func (r Reference) devices(users []*User) (matches []Match) {
	for _, u := range users {
		for i := range u.Devices {
			if d := &u.Devices[i]; r.SIPID == "" || d.SIPID == r.SIPID {
				matches = append(matches, Match{u, d})
			}
		}
	}
	return matches
}

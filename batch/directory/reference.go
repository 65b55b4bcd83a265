package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"siprotate/batch"
	"siprotate/exotel"
)

// A Reference is what is known of a device; the rest is empty. A SIP id is
// compared byte for byte, an email without regard to case, a user id without
// regard to case and dashes. One without any of these three names nothing.
type Reference struct {
	UserID, DeviceID string
	SIPID            string // without "sip:" and without a domain
	Email            string
}

// ReferenceOf returns what a row names. Where it has both ids, these alone count.
func ReferenceOf(row *batch.Row) Reference {
	if complete(row) {
		return Reference{UserID: row.UserID, DeviceID: row.DeviceID}
	}
	return Reference{UserID: row.UserID, DeviceID: row.DeviceID, SIPID: exotel.SIPID(row.SIPID), Email: row.Email}
}

// complete reports whether a row has both ids.
func complete(row *batch.Row) bool { return row.UserID != "" && row.DeviceID != "" }

// check returns the fault of a row that lacks an id and names nothing that could
// be looked up.
func check(row *batch.Row) *batch.Fault {
	r := ReferenceOf(row)
	switch {
	case complete(row):
		return nil
	case row.SIPID != "" && r.SIPID == "":
		return &batch.Fault{Column: columnSIP, Text: quote(row.SIPID) + " holds no SIP id"}
	case r.key().column == "":
		return r.unknown()
	}
	return nil
}

// A key is what a reference is looked up by: the first thing known of it.
type key struct {
	column string // empty: nothing is known
	value  string // as it is compared
}

func (r Reference) key() key {
	switch {
	case r.SIPID != "":
		return key{columnSIP, r.SIPID}
	case r.Email != "":
		return key{columnEmail, emailKey(r.Email)}
	case r.UserID != "":
		return key{columnUser, userKey(r.UserID)}
	}
	return key{}
}

func emailKey(email string) string { return strings.ToLower(email) }

// keysOf returns what a user can be looked up by.
func keysOf(u *exotel.User) []key {
	keys := []key{{columnUser, userKey(u.ID)}}
	if u.Email != "" {
		keys = append(keys, key{columnEmail, emailKey(u.Email)})
	}
	for d := range SIPDevices(u) {
		k := key{columnSIP, exotel.SIPID(d.ContactURI)}
		if k.value != "" && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// inQuery returns the key as it stands in a query's filter.
//
// An email is spelled with every other letter a capital, as nobody spells it:
// see [key.settledBy].
func (k key) inQuery() string {
	if k.column == columnSIP {
		return "sip:" + k.value
	}
	capital := false
	return strings.Map(func(r rune) rune {
		if !unicode.IsLower(r) {
			return r
		}
		if capital = !capital; capital {
			return unicode.ToUpper(r)
		}
		return r
	}, k.value)
}

// filterable reports whether a filter can find all users that have the key. The
// API separates values with commas. What it makes of the case of letters
// beyond ASCII, the spelling of an email cannot show.
func (k key) filterable() bool {
	return !strings.Contains(k.value, ",") &&
		(k.column != columnEmail || !strings.ContainsFunc(k.value, func(r rune) bool { return r > unicode.MaxASCII }))
}

// settledBy reports whether users, the answer to a look-up, are all that have
// the key. That somebody in it has the key is not enough: another one may be why
// the API returned that user.
//
// A user id has one user. A SIP id is found if the address asked for is there,
// since an account writes the address of one SIP id in one way. An email may
// have several users, in different spellings, of which a filter that compares
// letters' case finds some. Having found one whose spelling is not the one asked
// for, it ignores case, and so found all.
//
// No look-up can tell that filter from one that turns the question into lower
// case and then compares exactly. Only a listing is safe from that.
func (k key) settledBy(users []exotel.User) bool {
	asked := k.inQuery()
	return slices.ContainsFunc(users, func(u exotel.User) bool {
		switch {
		case !slices.Contains(keysOf(&u), k):
			return false
		case k.column == columnSIP:
			return slices.ContainsFunc(u.Devices, func(d exotel.Device) bool { return d.SIP() && d.ContactURI == asked })
		case k.column == columnEmail:
			return u.Email != asked || k.value == asked
		}
		return true
	})
}

// column returns the column that the reference is looked up by, and its value
// quoted for a person.
func (r Reference) column() (name, shown string) {
	return r.key().column, quote(cmp.Or(r.SIPID, r.Email, r.UserID))
}

// unknown returns the fault of a reference whose key nobody has.
func (r Reference) unknown() *batch.Fault {
	column, shown := r.column()
	why := "the account has no such user"
	switch column {
	case "":
		return &batch.Fault{Text: "names no user: a SIP id, an email or a user id is needed"}
	case columnSIP:
		why = "no SIP device of the account has it"
	case columnEmail:
		why = "no user of the account has it"
	}
	return &batch.Fault{Column: column, Text: fmt.Sprintf("%s is unknown: %s", shown, why)}
}

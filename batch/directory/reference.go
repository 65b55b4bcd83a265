package directory

import "strings"

// A Reference says of a device what is known; what is not known is empty. A SIP
// id is bare and compared as it is, an email without regard to case, a user id
// without regard to case and dashes. At least one of these three is known.
type Reference struct {
	UserID, DeviceID, SIPID, Email string
}

// A key is what a reference is looked up by: the first thing known of it.
type key struct {
	kind  kind
	value string // as it is compared
}

type kind uint8

const (
	bySIPID kind = iota
	byEmail
	byUserID
)

func (r Reference) key() key {
	switch {
	case r.SIPID != "":
		return key{bySIPID, r.SIPID}
	case r.Email != "":
		return key{byEmail, emailKey(r.Email)}
	}
	return key{byUserID, userKey(r.UserID)}
}

func emailKey(email string) string { return strings.ToLower(email) }

// Wanted are references, or rather what they are looked up by. The zero value
// is none. It is not safe for concurrent use.
type Wanted struct {
	keys  map[key]bool
	order []key // as they were added
}

// Add adds a reference.
func (w *Wanted) Add(r Reference) {
	k := r.key()
	if w.keys[k] {
		return
	}
	if w.keys == nil {
		w.keys = map[key]bool{}
	}
	w.keys[k] = true
	w.order = append(w.order, k)
}

// Empty reports whether there are none.
func (w *Wanted) Empty() bool { return len(w.order) == 0 }

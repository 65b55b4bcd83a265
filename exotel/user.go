package exotel

import "strings"

// A User is a co-worker of the account, as the listing shows them.
type User struct {
	ID        string // the user's UUID
	FirstName string
	LastName  string
	Email     string // may be empty
	Role      string
	Devices   []Device
}

// A Device is one of a user's phones.
type Device struct {
	ID         string // unique within the user
	Name       string
	ContactURI string // such as "sip:ashar1a2b3c4d" or "+919999999999"; may be empty
	Type       string // such as "sip" or "tel"
	Available  bool
	Verified   bool
	Status     string // such as "free"
}

// SIP reports whether the device is a SIP device, the only kind with a password.
func (d Device) SIP() bool { return strings.EqualFold(d.Type, "sip") }

// SIPID returns the SIP id within a contact URI: what is left without "sip:" or
// "sips:" in front, and without a domain and parameters behind. Contact URIs
// have been seen both with and without a domain; compare them by their SIP ids.
func SIPID(contactURI string) string {
	id := contactURI
	if scheme, rest, found := strings.Cut(id, ":"); found && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		id = rest
	}
	id, _, _ = strings.Cut(id, "@")
	id, _, _ = strings.Cut(id, ";")
	return id
}

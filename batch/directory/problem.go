package directory

import (
	"fmt"
	"strconv"
	"strings"
)

// The columns that a Problem names, as people know them.
const (
	columnUser   = "user_id"
	columnDevice = "device_id"
	columnSIP    = "sip_id"
	columnEmail  = "email"
)

// A Problem says why a reference does not name one device, in a text that
// follows the name of the column at fault.
type Problem struct{ Column, Text, Hint string }

// column returns the column by which the reference is looked up.
func (r Reference) column() string {
	switch r.key().kind {
	case bySIPID:
		return columnSIP
	case byEmail:
		return columnEmail
	}
	return columnUser
}

// shown returns, for a person, what stands in that column.
func (r Reference) shown() string {
	switch r.key().kind {
	case bySIPID:
		return show(r.SIPID)
	case byEmail:
		return show(r.Email)
	}
	return show(r.UserID)
}

// unknown says what it means that nobody has the reference's key.
func (r Reference) unknown() string {
	switch r.key().kind {
	case bySIPID:
		return "no SIP device of the account has it"
	case byEmail:
		return "no user of the account has it"
	}
	return "the account has no such user"
}

func (u *User) who() string {
	if u.Email == "" {
		return "user " + cut(u.ID)
	}
	return fmt.Sprintf("user %s (%s)", cut(u.ID), cut(u.Email))
}

// maxListed bounds the devices that a problem lists.
const maxListed = 10

// listed lists devices for a person.
func listed(matches []Match) string {
	if len(matches) == 0 {
		return "none"
	}
	var parts []string
	for i, m := range matches {
		if i == maxListed {
			parts = append(parts, fmt.Sprintf("and %d more", len(matches)-maxListed))
			break
		}
		part := cut(m.Device.ID)
		if m.Device.SIPID != "" {
			part += " (" + cut(m.Device.SIPID) + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// maxShown is how many bytes of a value are shown.
const maxShown = 80

func show(value string) string { return strconv.Quote(cut(value)) }

func cut(value string) string {
	if len(value) <= maxShown {
		return value
	}
	return strings.ToValidUTF8(value[:maxShown], "") + "…"
}

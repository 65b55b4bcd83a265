package exoteltest

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// sipScheme stands before a SIP id in a contact URI.
const sipScheme = "sip:"

const defaultRole = "user"

// A store holds an account's users, their devices and passwords, in little more
// memory than their texts take: a million users are a reasonable number. A
// user's devices form a list, walked one by one, since a user has two or three.
type store struct {
	users   []userRecord // in the order they were added
	devices []deviceRecord
	byID    map[string]uint32 // the index of each user that is not removed
	text    arena
}

type userRecord struct {
	text                      string // id, email, first name, last name and role in one
	idEnd, emailEnd           uint16
	firstNameEnd, lastNameEnd uint16
	firstDevice               uint32 // its index and 1; 0: none
	removed                   bool
}

type deviceRecord struct {
	text     string // id and contact URI in one
	password string // empty: never set
	next     uint32 // the user's next device: its index and 1; 0: none
	idEnd    uint16
	traits   traits
}

// traits are a device's booleans, in the one byte that is left in its record.
type traits uint8

const (
	isTel traits = 1 << iota
	isAvailable
	isVerified
)

func traitsOf(d Device) (t traits) {
	if d.Type == Tel {
		t |= isTel
	}
	if d.Available {
		t |= isAvailable
	}
	if d.Verified {
		t |= isVerified
	}
	return t
}

func (u *userRecord) id() string        { return u.text[:u.idEnd] }
func (u *userRecord) email() string     { return u.text[u.idEnd:u.emailEnd] }
func (u *userRecord) firstName() string { return u.text[u.emailEnd:u.firstNameEnd] }
func (u *userRecord) lastName() string  { return u.text[u.firstNameEnd:u.lastNameEnd] }

func (u *userRecord) role() string {
	if role := u.text[u.lastNameEnd:]; role != "" {
		return role
	}
	return defaultRole
}

func (d *deviceRecord) id() string       { return d.text[:d.idEnd] }
func (d *deviceRecord) contact() string  { return d.text[d.idEnd:] }
func (d *deviceRecord) sipID() string    { return strings.TrimPrefix(d.contact(), sipScheme) }
func (d *deviceRecord) is(t traits) bool { return d.traits&t != 0 }

func newStore(users int) store {
	return store{byID: make(map[string]uint32, users)}
}

// addUser adds u. A user that is there already, one without an id, two devices
// with one id, and texts beyond 64 KiB in all are errors.
func (s *store) addUser(u User) error {
	if _, ok := s.byID[u.ID]; ok {
		return fmt.Errorf("user %q is there already", u.ID)
	}
	if u.Role == defaultRole {
		u.Role = ""
	}
	if err := checkUser(u); err != nil {
		return err
	}
	r := userRecord{text: s.text.join(u.ID, u.Email, u.FirstName, u.LastName, u.Role)}
	r.idEnd = uint16(len(u.ID))
	r.emailEnd = r.idEnd + uint16(len(u.Email))
	r.firstNameEnd = r.emailEnd + uint16(len(u.FirstName))
	r.lastNameEnd = r.firstNameEnd + uint16(len(u.LastName))
	s.byID[r.id()] = uint32(len(s.users))
	s.users = append(s.users, r)
	for _, d := range u.Devices {
		s.link(&s.users[len(s.users)-1], d)
	}
	return nil
}

func checkUser(u User) error {
	if u.ID == "" {
		return errors.New("a user without an id")
	}
	size := len(u.ID) + len(u.Email) + len(u.FirstName) + len(u.LastName) + len(u.Role)
	if size > math.MaxUint16 {
		return fmt.Errorf("user %.40q: %d bytes of text", u.ID, size)
	}
	for i, d := range u.Devices {
		if err := checkDevice(d); err != nil {
			return fmt.Errorf("user %q: %w", u.ID, err)
		}
		for _, before := range u.Devices[:i] {
			if before.ID == d.ID {
				return fmt.Errorf("user %q: device %q stands twice", u.ID, d.ID)
			}
		}
	}
	return nil
}

func checkDevice(d Device) error {
	switch {
	case d.ID == "":
		return errors.New("a device without an id")
	case len(d.ID) > math.MaxUint16:
		return fmt.Errorf("a device with an id of %d bytes", len(d.ID))
	case d.Type != SIP && d.Type != Tel:
		return fmt.Errorf("device %q: no type %q", d.ID, d.Type)
	}
	return nil
}

// addDevice adds a device to a user that is there.
func (s *store) addDevice(userID string, d Device) error {
	if err := checkDevice(d); err != nil {
		return fmt.Errorf("user %q: %w", userID, err)
	}
	u, there := s.find(userID, d.ID)
	if there != nil {
		return fmt.Errorf("user %q: device %q is there already", userID, d.ID)
	}
	s.link(u, d)
	return nil
}

// link adds d, already checked, to the end of the user's list.
func (s *store) link(u *userRecord, d Device) {
	s.devices = append(s.devices, deviceRecord{
		text:   s.text.join(d.ID, d.ContactURI),
		idEnd:  uint16(len(d.ID)),
		traits: traitsOf(d),
	})
	end := &u.firstDevice
	for *end != 0 {
		end = &s.devices[*end-1].next
	}
	*end = uint32(len(s.devices))
}

// size returns how many users there are.
func (s *store) size() int { return len(s.byID) }

// user returns the user with the id, or nil. It and what [store.find] returns are
// valid until the next change of the store.
func (s *store) user(id string) *userRecord {
	i, ok := s.byID[id]
	if !ok {
		return nil
	}
	return &s.users[i]
}

// find returns a user and one of its devices; nil for what is not there.
func (s *store) find(userID, deviceID string) (*userRecord, *deviceRecord) {
	u := s.user(userID)
	if u == nil {
		return nil, nil
	}
	for d := range s.devicesOf(u) {
		if d.id() == deviceID {
			return u, d
		}
	}
	return u, nil
}

// devicesOf ranges over a user's devices.
func (s *store) devicesOf(u *userRecord) func(yield func(*deviceRecord) bool) {
	return func(yield func(*deviceRecord) bool) {
		for i := u.firstDevice; i != 0; i = s.devices[i-1].next {
			if !yield(&s.devices[i-1]) {
				return
			}
		}
	}
}

// remove takes a user out. Its place stays, so that no index moves.
func (s *store) remove(userID string) bool {
	i, ok := s.byID[userID]
	if !ok {
		return false
	}
	delete(s.byID, userID)
	s.users[i].removed = true
	return true
}

// An arena keeps many small strings in few large blocks, so that each costs its
// bytes and no more.
type arena struct{ block strings.Builder }

const arenaBlock = 64 << 10

// join returns the concatenation of parts.
func (a *arena) join(parts ...string) string {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if a.block.Cap()-a.block.Len() < size {
		a.block.Reset() // lets go of the old block: its strings keep it
		a.block.Grow(max(arenaBlock, size))
	}
	start := a.block.Len()
	for _, p := range parts {
		a.block.WriteString(p)
	}
	return a.block.String()[start:]
}

package exoteltest

import "iter"

// A Held is a SIP device and the password it holds.
type Held struct {
	UserID, DeviceID string
	SIPID            string // without "sip:"
	Password         string // empty: the one it had when it was added
}

// Password returns the password that a SIP device holds, empty if none was set,
// and whether there is such a device.
func (s *Server) Password(userID, deviceID string) (password string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, d := s.store.find(userID, deviceID)
	if d == nil || d.is(isTel) {
		return "", false
	}
	return d.password, true
}

// Passwords ranges over the account's SIP devices in the order their users were
// added. The server goes on serving meanwhile: each device is shown as it is at
// about the time that it is reached.
func (s *Server) Passwords() iter.Seq[Held] {
	return func(yield func(Held) bool) {
		var held []Held
		for next := 0; next >= 0; {
			held, next = s.heldFrom(held[:0], next)
			for _, h := range held {
				if !yield(h) {
					return
				}
			}
		}
	}
}

// heldFrom appends the devices of the next users, from index i on, and returns
// the index to go on with, -1 at the end.
func (s *Server) heldFrom(held []Held, i int) ([]Held, int) {
	const users = 256 // so many at a time, not to keep requests waiting
	s.mu.Lock()
	defer s.mu.Unlock()
	end := min(i+users, len(s.store.users))
	for ; i < end; i++ {
		held = s.appendHeld(held, &s.store.users[i])
	}
	if end == len(s.store.users) {
		return held, -1
	}
	return held, end
}

func (s *Server) appendHeld(held []Held, u *userRecord) []Held {
	if u.removed {
		return held
	}
	for d := range s.store.devicesOf(u) {
		if !d.is(isTel) {
			held = append(held, Held{u.id(), d.id(), d.sipID(), d.password})
		}
	}
	return held
}

// contactURI returns the contact URI that a SIP id stands for.
func contactURI(sipID string) string {
	if sipID == "" || len(sipID) >= len(sipScheme) && sipID[:len(sipScheme)] == sipScheme {
		return sipID
	}
	return sipScheme + sipID
}

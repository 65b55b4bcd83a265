package exoteltest

import (
	"encoding/csv"
	"io"
	"iter"
	"slices"

	"siprotate/exotel"
)

// A DevicePassword is a SIP device and its password.
type DevicePassword struct {
	UserID, DeviceID string
	SIPID            string // without "sip:"
	Password         string // empty: the one it had when it was added
}

// Password returns the password of a SIP device, empty if none was set, and
// whether there is such a device.
func (s *Server) Password(userID, deviceID string) (password string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.account.byID[userID]
	if u == nil {
		return "", false
	}
	d := u.device(deviceID)
	if d == nil || !d.SIP() {
		return "", false
	}
	return s.account.passwords[[2]string{userID, deviceID}], true
}

// SIPPassword returns the password of the device with the SIP id, which may stand
// with or without "sip:", empty if none was set, and whether there is such a
// device.
func (s *Server) SIPPassword(sipID string) (password string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := contactKey(sipID)
	for _, u := range s.account.byName[key] {
		for _, d := range u.Devices {
			if d.SIP() && contactKey(d.ContactURI) == key {
				return s.account.passwords[[2]string{u.ID, d.ID}], true
			}
		}
	}
	return "", false
}

// Passwords ranges over the account's SIP devices in the order their users were
// added, as they are at the time of the call.
func (s *Server) Passwords() iter.Seq[DevicePassword] {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []DevicePassword
	for _, u := range s.account.users {
		for _, d := range u.Devices {
			if d.SIP() {
				all = append(all, DevicePassword{u.ID, d.ID, exotel.SIPID(d.ContactURI), s.account.passwords[[2]string{u.ID, d.ID}]})
			}
		}
	}
	return slices.Values(all)
}

func (s *Server) writePasswords(w io.Writer) {
	out := csv.NewWriter(w)
	defer out.Flush() // an error means that the client has gone
	out.Write([]string{"user_id", "device_id", "sip_id", "password"})
	for p := range s.Passwords() {
		out.Write([]string{p.UserID, p.DeviceID, p.SIPID, p.Password})
	}
}

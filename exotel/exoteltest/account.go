package exoteltest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"siprotate/exotel"
)

// An account holds the users, their devices and passwords.
type account struct {
	users     []*user              // by number
	byID      map[string]*user     // by the user's id
	byName    map[string][]*user   // by emailKey and contactKey; a user can stand there twice
	passwords map[[2]string]string // by the ids of user and device
	added     int                  // users so far, the removed ones included
	madeUp    int                  // device ids made up so far
}

type user struct {
	exotel.User
	number int // grows with each user that is added
}

// addUser adds u to the end. A user that is there already, and one that is not
// well-formed, are errors.
func (a *account) addUser(u exotel.User) error {
	if u.ID == "" {
		return errors.New("a user without an id")
	}
	if a.byID[u.ID] != nil {
		return fmt.Errorf("user %q is there already", u.ID)
	}
	added := &user{u, a.added}
	added.Devices = nil
	for _, d := range u.Devices {
		if err := added.add(d); err != nil {
			return err
		}
	}
	a.added++
	a.users = append(a.users, added)
	a.byID[u.ID] = added
	for _, name := range added.names() {
		a.byName[name] = append(a.byName[name], added)
	}
	return nil
}

// addDevice adds a SIP device, and its user with the email if it is not there.
func (a *account) addDevice(userID, deviceID, sipID, email string) error {
	d := sipDevice(deviceID, sipID)
	u := a.byID[userID]
	if u == nil {
		return a.addUser(exotel.User{ID: userID, Email: email, Role: "user", Devices: []exotel.Device{d}})
	}
	if err := u.add(d); err != nil {
		return err
	}
	if d.ContactURI != "" {
		name := contactKey(d.ContactURI)
		a.byName[name] = append(a.byName[name], u)
	}
	return nil
}

func (u *user) add(d exotel.Device) error {
	switch {
	case d.ID == "":
		return fmt.Errorf("user %q: a device without an id", u.ID)
	case d.Type == "":
		return fmt.Errorf("user %q: device %q has no type", u.ID, d.ID)
	case u.device(d.ID) != nil:
		return fmt.Errorf("user %q: device %q is there already", u.ID, d.ID)
	}
	u.Devices = append(u.Devices, d)
	return nil
}

// device returns the device with the id, or nil.
func (u *user) device(id string) *exotel.Device {
	i := slices.IndexFunc(u.Devices, func(d exotel.Device) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return &u.Devices[i]
}

// names returns what lists find the user by.
func (u *user) names() (names []string) {
	if u.Email != "" {
		names = append(names, emailKey(u.Email))
	}
	for _, d := range u.Devices {
		if d.ContactURI != "" {
			names = append(names, contactKey(d.ContactURI))
		}
	}
	return names
}

// emailKey and contactKey return what stands for a name in account.byName. Emails
// are compared without regard to case, SIP ids and numbers exactly.
func emailKey(email string) string { return "email:" + strings.ToLower(email) }
func contactKey(uri string) string { return "contact:" + exotel.SIPID(uri) }

// remove takes a user out.
func (a *account) remove(id string) bool {
	u := a.byID[id]
	if u == nil {
		return false
	}
	delete(a.byID, id)
	isRemoved := func(other *user) bool { return other == u }
	a.users = slices.DeleteFunc(a.users, isRemoved)
	for _, name := range u.names() {
		a.byName[name] = slices.DeleteFunc(a.byName[name], isRemoved)
	}
	for _, d := range u.Devices {
		delete(a.passwords, [2]string{id, d.ID})
	}
	return true
}

// firstMadeUp is the first made-up device id, out of the way of the generated
// ones below the 400,000th user.
const firstMadeUp = 900_001

// makeUp adds the device that is meant by what is known of it, unless it is
// there. What is not known is empty, and made up.
func (a *account) makeUp(userID, deviceID, sipID, email string) error {
	sipID = exotel.SIPID(sipID)
	name := cmp.Or(strings.ToLower(userID+email), sipID)
	if name == "" {
		return errors.New("a device of which nothing is known")
	}
	if userID == "" {
		sum := sha256.Sum256([]byte(name))
		userID = hex.EncodeToString(sum[:16])
	}
	if a.holds(userID, deviceID, sipID, email) {
		return nil
	}
	if deviceID == "" {
		deviceID = strconv.Itoa(firstMadeUp + a.madeUp)
		a.madeUp++
	}
	return a.addDevice(userID, deviceID, cmp.Or(sipID, "sip"+deviceID), email)
}

// holds reports whether something fits the most exact of what is known.
func (a *account) holds(userID, deviceID, sipID, email string) bool {
	u := a.byID[userID]
	switch {
	case deviceID != "":
		return u != nil && u.device(deviceID) != nil
	case sipID != "":
		return len(a.byName[contactKey(sipID)]) > 0
	case email != "":
		return len(a.byName[emailKey(email)]) > 0
	}
	return u != nil
}

// sipDevice returns a SIP device as the API shows it. The SIP id may be empty.
func sipDevice(id, sipID string) exotel.Device {
	d := exotel.Device{ID: id, Name: "SIP", Type: "sip", Available: true, Verified: true, Status: "free"}
	if sipID = exotel.SIPID(sipID); sipID != "" {
		d.ContactURI = "sip:" + sipID
	}
	return d
}

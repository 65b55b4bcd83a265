package directory

import (
	"iter"
	"slices"
	"strconv"

	"siprotate/batch"
	"siprotate/exotel"
)

// A Source is a row for each SIP device of some users. It can be read any number
// of times, and by several goroutines at once. It never yields an error.
type Source struct {
	name, digest string
	users        []exotel.User
}

// Devices returns the source of the users' SIP devices. The digest says how the
// users were selected. They are not copied.
func Devices(name, digest string, users []exotel.User) *Source {
	return &Source{name, digest, users}
}

// Name returns the name that the source was given.
func (s *Source) Name() string { return s.name }

// Columns returns the names of the rows' further cells.
func (s *Source) Columns() []string {
	return []string{"first_name", "last_name", "role", "available", "verified"}
}

// Digest returns the digest that the source was given.
func (s *Source) Digest() (string, error) { return s.digest, nil }

// Rows ranges over the devices, in the order of the users. A row has the values
// as the API has them, save that the SIP id has no "sip:" and no domain. An id
// that cannot be sent is a fault of the row. The lines are those of the same
// rows in a CSV file with one line for the header.
func (s *Source) Rows() iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		number := 0
		for i := range s.users {
			u := &s.users[i]
			for d := range SIPDevices(u) {
				number++
				if !yield(rowOf(number, u, d), nil) {
					return
				}
			}
		}
	}
}

func rowOf(number int, u *exotel.User, d *exotel.Device) batch.Row {
	row := batch.Row{
		Number: number, Line: number + 1,
		UserID: u.ID, DeviceID: d.ID, SIPID: exotel.SIPID(d.ContactURI), Email: u.Email,
		Extra: []string{u.FirstName, u.LastName, u.Role, strconv.FormatBool(d.Available), strconv.FormatBool(d.Verified)},
	}
	for _, id := range []struct{ column, value string }{{columnUser, u.ID}, {columnDevice, d.ID}} {
		if err := exotel.CheckID(id.value); err != nil {
			row.Faults = append(row.Faults, batch.Fault{Column: id.column, Text: err.Error()})
		}
	}
	return row
}

// Without returns the users without the SIP devices for which drop is true, and
// how many these were. The users given stay as they are.
func Without(users []exotel.User, drop func(userID, deviceID string) bool) (rest []exotel.User, dropped int) {
	for _, u := range users {
		before := len(u.Devices)
		u.Devices = slices.DeleteFunc(slices.Clone(u.Devices), func(d exotel.Device) bool { return d.SIP() && drop(u.ID, d.ID) })
		dropped += before - len(u.Devices)
		rest = append(rest, u)
	}
	return rest, dropped
}

// Exclude returns the users without the SIP devices that the rows name, and how
// many these were. A row that names a user excludes all devices of
// that user. The users have to be the whole account: no look-up is sure to find
// all that a row names.
//
// The error is a [*batch.Faults] with the file's name: a row that has faults
// itself, or names nobody, may mean somebody whose password has to stay.
func Exclude(users []exotel.User, file string, rows []batch.Row) (rest []exotel.User, excluded int, err error) {
	var wanted Wanted
	for i := range rows {
		wanted.Add(ReferenceOf(&rows[i]))
	}
	index := NewIndex(&wanted, users)
	out := map[string]bool{}
	var faults batch.Faults
	for i := range rows {
		matches, found := index.excludedBy(&rows[i])
		for _, fault := range found {
			fault.File, fault.Line = file, rows[i].Line
			faults.Add(fault)
		}
		for _, m := range matches {
			out[batch.DeviceKey(m.User.ID, m.Device.ID)] = true
		}
	}
	if faults.Total > 0 {
		return nil, 0, &faults
	}
	rest, excluded = Without(users, func(userID, deviceID string) bool { return out[batch.DeviceKey(userID, deviceID)] })
	return rest, excluded, nil
}

// excludedBy returns the devices that a row names, or what is wrong with it.
func (x *Index) excludedBy(row *batch.Row) ([]Match, []batch.Fault) {
	if len(row.Faults) > 0 {
		return nil, row.Faults
	}
	fault := check(row)
	var matches []Match
	if fault == nil {
		matches, fault = x.All(ReferenceOf(row))
	}
	if fault != nil {
		return nil, []batch.Fault{*fault}
	}
	return matches, nil
}

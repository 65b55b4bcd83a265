package rotation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"time"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/batch/journal"
	"siprotate/exotel"
)

// Everybody is the source of every SIP device of the account, less those that are
// left out. The account is listed within the allowance, once it is known that no
// unfinished run of the same selection goes on.
//
// Its digest says how devices are selected, and not which ones these are at the
// moment.
type Everybody struct {
	exclude  *exclusion
	history  *journal.History
	young    time.Duration
	digest   string
	selected *directory.Source
}

// A Selection says whom [Everybody] leaves out.
type Selection struct {
	Exclude Source           // the rows of users and devices that are left out; nil: none
	History *journal.History // what earlier runs rotated; nil: it does not matter
	Young   time.Duration    // devices that the history rotated less than this ago are left out
}

// NewEverybody reads whom the selection leaves out. Its error is an
// [*InputError], or one of reading the file.
func NewEverybody(s Selection) (*Everybody, error) {
	e := &Everybody{history: s.History, young: s.Young}
	excluded := "none"
	if s.Exclude != nil {
		var err error
		if e.exclude, err = readExclusion(s.Exclude); err != nil {
			return nil, err
		}
		if excluded, err = s.Exclude.Digest(); err != nil {
			return nil, err
		}
	}
	e.digest = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "all devices, exclude %s, older than %v", excluded, e.young)))
	return e, nil
}

// Name says what the rows come from.
func (e *Everybody) Name() string { return "all devices of the account" }

// Rows yields the selected devices; none before the account was listed.
func (e *Everybody) Rows() iter.Seq2[batch.Row, error] {
	if e.selected == nil {
		return func(func(batch.Row, error) bool) {}
	}
	return e.selected.Rows()
}

// Columns are what the listing says of a user beside the ids.
func (e *Everybody) Columns() []string {
	if e.selected == nil {
		return nil
	}
	return e.selected.Columns()
}

// Digest tells the selection from another.
func (e *Everybody) Digest() (string, error) { return e.digest, nil }

// A listed source learns its rows from a listing of the account.
type listed interface {
	Source
	choose(users []exotel.User) (Selected, error)
}

// list lists the account for a source.
func (r Rotation) list(ctx context.Context, a *allowance, src listed) error {
	var users []exotel.User
	err := a.aside(func() (err error) {
		users, err = r.everybody(ctx, a)
		return err
	})
	if err != nil {
		return err
	}
	left, err := src.choose(users)
	if err != nil {
		return err
	}
	r.Events(left)
	return nil
}

// choose selects devices of the users.
func (e *Everybody) choose(users []exotel.User) (Selected, error) {
	left := Selected{Excluded: -1, Young: -1}
	var excluded map[string]bool
	if e.exclude != nil {
		var err error
		if excluded, err = e.exclude.devices(users); err != nil {
			return left, err
		}
		left.Excluded = 0
	}
	if e.history != nil {
		left.Young = 0
	}
	kept := make([]exotel.User, 0, len(users))
	for _, u := range users {
		var devices []exotel.Device
		for _, d := range u.Devices {
			switch {
			case !d.SIP():
			case excluded[batch.DeviceKey(u.ID, d.ID)]:
				left.Excluded++
			case e.isYoung(u.ID, d.ID):
				left.Young++
			default:
				devices = append(devices, d)
			}
		}
		if u.Devices = devices; len(devices) > 0 {
			kept = append(kept, u)
		}
	}
	e.selected = directory.Devices(e.Name(), kept)
	return left, nil
}

func (e *Everybody) isYoung(userID, deviceID string) bool {
	if e.history == nil {
		return false
	}
	last, known := e.history.Last(userID, deviceID)
	return known && time.Since(last.At) < e.young
}

// An exclusion is the rows of a file that name whom a rotation leaves out.
type exclusion struct {
	name   string
	lines  []int
	refs   []directory.Reference
	wanted directory.Wanted
}

// readExclusion reads a file of users and devices to be left out. Passwords in it
// are not used, so that their faults do not count.
func readExclusion(src Source) (*exclusion, error) {
	if _, err := (Rotation{}).check(src); err != nil {
		return nil, err
	}
	e := &exclusion{name: src.Name()}
	for row, err := range src.Rows() {
		if err != nil {
			return nil, err
		}
		ref := directory.ReferenceOf(&row)
		if ref.UserID != "" && ref.DeviceID != "" { // these alone count, as in an input
			ref.SIPID, ref.Email = "", ""
		}
		e.wanted.Add(ref)
		e.lines, e.refs = append(e.lines, row.Line), append(e.refs, ref)
	}
	return e, nil
}

// devices returns the keys of all the devices that the rows name. A row that
// names nobody is a fault: whom it meant would lose the password.
func (e *exclusion) devices(users []exotel.User) (map[string]bool, error) {
	index := directory.NewIndex(&e.wanted, users)
	devices := map[string]bool{}
	var faults batch.Faults
	for i, ref := range e.refs {
		matches, fault := index.All(ref)
		if fault != nil {
			fault.File, fault.Line = e.name, e.lines[i]
			faults.Add(*fault)
		}
		for _, m := range matches {
			devices[batch.DeviceKey(m.User.ID, m.Device.ID)] = true
		}
	}
	if faults.Total > 0 {
		return nil, &InputError{Faults: faults}
	}
	return devices, nil
}

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
	exclude  Source      // nil: none
	excluded []batch.Row // of exclude
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
	e := &Everybody{exclude: s.Exclude, history: s.History, young: s.Young}
	excluded := "none"
	if e.exclude != nil {
		if _, err := (Rotation{}).complete().check(e.exclude); err != nil {
			return nil, err
		}
		for row, err := range e.exclude.Rows() {
			if err != nil {
				return nil, changed(e.exclude, err)
			}
			e.excluded = append(e.excluded, row)
		}
		var err error
		if excluded, err = e.exclude.Digest(); err != nil {
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
func (e *Everybody) choose(users []exotel.User) (left Selected, err error) {
	left = Selected{Excluded: -1, Young: -1, Age: e.young}
	if e.exclude != nil {
		if users, left.Excluded, err = directory.Exclude(users, e.exclude.Name(), e.excluded); err != nil {
			return left, err
		}
	}
	if e.history != nil {
		users, left.Young = directory.Without(users, e.isYoung)
	}
	e.selected = directory.Devices(e.Name(), users, directory.Options{CheckID: exotel.CheckID, Digest: e.digest})
	return left, nil
}

func (e *Everybody) isYoung(userID, deviceID string) bool {
	last, known := e.history.Last(userID, deviceID)
	return known && time.Since(last.At) < e.young
}

package rotation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	*directory.Source // no devices before the account was listed
	digest            string
	selection         Selection
	excluded          []batch.Row // of the selection's Exclude
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
	e := &Everybody{selection: s}
	excluded := "none"
	if s.Exclude != nil {
		if _, err := (Rotation{}).complete().check(s.Exclude); err != nil {
			return nil, err
		}
		for row, err := range s.Exclude.Rows() {
			if err != nil {
				return nil, changed(s.Exclude, err)
			}
			e.excluded = append(e.excluded, row)
		}
		var err error
		if excluded, err = s.Exclude.Digest(); err != nil {
			return nil, err
		}
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "all devices, exclude %s, older than %v", excluded, s.Young))
	e.digest = hex.EncodeToString(digest[:])
	e.Source = directory.Devices("all devices of the account", e.digest, nil)
	return e, nil
}

// list lists the account for a source of everybody, and selects its devices.
func (r Rotation) list(ctx context.Context, a *allowance, e *Everybody) error {
	users, err := aside(a, func() ([]exotel.User, error) { return r.everybody(ctx, a) })
	if err != nil {
		return err
	}
	s := e.selection
	left := Selected{Excluded: -1, Young: -1, Age: s.Young}
	if s.Exclude != nil {
		if users, left.Excluded, err = directory.Exclude(users, s.Exclude.Name(), e.excluded); err != nil {
			return err
		}
	}
	if s.History != nil {
		users, left.Young = directory.Without(users, func(userID, deviceID string) bool {
			last, known := s.History.Last(userID, deviceID)
			return known && time.Since(last.At) < s.Young
		})
	}
	e.Source = directory.Devices(e.Name(), e.digest, users)
	r.Events(left)
	return nil
}

// Package lease lets one process on a machine at a time send for an account,
// and hands the account's allowance on from one to the next: what the last one
// spent still counts against the window of its successor.
//
// A lease is a locked file in the user's state folder; the system frees it when
// the process ends, in whatever way. Beside it lies a ledger of the latest
// answers. The package knows nothing of rows or of how the allowance is spent.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2/maybe"
)

// ErrTaken says that another process sends for the account.
var ErrTaken = errors.New("another siprotate on this machine is at work on the account")

// A Lease is the right to send for an account. Not safe for concurrent use.
type Lease struct {
	lock   *flock.Flock
	ledger string
	last   ledger
	known  bool // there was a ledger
	holder string
}

// A ledger is what the next holder has to know.
type ledger struct {
	Holder string      `json:"holder"` // who took the lease
	Open   bool        `json:"open"`   // and has not given it back: it works, or it died
	Ends   []time.Time `json:"ends"`   // when the latest answers came
	Held   time.Time   `json:"held_until,omitzero"`
}

const (
	pollEvery = 200 * time.Millisecond // while waiting for another process to end
	fileMode  = 0o600
)

// Take takes the lease of an account at a host, for a holder: what it works
// on. Where another process has it, Take waits until ctx ends if wait is set, and
// fails with [ErrTaken] if not.
func Take(ctx context.Context, folder, host, account, holder string, wait bool) (*Lease, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(folder, url.QueryEscape(host)+"_"+url.QueryEscape(account))
	l := &Lease{lock: flock.New(name+".lock", flock.SetPermissions(fileMode)), ledger: name + ".json", holder: holder}
	if err := l.lockFile(ctx, wait); err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.lock.Unlock())
	}
	return l, nil
}

func (l *Lease) lockFile(ctx context.Context, wait bool) error {
	take := l.lock.TryLock
	if wait {
		take = func() (bool, error) { return l.lock.TryLockContext(ctx, pollEvery) }
	}
	taken, err := take()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("lock %s: %w", l.lock.Path(), err)
	case !taken:
		return l.taken()
	}
	return nil
}

// taken returns ErrTaken, with the holder's name if the ledger tells it.
func (l *Lease) taken() error {
	var now ledger
	if text, err := os.ReadFile(l.ledger); err == nil && json.Unmarshal(text, &now) == nil && now.Holder != "" {
		return fmt.Errorf("%w: %s", ErrTaken, now.Holder)
	}
	return ErrTaken
}

// open reads what the last holder left, and notes that there is a new one.
func (l *Lease) open() error {
	text, err := os.ReadFile(l.ledger)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		l.known = true
		if json.Unmarshal(text, &l.last) != nil {
			l.last = ledger{Open: true} // as if its writer had died
		}
	}
	return l.write(ledger{Holder: l.holder, Open: true, Ends: l.last.Ends, Held: l.last.Held})
}

func (l *Lease) write(note ledger) error {
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return maybe.WriteFile(l.ledger, text, fileMode)
}

// Spent returns the times of the latest answers, to count against the window,
// and until when nothing may be sent. own is what the holder itself remembers of
// its earlier work, atMost what a window allows. If the last holder died and was
// another one, all of the window counts as spent right now: nobody knows better.
func (l *Lease) Spent(own []time.Time, atMost int) (ends []time.Time, held time.Time) {
	switch {
	case !l.known:
		return own, time.Time{}
	case !l.last.Open:
		return l.last.Ends, l.last.Held
	case l.last.Holder == l.holder:
		return append(own, l.last.Ends...), l.last.Held
	}
	now := time.Now()
	for range atMost {
		ends = append(ends, now)
	}
	return ends, l.last.Held
}

// Rename goes on under another holder's name. The next holder is told what Spent
// says here, also if this process dies.
func (l *Lease) Rename(holder string, ends []time.Time, held time.Time) error {
	l.holder = holder
	return l.write(ledger{Holder: holder, Open: true, Ends: ends, Held: held})
}

// Return gives the lease back and leaves the next holder what Spent tells it.
func (l *Lease) Return(ends []time.Time, held time.Time) error {
	return errors.Join(l.write(ledger{Holder: l.holder, Ends: ends, Held: held}), l.lock.Unlock())
}

// Package account lets one process on a machine at a time send for an account,
// and hands the account's allowance on from one to the next: what the last one
// spent still counts against the window of its successor.
//
// A lease is a locked file in the user's state folder; the system frees it when
// the process ends, in whatever way. Beside it lies a ledger of the latest
// answers. The package knows nothing of rows or of how the allowance is spent.
package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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
	last   ledger // as the holder before left it
	holder string
	begun  bool // the ledger speaks of this holder
}

// A ledger is what the next holder has to know. The zero ledger says that
// nobody has sent anything.
type ledger struct {
	Taker  string      `json:"taker"`  // who took the lease last, for people
	Holder string      `json:"holder"` // of whom the rest speaks
	Open   bool        `json:"open"`   // it has not given the lease back: it works, or it died
	Ends   []time.Time `json:"ends"`   // when the latest answers came
	Held   time.Time   `json:"held_until,omitzero"`
	At     time.Time   `json:"at,omitzero"` // when this was written
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
	if text, err := os.ReadFile(l.ledger); err == nil && json.Unmarshal(text, &now) == nil && now.Taker != "" {
		return fmt.Errorf("%w: %s", ErrTaken, now.Taker)
	}
	return ErrTaken
}

// open reads what the last holder left. Nothing is sent yet, so all of it but
// the taker's name stays as it was.
func (l *Lease) open() error {
	text, err := os.ReadFile(l.ledger)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case json.Unmarshal(text, &l.last) != nil:
		l.last = ledger{Open: true} // as if its writer had died
	}
	return l.write(l.last)
}

func (l *Lease) write(note ledger) error {
	note.Taker = l.holder
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return maybe.WriteFile(l.ledger, text, fileMode)
}

// Begin comes before the first request. It returns the times of the latest
// answers, to count against the window, and until when nothing may be sent. own
// are the answers that the holder itself remembers, atMost is what a window
// allows. Where the last holder died, and is not the one that remembers, all of
// the window counts as spent now: nobody knows better.
func (l *Lease) Begin(own []time.Time, atMost int) (ends []time.Time, held time.Time, err error) {
	switch {
	case !l.last.Open: // the ledger has all that was sent here before it was written
		own = slices.DeleteFunc(slices.Clone(own), func(end time.Time) bool { return !end.After(l.last.At) })
	case l.last.Holder != l.holder || len(own) == 0:
		own = slices.Repeat([]time.Time{time.Now()}, atMost)
	}
	ends = append(slices.Clone(own), l.last.Ends...)
	l.begun = true
	return ends, l.last.Held, l.note(true, ends, l.last.Held)
}

// note writes the ledger of this holder.
func (l *Lease) note(open bool, ends []time.Time, held time.Time) error {
	return l.write(ledger{Holder: l.holder, Open: open, Ends: ends, Held: held, At: time.Now()})
}

// Rename goes on under another holder's name. The next holder is told of the
// answers given here, also if this process dies.
func (l *Lease) Rename(holder string, ends []time.Time, held time.Time) error {
	l.holder = holder
	return l.note(true, ends, held)
}

// Return gives the lease back, and leaves the next holder what to count. A lease
// under which nothing was begun leaves the ledger as it was.
func (l *Lease) Return(ends []time.Time, held time.Time) error {
	if !l.begun {
		return l.lock.Unlock()
	}
	return errors.Join(l.note(false, ends, held), l.lock.Unlock())
}

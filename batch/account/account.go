// Package account lets one process on a machine at a time send for an account,
// and hands the account's allowance on from one to the next: what the last one
// spent still counts against the windows of its successor.
//
// A lease is a locked file in the user's state folder; the system frees it when
// the process ends, in whatever way. Beside it lies a ledger of the latest
// answers. The ledger measures time by the machine's clock since boot, so that
// setting the wall clock gives nobody a fresh allowance; where that clock says
// nothing, all that was spent counts as spent now.
//
// The package knows nothing of rows or of how the allowance is spent.
package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"siprotate/batch/durable"
)

// ErrBusy says that another process sends for the account.
var ErrBusy = errors.New("busy: another process is at work on the account")

// A Lease is the right to send for an account, until [Lease.Return]. [Take] makes
// one; the zero Lease cannot be used. It is not safe for concurrent use.
type Lease struct {
	lock   *flock.Flock
	path   string // of the ledger
	last   ledger // as the holder before left it
	holder string
	clock  func() reading
	begun  bool // the ledger speaks of this holder
}

const (
	pollEvery = 200 * time.Millisecond // while waiting for another process to end
	fileMode  = 0o600
)

// Take takes the lease of an account at a host, for a holder: what it works
// on. All spellings of a host are the same one. Where another process has it, Take waits until ctx ends if wait is set, and
// fails with [ErrBusy] if not.
func Take(ctx context.Context, folder, host, account, holder string, wait bool) (*Lease, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	name := fileName(folder, host, account)
	l := &Lease{lock: flock.New(name+".lock", flock.SetPermissions(fileMode)), path: name + ".json", holder: holder, clock: readClock}
	if err := l.lockFile(ctx, wait); err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.lock.Unlock())
	}
	return l, nil
}

// Peek returns what [Lease.Begin] would return for a holder that remembers
// nothing, without taking the lease and without writing anything. It returns
// nothing where no ledger can be read.
func Peek(folder, host, account string, atMost int) (ends []time.Time, held time.Time) {
	l := &Lease{path: fileName(folder, host, account) + ".json", clock: readClock}
	text, err := os.ReadFile(l.path)
	if err != nil || json.Unmarshal(text, &l.last) != nil {
		return nil, time.Time{}
	}
	return l.count(nil, atMost)
}

// fileName returns the path of an account's files, less what tells them apart.
func fileName(folder, host, account string) string {
	return filepath.Join(folder, url.QueryEscape(oneSpelling(host))+"_"+url.QueryEscape(account))
}

// oneSpelling returns the one name under which a host, with or without a port,
// has its allowance. This machine has many names, and all of them are localhost. The
// usual ports are none, whatever the scheme.
func oneSpelling(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), ""
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr = addr.Unmap(); addr.IsLoopback() {
			name = "localhost"
		} else {
			name = addr.String()
		}
	}
	if strings.HasSuffix(name, ".localhost") {
		name = "localhost"
	}
	if port == "" || port == "80" || port == "443" {
		return name
	}
	return net.JoinHostPort(name, port)
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

// taken returns ErrBusy, with the holder's name if the ledger tells it.
func (l *Lease) taken() error {
	var now ledger
	if text, err := os.ReadFile(l.path); err == nil && json.Unmarshal(text, &now) == nil && now.Taker != "" {
		return fmt.Errorf("%w: %s", ErrBusy, now.Taker)
	}
	return ErrBusy
}

// open reads what the last holder left. Nothing is sent yet, so all of it but
// the taker's name stays as it was.
func (l *Lease) open() error {
	text, err := os.ReadFile(l.path)
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
	root, err := os.OpenRoot(filepath.Dir(l.path))
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.Replace(root, filepath.Base(l.path), fileMode, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// Begin comes before the first request. It returns the times at which the
// requests of the last hour count, for [pace.Pacer.Prime], and until when nothing
// may be sent. own are the answers that the holder itself remembers, by the wall
// clock; those that the ledger has are not counted twice. atMost is the most that
// a window may allow. Where the last holder died, and is not the one that
// remembers, so many requests count as sent now: nobody knows better.
func (l *Lease) Begin(own []time.Time, atMost int) (ends []time.Time, held time.Time, err error) {
	ends, held = l.count(own, atMost)
	l.begun = true
	return ends, held, l.note(true, ends, held)
}

// count returns what [Lease.Begin] does, and changes nothing.
func (l *Lease) count(own []time.Time, atMost int) (ends []time.Time, held time.Time) {
	now := l.clock()
	ends, held = l.last.spent(now)
	if l.last.Open && (l.last.Holder != l.holder || len(own) == 0) {
		return append(ends, slices.Repeat([]time.Time{now.wall}, atMost)...), held
	}
	return append(ends, l.last.missing(own, now)...), held
}

// note writes the ledger of this holder.
func (l *Lease) note(open bool, ends []time.Time, held time.Time) error {
	now := l.clock()
	return l.write(ledger{Holder: l.holder, Open: open, Ends: ends, Held: held, At: now.before, Boot: now.boot, Up: now.up})
}

// Rename goes on under another holder's name, after [Lease.Begin]. ends and held
// are what [pace.Pacer.Spent] returns: the next holder counts them, also if this
// process dies.
func (l *Lease) Rename(holder string, ends []time.Time, held time.Time) error {
	l.holder = holder
	return l.note(true, ends, held)
}

// Return gives the lease back, once, and leaves the next holder what to count:
// what [pace.Pacer.Spent] returns. A lease under which nothing was begun leaves
// the ledger as it was.
func (l *Lease) Return(ends []time.Time, held time.Time) error {
	if !l.begun {
		return l.lock.Unlock()
	}
	return errors.Join(l.note(false, ends, held), l.lock.Unlock())
}

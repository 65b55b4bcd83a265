package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"siprotate/batch/account"
	"siprotate/batch/pace"
)

// An allowance is an account's pacer, and the lease that makes this process the
// only one on the machine to spend it.
type allowance struct {
	*pace.Pacer
	outage *outage
	lease  *account.Lease // nil: nobody else can spend it
	holder string
	most   int // that a window may allow
}

// allowance takes the account's lease.
func (r Rotation) allowance(ctx context.Context) (*allowance, error) {
	pacer, err := pace.New(r.Pace)
	if err != nil {
		return nil, err
	}
	a := &allowance{Pacer: pacer, outage: &outage{events: r.Events}, most: max(0, r.Pace.Rate.N)}
	if r.Pace.Learn {
		a.most = pace.MaxAdvertised
	}
	if r.Dir == "" {
		a.holder = unique("siprotate, listing users")
	} else if a.holder, err = filepath.Abs(r.Dir); err != nil {
		a.holder = r.Dir
	}
	if r.State == "" {
		return a, nil
	}
	take := func(wait bool) (err error) {
		a.lease, err = account.Take(ctx, r.State, r.Account.Host, r.Account.SID, a.holder, wait)
		return err
	}
	err = take(false)
	if r.Wait && errors.Is(err, account.ErrBusy) {
		r.Events(Waiting{err})
		err = take(true)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// unique makes the name of a holder one that no other process has had: a journal
// says what a run spent before it died, and nothing says that of a listing, so
// that its successor must not take it for itself.
func unique(holder string) string { return fmt.Sprintf("%s (%s)", holder, newRunID()) }

// prime counts what was sent before: by the last holder of the lease, and what
// the run's own journal knows.
func (a *allowance) prime(own []time.Time, held time.Time) error {
	if a.lease != nil {
		// Where nobody knows what the last holder sent, it may be as much as the API
		// will turn out to allow.
		ends, heldToo, err := a.lease.Begin(own, a.most)
		if err != nil {
			return err
		}
		a.Prime(nil, heldToo)
		own = ends
	}
	a.Prime(own, held)
	return nil
}

// aside renames the lease while ask sends requests that no journal records.
func aside[T any](a *allowance, ask func() (T, error)) (answer T, err error) {
	if a.lease == nil {
		return ask()
	}
	rename := func(holder string) error {
		ends, held := a.Spent()
		return a.lease.Rename(holder, ends, held)
	}
	if err := rename(unique(a.holder + ", looking up users")); err != nil {
		return answer, err
	}
	answer, err = ask()
	return answer, cmp.Or(err, rename(a.holder))
}

// close gives the lease back. Another call does nothing.
func (a *allowance) close() error {
	if a.lease == nil {
		return nil
	}
	l := a.lease
	a.lease = nil
	return l.Return(a.Spent())
}

package cli

import (
	"context"
	"errors"
	"path/filepath"
	"sort"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"siprotate/batch/account"
	"siprotate/batch/pace"
	"siprotate/report"
)

// An allowance is an account's pacer, and the lease that makes this process the
// only one on the machine to spend it. A run against the built-in stand-in has
// no lease.
type allowance struct {
	*pace.Pacer
	lease *account.Lease
}

// allowance takes the lease of the account for a holder, by the name that
// [runHolder] or [unique] gives.
func (a *app) allowance(ctx context.Context, acc endpoint, s settings, holder string, wait bool) (*allowance, error) {
	pacer, err := pace.New(s.pace)
	if err != nil {
		return nil, usage(err, "")
	}
	if acc.host() == sandboxHost {
		return &allowance{Pacer: pacer}, nil
	}
	folder := account.Folder(a.getenv)
	take := func(wait bool) (*account.Lease, error) {
		return account.Take(ctx, folder, acc.host(), acc.sid, holder, wait)
	}
	l, err := take(false)
	if errors.Is(err, account.ErrTaken) && wait {
		a.say("waiting: %v", err)
		l, err = take(true)
	}
	switch {
	case err == nil:
		return &allowance{pacer, l}, nil
	case errors.Is(err, account.ErrTaken):
		return nil, usage(err, "both would spend the same allowance; --wait waits until the other is done, and `siprotate report` on its run directory shows how far it is")
	case ctx.Err() != nil:
		return nil, interrupted(ctx)
	}
	return nil, usage(err, "name a folder that can be written with XDG_STATE_HOME; the account's lock and what was spent of its allowance are kept there")
}

// runHolder is what the holder of a lease is called that works on a run.
func runHolder(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		return absolute
	}
	return dir
}

// rename goes on under another name, with what was spent so far written down.
func (al *allowance) rename(holder string) error {
	if al.lease == nil {
		return nil
	}
	ends, held := al.Spent()
	return al.lease.Rename(holder, ends, held)
}

// prime counts what was sent before: by the last holder of the lease, and what
// the run's own journal knows.
func (al *allowance) prime(own []time.Time, held time.Time) error {
	if al.lease == nil {
		al.Prime(own, held)
		return nil
	}
	ends, heldToo, err := al.lease.Begin(own, max(0, al.State().Rate.N))
	if err != nil {
		return &exitError{exitFailure, err, "nothing was sent"}
	}
	al.Prime(ends, held)
	al.Prime(nil, heldToo)
	return nil
}

// done gives the lease back.
func (al *allowance) done() error {
	if al.lease == nil {
		return nil
	}
	l := al.lease
	al.lease = nil
	return l.Return(al.Spent())
}

// thousands writes numbers as people read them: 3,000.
var thousands = message.NewPrinter(language.English)

// count says how many things there are: "1 row", "3,000 rows".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return thousands.Sprintf("%d %s", n, thing)
}

// sayEstimate says how long so many rows will take at least, and how many of
// them fit into the window that was asked for.
func (a *app) sayEstimate(rows int, s settings, estimate func(int) time.Duration) {
	if s.pace.Rate.IsUnlimited() {
		return
	}
	took := estimate(rows)
	about := "about " + report.FormatDuration(took)
	if took < time.Minute {
		about = "less than a minute"
	}
	a.say("%s at %v: %s, until %s", count(rows, "row"), s.pace.Rate, about, time.Now().Add(took).Format("15:04"))
	window := s.config.StopAfter
	if window == 0 || took < window {
		return
	}
	fit := sort.Search(rows, func(n int) bool { return estimate(n+1) >= window })
	a.say("%s", thousands.Sprintf("%d of %d rows fit into %v", fit, rows, window)+"; the others stay for the next run")
}

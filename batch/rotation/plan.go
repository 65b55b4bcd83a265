package rotation

import (
	"errors"
	"sort"
	"time"

	"siprotate/batch/directory"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
)

// A Plan says what a run is about to do.
type Plan struct {
	Dir     string
	Account Account
	Resumed bool // an unfinished run goes on

	Rows     int // of the source
	Left     int // rows to be sent
	Provided int // sound rows whose password the source gives; 0 if Resumed
	Invalid  int // rows that are skipped; 0 if Resumed

	Listed  bool           // the account is listed first: the rows are not known yet
	Lookups directory.Cost // what finding devices by name takes, in a preview

	Rate   pace.Rate
	Takes  time.Duration // at least, from how the allowance stands; 0 if unlimited
	Window time.Duration // after which no row is taken up any more; 0: never
	Fit    int           // rows that fit into the window
}

func (r Rotation) planOf(c *checked) Plan {
	rows, sound := len(c.rows), c.sound()
	return Plan{
		Dir: r.Dir, Account: r.Account, Rows: rows, Left: sound, Provided: c.count(given), Invalid: rows - sound,
	}
}

// in fills in how long the plan takes, as estimate says of any number of rows.
func (p Plan) in(rate pace.Rate, window time.Duration, estimate func(rows int) time.Duration) Plan {
	p.Rate, p.Window, p.Fit = rate, window, p.Left
	if rate.IsUnlimited() {
		return p
	}
	p.Takes = estimate(p.Left)
	if window > 0 && p.Takes >= window {
		p.Fit = sort.Search(p.Left, func(n int) bool { return estimate(n+1) >= window })
	}
	return p
}

// Preview says what Run would do with the source, as far as that is known
// without a request. It checks the source, and sends and writes nothing.
func (r Rotation) Preview(src Source) (Plan, error) {
	r = r.complete()
	p, err := r.preview(src)
	return p.in(r.Pace.Rate, r.Engine.StopAfter, r.Pace.Rate.Estimate), err
}

func (r Rotation) preview(src Source) (Plan, error) {
	v, err := journal.Read(r.Dir, r.Vault)
	switch {
	case err == nil:
		defer v.Close()
		return r.mayResume(v, src)
	case !errors.Is(err, journal.ErrNoRun) && !errors.Is(err, journal.ErrUnplanned):
		return Plan{}, err
	}
	if _, ok := src.(listed); ok {
		return Plan{Dir: r.Dir, Account: r.Account, Listed: true}, nil
	}
	c, err := r.check(src)
	if err != nil {
		return Plan{}, err
	}
	p := r.planOf(c)
	p.Lookups = c.wanted.Cost()
	return p, nil
}

// Unfinished reports whether dir holds a run of the source and the account that
// ended before its last row's turn. One that came to its end and left rows without
// a verdict is none: where a device is gone, there will never be one.
func Unfinished(dir string, src Source, acc Account) (bool, error) {
	v, err := journal.Read(dir, nil)
	switch {
	case errors.Is(err, journal.ErrUnplanned), errors.Is(err, journal.ErrNoRun):
		return false, nil
	case err != nil:
		return false, err
	}
	defer v.Close()
	info := v.Info()
	digest, err := src.Digest()
	if err != nil || info.Vault == journal.Purged || digest != info.Digest || (Account{info.Account, info.Host}) != acc {
		return false, err
	}
	pending, _ := v.Pending(false)
	ended := !info.StoppedAt.IsZero() && info.Stopped == ""
	return pending > 0 && !ended, nil
}

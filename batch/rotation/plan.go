package rotation

import (
	"errors"
	"sort"
	"time"

	"siprotate/batch/account"
	"siprotate/batch/directory"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/report"
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
	Waves  []int         // rows of each wave, if there are several; 0 first: the run stands at a gate
}

func (r Rotation) planOf(c *checked) (Plan, error) {
	sound, given := c.count()
	column := report.FindColumn(c.source.Columns(), r.Waves.Apart)
	waves, err := r.Waves.schedule(nil, sound, func(yield func(waveRow, error) bool) {
		for row, err := range c.sound() {
			if !yield(waveRow{number: row.Number, value: extra(&row, column), pending: true}, err) {
				return
			}
		}
	}, 0, false)
	return Plan{
		Dir: r.Dir, Account: r.Account, Rows: len(c.rows), Left: sound, Provided: given, Invalid: len(c.rows) - sound,
		Waves: waves.sizes(),
	}, err
}

// schedule fills in how long the plan takes as the allowance stands.
func (r Rotation) schedule(p Plan, allowance *pace.Pacer) Plan {
	p.Rate, p.Window, p.Fit = allowance.State().Rate, r.Engine.StopAfter, p.Left
	if p.Rate.IsUnlimited() {
		return p
	}
	p.Takes = allowance.Estimate(p.Left)
	if p.Window > 0 && p.Takes >= p.Window {
		p.Fit = sort.Search(p.Left, func(n int) bool { return allowance.Estimate(n+1) >= p.Window })
	}
	return p
}

// Preview says what Run would do with the source, as far as that is known
// without a request. It checks the source, and sends and writes nothing.
func (r Rotation) Preview(src Source) (Plan, error) {
	r = r.complete()
	return r.asItStands(r.preview(src))
}

// PreviewResume says what Resume would do.
func (r Rotation) PreviewResume() (Plan, error) {
	r = r.complete()
	v, err := journal.Read(r.Dir, nil)
	if err != nil {
		return Plan{}, err
	}
	defer v.Close()
	return r.asItStands(r.left(v))
}

// asItStands fills in how long the plan takes as the allowance stands, without
// taking it, or passes the error on.
func (r Rotation) asItStands(p Plan, err error) (Plan, error) {
	if err != nil {
		return Plan{}, err
	}
	pacer, err := pace.New(r.Pace)
	if err != nil {
		return Plan{}, err
	}
	if r.State != "" {
		pacer.Prime(account.Peek(r.State, r.Account.Host, r.Account.SID, max(0, r.Pace.Rate.N)))
	}
	return r.schedule(p, pacer), nil
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
	if _, ok := src.(*Everybody); ok {
		return Plan{Dir: r.Dir, Account: r.Account, Listed: true}, r.mayBegin(src)
	}
	c, err := r.check(src)
	if err != nil {
		return Plan{}, err
	}
	if err := r.mayBegin(src); err != nil {
		return Plan{}, err
	}
	p, err := r.planOf(c)
	if err != nil {
		return Plan{}, err
	}
	p.Lookups = c.wanted.Cost()
	if rows := c.nameless(); rows > 0 && r.Proofs.Prover != nil {
		r.Events(Nameless{rows})
	}
	return p, nil
}

// Holds reports whether dir holds a run of the source and the account, and whether
// that run is unfinished: it ended before its last row's turn. One that came to its
// end and left rows without a verdict is not: where a device is gone, there will
// never be one.
func Holds(dir string, src Source, acc Account) (holds, unfinished bool, err error) {
	v, err := journal.Read(dir, nil)
	switch {
	case errors.Is(err, journal.ErrUnplanned), errors.Is(err, journal.ErrNoRun):
		return false, false, nil
	case err != nil:
		return false, false, err
	}
	defer v.Close()
	info := v.Info()
	digest, err := src.Digest()
	if err != nil || info.Vault == journal.Purged || digest != info.Digest || (Account{info.Account, info.Host}) != acc {
		return false, false, err
	}
	pending, _ := v.Pending(false)
	ended := !info.StoppedAt.IsZero() && info.Stopped == ""
	return true, pending > 0 && !ended, nil
}

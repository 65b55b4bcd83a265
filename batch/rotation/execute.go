package rotation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/report"
)

// execute sends what is pending of a run, and ends it. It closes the journal.
func (r Rotation) execute(ctx context.Context, a *allowance, j *journal.Journal) (report.Digest, error) {
	defer j.Close()
	if _, closed := j.Gates(); closed && len(r.Waves.Sizes) == 0 {
		return report.Digest{}, fmt.Errorf("%s: %w", r.Dir, ErrGateClosed)
	}
	if err := j.Begin(r.Tool, r.Engine.RetryFailed); err != nil {
		return report.Digest{}, r.broken(j, err)
	}
	waves, err := r.waves(&j.View)
	if err != nil {
		return report.Digest{}, r.broken(j, err)
	}
	r.warnOfRenewals(waves.rows)
	total := j.Info().Rows
	proofs, err := r.prove(ctx, j)
	if err != nil {
		return report.Digest{}, r.broken(j, err)
	}
	var done, failed atomic.Int64
	canaries := int64(0) // rotated before any row was not
	c := r.Engine
	c.Pacer = a.Pacer
	c.Redraw = r.password
	c.Observe = func(row batch.Row, result batch.Result) {
		all := done.Add(1)
		switch result.Outcome {
		case batch.Rotated:
			if all == canaries+1 {
				canaries++
			}
		case batch.Failed, batch.Unknown:
			failed.Add(1)
		}
		if proofs != nil && result.Outcome.MayBeInForce() {
			proofs.add(row, result)
		}
	}
	c.Gates, c.Gate = waves.gates, func(ctx context.Context, sent int) error {
		return r.gate(ctx, j, proofs, waves.settled+sent, sent == 0)
	}
	r.Events(Working{func() Progress {
		return Progress{Total: total, Done: total - waves.count + int(done.Load()), Failed: int(failed.Load()), Allowance: a.Pacer}
	}})
	stopped := batch.Run(ctx, c, r.renew(j, waves.rows), setter{r.Client, a.outage}, j)
	if proofs != nil {
		proofs.finish()
	}
	if canaries < int64(c.Canary) {
		c.Canary = 0
	}
	return r.finish(a, j, c.Canary, stopped)
}

// prove begins to prove passwords, if that is wanted: with the negative control,
// and with the rows of earlier sessions that are not proved yet.
func (r Rotation) prove(ctx context.Context, j *journal.Journal) (*proving, error) {
	if r.Proofs.Prover == nil {
		return nil, nil
	}
	p := r.newProving(j, j.Info().Rows)
	nameless, controlled := 0, false
	var unsent *batch.Entry // the first one that has a name
	for entry, err := range j.Entries() {
		if err != nil {
			return nil, err
		}
		row, result := entry.Row, entry.Result
		p.remember(&entry)
		controlled = controlled || result.Proof.Verdict != "" // the registrar tells passwords apart
		if result.Outcome == batch.Rotated && result.Proof.Verdict == "" {
			p.add(row, result)
		}
		switch {
		case row.SIPID == "" && result.Outcome != batch.Invalid:
			nameless++
		case row.SIPID != "" && result.Outcome == batch.NotAttempted && result.Attempts.Count == 0 && unsent == nil:
			unsent = &entry
		}
	}
	if nameless > 0 {
		r.Events(Nameless{nameless})
	}
	if unsent != nil && !controlled {
		p.control(ctx, unsent)
	}
	p.start(ctx)
	return p, nil
}

// broken ends a session that sent nothing, since err came first. Earlier sessions
// may have put passwords in force.
func (r Rotation) broken(j *journal.Journal, err error) error {
	if lost := r.rescue(j, errors.Join(err, j.Look())); lost != nil {
		err = lost
	}
	return &RunError{r.Dir, err}
}

// finish ends a session in which so many rows went first and were all rotated. The
// reports come first, since nothing that whoever hears events does may keep them
// from being written.
func (r Rotation) finish(a *allowance, j *journal.Journal, canary int, stopped error) (report.Digest, error) {
	var stop *batch.Stop
	totals := journal.Totals{Waited: a.State().Waited}
	if errors.As(stopped, &stop) {
		totals.Stopped = stop.Error()
	}
	writing := j.Stop(totals)
	if lost := r.rescue(j, errors.Join(stopped, writing)); lost != nil {
		return report.Digest{}, &RunError{r.Dir, errors.Join(lost, a.close())}
	}
	digest, reporting := r.render(&j.View, report.Owner, canary)
	if lost := r.rescue(j, j.Look()); lost != nil { // while the reports were written
		return report.Digest{}, &RunError{r.Dir, errors.Join(lost, a.close())}
	}
	closing := errors.Join(j.Close(), a.close())
	r.Events(Rested{})
	if stopped == nil && (digest.Summary.Rotated < digest.Summary.Rows || digest.Summary.Refused > 0) {
		stopped = ErrIncomplete
	}
	if err := errors.Join(writing, reporting, closing); err != nil {
		stopped = errors.Join(err, stopped)
	}
	if stopped != nil {
		return digest, &RunError{r.Dir, stopped}
	}
	return digest, nil
}

// A LostError says that the journal of a run was lost while it worked: somebody
// removed, moved or changed the run directory. Nothing was sent from then on.
type LostError struct {
	Err    error
	Rescue string // the file with the passwords in force; empty if there are none, or it could not be written
	Failed error  // why it could not be written
}

func (e *LostError) Error() string {
	switch {
	case e.Failed != nil && e.Rescue != "":
		return fmt.Sprintf("%v; of the passwords in force, what could be rescued stands in %s: %v", e.Err, e.Rescue, e.Failed)
	case e.Failed != nil:
		return fmt.Sprintf("%v; the passwords in force could not be rescued: %v", e.Err, e.Failed)
	case e.Rescue == "":
		return fmt.Sprintf("%v; no password of this run is in force", e.Err)
	}
	return fmt.Sprintf("%v; the passwords in force stand in %s", e.Err, e.Rescue)
}

func (e *LostError) Unwrap() error { return e.Err }

// rescue writes the passwords in force to another file where the journal was
// lost; nil if it was not.
func (r Rotation) rescue(j *journal.Journal, stopped error) error {
	var lost *journal.LostError
	if !errors.As(stopped, &lost) {
		return nil
	}
	path, err := j.Rescue(r.State)
	j.Close() // what it says of the lost file is known
	r.Events(Rested{})
	return &LostError{lost, path, err}
}

// A RunError is why a run that had begun did not rotate every row: a
// [*batch.Stop], [ErrIncomplete], or what kept it from being recorded. Unless it
// is a [*LostError], nothing that was sent is lost: it can be resumed.
type RunError struct {
	Dir string // of the run
	Err error
}

func (e *RunError) Error() string { return e.Err.Error() }
func (e *RunError) Unwrap() error { return e.Err }

// Report renders the reports of the run in Dir from its journal, also of one
// that another process is at work on, or that died. With a nil Vault no password is
// opened, and the reports that hold passwords are left out.
func (r Rotation) Report() (report.Digest, error) {
	vault := r.Vault
	r = r.complete()
	v, err := journal.Read(r.Dir, vault)
	if err != nil {
		return report.Digest{}, err
	}
	defer v.Close()
	r.Formats = formatsFor(vault, r.Formats)
	return r.render(v, report.Reader, 0)
}

// render renders the reports of a run into its directory.
func (r Rotation) render(v *journal.View, role report.Role, canary int) (report.Digest, error) {
	digest, err := report.Write(v.Root(), role, func() (report.Run, iter.Seq2[batch.Entry, error], error) {
		if role == report.Reader {
			if err := v.Current(); err != nil { // a purge must not be undone
				return report.Run{}, nil, err
			}
		}
		run := r.describe(v)
		run.Canary = canary
		return run, v.Entries(), nil
	}, r.Formats...)
	if _, sealed := r.Vault.(sealer); sealed {
		digest.Formulas = 0 // what it warns of is in no CSV that could be imported as it is
	}
	return digest, err
}

// describe tells the views about the run as a whole.
func (r Rotation) describe(v *journal.View) report.Run {
	info := v.Info()
	return report.Run{
		ID: info.Run, Version: info.Tool, Account: info.Account, Host: info.Host,
		Length: v.Length(), Dir: v.Dir(), Input: info.Input, InputDigest: info.Digest, Columns: info.Columns, By: r.By, BOM: r.BOM,
		StartedAt: info.StartedAt, FinishedAt: info.StoppedAt, Live: v.Live(), Took: info.Worked,
		Requests: info.Requests, Throttled: info.Throttled, Traffic: info.Traffic, Waited: info.Waited, Stopped: info.Stopped,
		Allowance: r.allowed(),
	}
}

// allowed returns how many requests a minute the rotation may send; 0 if that is
// not bounded.
func (r Rotation) allowed() float64 {
	rate := r.Pace.Rate
	if rate.IsUnlimited() {
		return 0
	}
	return float64(rate.N) * float64(time.Minute) / float64(rate.Per)
}

// Render writes the run in Dir to w in one format, also one that another process is
// at work on, or that died. The view gets the rows with one of the outcomes only, or
// all if none is named; all rows are counted. Nothing is written into the run
// directory. With a nil Vault no password is opened.
func (r Rotation) Render(w io.Writer, format report.Format, only ...batch.Outcome) (report.Digest, error) {
	v, err := journal.Read(r.Dir, r.Vault)
	if err != nil {
		return report.Digest{}, err
	}
	defer v.Close()
	run := r.complete().describe(v)
	run.Only = only
	return report.Render(w, run, v.Entries(), format)
}

// reported reports whether the reports in a run directory are those of its
// journal: a crash may have come between the two.
func reported(v *journal.View, formats []report.Format) bool {
	log, err := v.Root().Stat(journal.Name)
	if err != nil {
		return false
	}
	for _, format := range formats {
		view, err := v.Root().Stat(format.File)
		if err != nil || view.ModTime().Before(log.ModTime()) {
			return false
		}
	}
	return true
}

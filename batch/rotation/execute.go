package rotation

import (
	"context"
	"errors"
	"fmt"
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
	if err := j.Begin(r.Tool, r.Engine.RetryFailed); err != nil {
		return report.Digest{}, &RunError{r.Dir, err}
	}
	pending, rows := j.Pending(r.Engine.RetryFailed)
	r.warnOfRenewals(rows)
	var done, failed atomic.Int64
	c := r.Engine
	c.Pacer = a.Pacer
	c.Redraw = func() (batch.Secret, error) {
		password, err := r.Generate()
		return batch.NewSecret(password), err
	}
	c.Observe = func(result batch.Result) {
		done.Add(1)
		if result.Outcome != batch.Rotated {
			failed.Add(1)
		}
	}
	total := j.Info().Rows
	r.Events(Working{func() Progress {
		return Progress{Total: total, Done: total - pending + int(done.Load()), Failed: int(failed.Load()), Allowance: a.Pacer}
	}})
	stopped := batch.Run(ctx, c, r.renew(j, rows), setter{r.Client}, j)
	return r.finish(a, j, stopped)
}

// finish ends a session. The reports come first, since nothing that whoever
// hears events does may keep them from being written.
func (r Rotation) finish(a *allowance, j *journal.Journal, stopped error) (report.Digest, error) {
	var stop *batch.Stop
	totals := journal.Totals{Waited: a.State().Waited}
	if errors.As(stopped, &stop) {
		totals.Stopped = stop.Error()
	}
	if lost := r.rescue(j, stopped); lost != nil {
		return report.Digest{}, &RunError{r.Dir, errors.Join(lost, a.close())}
	}
	writing := j.Stop(totals)
	digest, reporting := write(&j.View, report.Owner, r.Formats)
	closing := errors.Join(j.Close(), a.close())
	r.Events(Rested{})
	if stopped == nil && digest.Summary.Rotated < digest.Summary.Rows {
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
	Rescue string // the file with the passwords in force; empty if none was sent, or it could not be written
	Failed error  // why it could not be written
}

func (e *LostError) Error() string {
	switch {
	case e.Failed != nil:
		return fmt.Sprintf("%v; the passwords in force could not be rescued: %v", e.Err, e.Failed)
	case e.Rescue == "":
		return fmt.Sprintf("%v; no password was sent", e.Err)
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
// [*batch.Stop], [ErrIncomplete], or what kept it from being recorded. Nothing
// that was sent is lost: it can be resumed.
type RunError struct {
	Dir string // of the run
	Err error
}

func (e *RunError) Error() string { return e.Err.Error() }
func (e *RunError) Unwrap() error { return e.Err }

// Report renders the reports of the run in dir from its journal, also of one
// that another process is at work on, or that died. Without a vault no password is
// opened, and those that write passwords are left out.
func Report(dir string, vault journal.Vault, formats []report.Format) (report.Digest, error) {
	v, err := journal.Read(dir, vault)
	if err != nil {
		return report.Digest{}, err
	}
	defer v.Close()
	return write(v, report.Reader, formatsFor(vault, formats))
}

// write renders the reports of a run into its directory.
func write(v *journal.View, role report.Role, formats []report.Format) (report.Digest, error) {
	return report.Write(v.Root(), role, func() (report.Run, iter.Seq2[batch.Entry, error], error) {
		if role == report.Reader {
			if err := v.Current(); err != nil { // a purge must not be undone
				return report.Run{}, nil, err
			}
		}
		info := v.Info()
		return report.Run{
			ID: info.Run, Version: info.Tool, Account: info.Account, Host: info.Host,
			Length: v.Length(), Dir: v.Dir(), Input: info.Input, InputDigest: info.Digest, Columns: info.Columns,
			StartedAt: info.StartedAt, FinishedAt: info.StoppedAt, Took: took(info),
			Requests: info.Requests, Throttled: info.Throttled, Waited: info.Waited, Stopped: info.Stopped,
		}, v.Entries(), nil
	}, formats...)
}

func took(info journal.Info) time.Duration {
	if info.StartedAt.IsZero() || info.StoppedAt.IsZero() {
		return 0
	}
	return max(0, info.StoppedAt.Sub(info.StartedAt))
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

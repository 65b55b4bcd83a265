package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/report"
)

const (
	followEvery  = time.Second
	followLatest = 3 // failures that it tells of at once
)

var errDied = errors.New("the run died")

// follow shows a run of another process until it ends, and ends as it did.
func (a *app) follow(ctx context.Context, r rotation.Rotation) error {
	f := &follower{told: map[int]bool{}}
	if err := f.look(r); err != nil {
		return err
	}
	if f.live {
		a.watch(func() report.Status { return *f.status.Load() })
		defer a.rest()
	}
	for f.live {
		a.tellFailures(f)
		select {
		case <-ctx.Done():
			return batch.InterruptedBy(ctx)
		case <-time.After(max(followEvery, 10*f.took)):
		}
		if err := f.look(r); err != nil {
			return err
		}
	}
	a.rest()
	a.sayClosing(f.digest, a.nextCommand(r.Dir, f.digest.Summary))
	return f.ended(r.Dir)
}

// A follower is what was seen of a run, as a [report.View] of it.
type follower struct {
	live   bool
	digest report.Digest
	took   time.Duration // the latest look
	status atomic.Pointer[report.Status]
	failed []string // since the look before
	told   map[int]bool
	done   int
}

func (f *follower) look(r rotation.Rotation) error {
	began := time.Now()
	v, err := journal.Read(r.Dir, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	f.live = v.Live() // before the rows: a run that ended since is seen once more
	f.failed, f.done = nil, 0
	f.digest, err = r.Render(io.Discard, report.Format{Name: "progress", New: func(io.Writer) report.View { return f }})
	if err != nil {
		return err
	}
	pacer, err := pacerOf(r.Pace, v)
	if err != nil {
		return err
	}
	s := f.digest.Summary
	shown := status(rotation.Progress{Total: s.Rows, Done: f.done, Failed: f.done - s.Rotated, Allowance: pacer}, f.digest.Run.Took)
	shown.Requests = s.Requests
	if shown.Allowance == 0 && s.Requests > 0 {
		shown.ETA = time.Duration(float64(s.Rows-f.done) / float64(s.Requests) * float64(shown.Took))
	}
	f.status.Store(&shown)
	f.took = time.Since(began)
	return nil
}

// pacerOf returns a pacer that stands as the run's, as far as its journal tells.
func pacerOf(o pace.Options, v *journal.View) (*pace.Pacer, error) {
	if o.Rate == (pace.Rate{}) {
		o.Rate = rotation.DefaultRate
		for _, m := range v.Info().Traffic { // the API may have said that it allows more
			o.Rate.N = max(o.Rate.N, m.First+m.Again)
		}
	}
	p, err := pace.New(o)
	if err == nil {
		p.Prime(v.Recent(), v.Held())
	}
	return p, err
}

func (f *follower) Begin(report.Run) error { return nil }

// Entry counts a row. Of a live run a row that is under way is unknown, too.
func (f *follower) Entry(e *report.Entry) error {
	outcome := e.Result.Outcome
	if outcome != batch.NotAttempted && outcome != batch.Unknown {
		f.done++
	}
	if outcome == batch.Failed && !f.told[e.Row.Number] {
		f.told[e.Row.Number] = true
		code, why := e.Why()
		f.failed = append(f.failed, strings.Join(strings.Fields("row "+number(e.Row.Number)+" failed: "+code+" "+why), " "))
	}
	return nil
}

func (f *follower) End(report.Digest) error { return nil }

// tellFailures says which rows failed of late, the last ones if they are many.
func (a *app) tellFailures(f *follower) {
	if more := len(f.failed) - followLatest; more > 0 {
		a.say("%s failed before these:", count(more, "row"))
		f.failed = f.failed[more:]
	}
	for _, line := range f.failed {
		a.say("%s", line)
	}
}

func (f *follower) ended(dir string) error {
	run, s := f.digest.Run, f.digest.Summary
	switch {
	case run.FinishedAt.IsZero():
		return &rotation.RunError{Dir: dir, Err: errDied}
	case run.Stopped != "":
		return &rotation.RunError{Dir: dir, Err: stopOf(run.Stopped)}
	case s.Rotated < s.Rows:
		return &rotation.RunError{Dir: dir, Err: rotation.ErrIncomplete}
	}
	return nil
}

// stopOf returns the stop of these words.
func stopOf(text string) *batch.Stop {
	reason, by, interrupted := strings.Cut(text, " by ")
	if interrupted && reason == string(batch.Interrupted) {
		for signal, name := range signalNames {
			if name == by {
				return &batch.Stop{Reason: batch.Interrupted, Err: &signalError{signal}}
			}
		}
	}
	reason, why, found := strings.Cut(text, ": ")
	stop := &batch.Stop{Reason: batch.StopReason(reason)}
	if found {
		stop.Err = errors.New(why)
	}
	return stop
}

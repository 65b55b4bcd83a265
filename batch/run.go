package batch

import (
	"context"
	"errors"
	"iter"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Run sends the rows. When ctx is cancelled, or a rule stops the run, requests
// under way are finished and no row is taken up any more; rows that Run did not
// come to have no Result. The error is then a [*Stop]. It is nil when every row
// has a verdict or has used up its tries.
//
// A rule lets the rows that were taken up have all their tries; a cancelled
// ctx, a fatal error and an error of the log do not.
func Run(ctx context.Context, c Config, rows iter.Seq2[Row, error], set Setter, log Log) error {
	r := newRun(ctx, c, set, log)
	defer r.stop(nil)
	if c.StopAfter > 0 {
		window := time.AfterFunc(c.StopAfter, func() { r.drain(&Stop{Reason: WindowOver}) })
		defer window.Stop()
	}

	jobs, ends := make(chan Row), make(chan end, c.Workers)
	var pool sync.WaitGroup
	pool.Go(func() {
		defer close(jobs)
		if err := r.feed(rows, jobs); err != nil {
			r.stop(&Stop{Broken, err})
		}
	})
	for range c.Workers {
		pool.Go(func() {
			for row := range jobs {
				ends <- r.settle(row)
			}
		})
	}
	go func() {
		pool.Wait()
		close(ends)
	}()
	for e := range ends {
		r.take(e)
	}
	return r.verdict()
}

// A run is the state of one Run.
type run struct {
	Config
	log   Log
	retry Setter

	sending context.Context // done: nothing is sent any more
	stop    context.CancelCauseFunc
	taking  context.Context // done: no row is taken up any more
	drain   context.CancelCauseFunc

	rules    rules
	canaries chan struct{} // closed once the canary rows are through
	left     atomic.Bool   // a row was left without a verdict
}

func newRun(ctx context.Context, c Config, set Setter, log Log) *run {
	r := &run{Config: c, log: log, rules: newRules(c), canaries: make(chan struct{})}
	r.sending, r.stop = context.WithCancelCause(ctx)
	r.taking, r.drain = context.WithCancelCause(r.sending)
	r.retry = &retry{next: set, log: log, config: c, taking: r.taking}
	return r
}

// feed hands the rows to the workers: first the canaries, and the others once
// those are through.
func (r *run) feed(rows iter.Seq2[Row, error], jobs chan<- Row) error {
	fed := 0
	for row, err := range rows {
		if err != nil {
			return err
		}
		if r.Canary > 0 && fed == r.Canary {
			select {
			case <-r.canaries:
			case <-r.taking.Done():
			}
		}
		if r.taking.Err() == nil {
			select {
			case jobs <- row:
				fed++
				continue
			case <-r.taking.Done():
			}
		}
		r.left.Store(true)
		return nil
	}
	return nil
}

// An end is what a worker has to say of a row.
type end struct {
	result Result
	sent   bool  // there is a result: a request for the row left in this run
	err    error // what the row's last try ended with
}

// settle sends a row until it has a verdict or may not be sent any more.
func (r *run) settle(row Row) (e end) {
	before := row.Attempts.Count
	var receipt Receipt
	defer func() {
		if thrown := recover(); thrown != nil {
			e.err = panicked(thrown)
			row.Attempts.Doubt = true
			r.Logger.Error("internal error", "row", row.Number, "err", e.err, "stack", string(debug.Stack()))
		}
		e.sent = row.Attempts.Count > before
		e.result = judge(&row, receipt, e.err)
	}()
	receipt, e.err = r.retry.SetPassword(r.sending, &row)
	r.stopFor(e.err)
	return e
}

// stopFor stops the run for an error under which no row can be sent. The
// worker that met it calls this, before another one sends in vain.
func (r *run) stopFor(err error) {
	var broken *brokenError
	switch {
	case errors.As(err, &broken):
		r.stop(&Stop{Broken, broken.err})
	case err != nil && IsFatal(err):
		r.stop(&Stop{Refused, err})
	}
}

// take enters what a worker has to say. It is called by one goroutine.
func (r *run) take(e end) {
	if !e.sent || e.result.Outcome == NotAttempted || e.result.Outcome == Unknown && r.sending.Err() != nil {
		r.left.Store(true)
	}
	if !e.sent {
		return
	}
	if err := r.log.Finish(e.result); err != nil {
		r.stop(&Stop{Broken, err})
		return
	}
	r.Observe(e.result)
	if reason := r.rules.add(e.result.Outcome); reason != Done {
		r.drain(&Stop{Reason: reason})
	}
	if r.rules.finished == r.Canary {
		close(r.canaries)
	}
}

// verdict says why the run stopped, if it stopped before its last row.
func (r *run) verdict() error {
	cause := context.Cause(r.sending)
	if cause == nil {
		cause = context.Cause(r.taking)
	}
	stop := &Stop{Reason: Interrupted}
	errors.As(cause, &stop)
	if cause == nil || !r.left.Load() && stop.Reason != Broken {
		return nil
	}
	return stop
}

// judge says how a row stands after its last try.
func judge(row *Row, receipt Receipt, err error) Result {
	result := Result{Row: row.Number, Attempts: row.Attempts, Receipt: receipt, Finished: time.Now()}
	switch {
	case err == nil:
		result.Outcome = Rotated
	case row.Attempts.Doubt:
		result.Outcome, result.Note = Unknown, note(err)
	case IsRefusal(err):
		result.Outcome = Failed
	default:
		result.Outcome, result.Note = NotAttempted, note(err)
	}
	return result
}

// note says in few words why a row has no verdict.
func note(err error) string {
	var brief interface{ Reason() string }
	switch {
	case IsRefusal(err):
		return "an earlier request for the row had no verdict, so this refusal settles nothing"
	case errors.As(err, &brief) && brief.Reason() != "":
		return brief.Reason()
	}
	return err.Error()
}

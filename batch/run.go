package batch

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run sends the rows. When ctx is cancelled, or a rule stops the run, requests
// under way are finished and no row is taken up any more; rows that Run did not
// come to have no Result. The error is then a [*Stop]. It is nil when every row
// has a verdict or has used up its attempts, and wraps [ErrConfig] when Run
// could not begin.
//
// A rule lets the rows that were taken up have all their attempts; a cancelled
// ctx, a fatal error and an error of the log do not.
func Run(ctx context.Context, c Config, rows iter.Seq2[Row, error], set Setter, log Log) error {
	c, err := c.complete(set, log)
	if err != nil {
		return err
	}
	r := newRun(ctx, c, set, log)
	defer r.drain(nil)
	if c.StopAfter > 0 {
		window := time.AfterFunc(c.StopAfter, func() { r.drain(&Stop{Reason: WindowOver}) })
		defer window.Stop()
	}
	jobs := make(chan Row)
	r.pool.Go(func() error {
		defer close(jobs)
		return r.feed(rows, jobs)
	})
	for range c.Workers {
		r.pool.Go(func() error {
			for row := range jobs {
				if err := r.settle(row); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return r.verdict(r.pool.Wait())
}

// A run is the state of one Run.
type run struct {
	Config
	set Setter
	log Log

	caller  context.Context // Run's
	pool    *errgroup.Group
	sending context.Context // the pool's: done once nothing is sent any more
	taking  context.Context // done: no row is taken up any more
	drain   context.CancelCauseFunc

	mu      sync.Mutex // guards what follows, and keeps results in order
	rules   stopRules
	awaited int           // so many rows have to be done with ...
	reached chan struct{} // ... for this to be closed
	stopped error         // why taking was over when a row was left without a verdict
}

func newRun(ctx context.Context, c Config, set Setter, log Log) *run {
	r := &run{Config: c, set: set, log: log, rules: stopRules{canary: c.Canary, threshold: c.MaxFailures}, caller: ctx}
	r.pool, r.sending = errgroup.WithContext(ctx)
	r.taking, r.drain = context.WithCancelCause(r.sending)
	return r
}

// feed hands the rows to the workers: first the canaries, and the others once
// those are through, and once each gate is. A row with faults goes nowhere.
func (r *run) feed(rows iter.Seq2[Row, error], jobs chan<- Row) error {
	fed := 0
	for row, err := range rows {
		switch {
		case err != nil:
			return &Stop{Broken, err}
		case len(row.Faults) > 0:
			continue
		}
		if r.Canary > 0 && fed == r.Canary {
			r.await(fed)
		}
		for len(r.Gates) > 0 && r.Gates[0] <= fed {
			r.pass(fed)
		}
		if !r.hand(row, jobs) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.leave()
			return nil
		}
		fed++
	}
	return nil
}

// await returns once so many rows are done with, or no row is taken up any more.
func (r *run) await(rows int) {
	r.mu.Lock()
	r.awaited, r.reached = rows, make(chan struct{})
	if r.rules.finished >= rows {
		close(r.reached)
	}
	r.mu.Unlock()
	select {
	case <-r.reached:
	case <-r.taking.Done():
	}
}

// pass asks at the next gate.
func (r *run) pass(fed int) {
	r.Gates = r.Gates[1:]
	r.await(fed)
	if r.taking.Err() != nil {
		return
	}
	if err := r.Gate(r.taking, fed); err != nil && r.taking.Err() == nil {
		r.drain(&Stop{GateClosed, err})
	}
}

// hand gives a row to a worker, and reports whether one took it.
func (r *run) hand(row Row, jobs chan<- Row) bool {
	if r.taking.Err() != nil {
		return false
	}
	select {
	case jobs <- row:
		return true
	case <-r.taking.Done():
		return false
	}
}

// leave notes that a row is left without a verdict. The caller holds mu.
func (r *run) leave() {
	switch {
	case r.caller.Err() != nil: // whatever else has stopped the run
		r.stopped = context.Cause(r.caller)
	case r.stopped == nil:
		r.stopped = context.Cause(r.taking)
	}
}

// settle sends a row until it has a verdict or may not be sent any more, and
// enters its result. Its error, a *Stop, ends the run.
func (r *run) settle(row Row) error {
	before := row.Attempts.Count
	receipt, err := r.attempts(&row)
	stop := stopFor(err)
	if row.Attempts.Count == before && errors.As(err, new(*panicError)) {
		stop = &Stop{Broken, err} // not a fault of the row's
	}
	if stop != nil {
		r.drain(stop) // before the result is written, so that no worker sends in vain
	}
	if row.Attempts.Count > before {
		return cmp.Or(stop, r.finish(row, classify(&row, receipt, err)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave()
	return stop
}

// stopFor returns the Stop for an error under which no row can be sent, and nil
// for any other.
func stopFor(err error) error {
	var stop *Stop
	switch {
	case errors.As(err, &stop):
		return stop
	case err != nil && IsFatal(err):
		return &Stop{Refused, err}
	}
	return nil
}

// finish enters the result of a row that was sent.
func (r *run) finish(row Row, result Result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if result.Outcome == NotAttempted || result.Outcome == Unknown && r.sending.Err() != nil {
		r.leave()
	}
	if err := r.log.Finish(result); err != nil {
		return &Stop{Broken, err}
	}
	r.Observe(row, result)
	if reason := r.rules.add(result.Outcome); reason != "" {
		r.drain(&Stop{Reason: reason})
	}
	if r.rules.finished == r.awaited && r.reached != nil {
		close(r.reached)
	}
	return nil
}

// verdict says why the run stopped, if it stopped before its last row. err is
// the pool's.
func (r *run) verdict(err error) error {
	switch {
	case err != nil:
		return err
	case r.stopped == nil:
		return nil
	}
	if stop, ok := errors.AsType[*Stop](r.stopped); ok {
		return stop
	}
	return &Stop{Interrupted, r.stopped}
}

// classify says how a row stands after its last attempt.
func classify(row *Row, receipt Receipt, err error) Result {
	result := Result{Row: row.Number, Attempts: row.Attempts, Receipt: receipt, Finished: time.Now()}
	switch {
	case err == nil:
		result.Outcome = Rotated
	case row.Attempts.Doubt != "":
		result.Outcome, result.Note = Unknown, row.Attempts.Doubt
	case IsRefusal(err):
		result.Outcome = Failed
	default:
		result.Outcome, result.Note = NotAttempted, note(err)
	}
	return result
}

// Package batch is the engine: it takes rows, has each password set through a
// [Setter] by a pool of workers within an allowance, retries what may succeed,
// and ends with one [Result] a row. It applies the rules that stop a run, and
// records in a [Log] before it acts.
//
// It knows no vendor, no file format and no flag. What an error of a Setter
// means is told by the error's own methods, each of them optional:
//
//	Ambiguous() bool        the request may have taken effect; without this method, it may
//	Retryable() bool        another attempt for the same row may succeed
//	Throttled() bool        turned away for exceeding the allowance: it does not count as an attempt
//	Fatal() bool            no row can succeed until somebody acts
//	RefusesPassword() bool  the API will never take this password, but may take another
//	Reason() string         in few words why there is no verdict
//
// An unambiguous error that has none of the others is a definite refusal of
// the row: the old password stands.
package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"siprotate/batch/pace"
)

// A Setter gives a device its row's password with one request. A nil error
// means that the API confirmed it. The Receipt holds what the API said, also
// along with an error. The end of ctx is the end of the request's time. Safe for
// concurrent use.
type Setter interface {
	SetPassword(ctx context.Context, row Row) (Receipt, error)
}

// A Log keeps what happens. Its methods return once the record outlives the
// process; an error stops the run. Safe for concurrent use.
type Log interface {
	// Sending comes before each request; row.Attempts counts the request.
	Sending(row *Row, at time.Time) error
	// Reissue comes before the first request with another password for the row.
	Reissue(row *Row) error
	// Tried comes after a request when another for the same row shall follow.
	Tried(Result) error
	// Finish comes when the row is done with.
	Finish(Result) error
}

// A Config says how to run. Pacer is required, and so is Redraw where rows have
// generated passwords; the zero value of everything else has a meaning.
type Config struct {
	Pacer       *pace.Pacer            // the allowance
	Workers     int                    // requests under way at once; 0: as many as spend a free allowance at once, up to [MaxAutoWorkers]
	Timeout     time.Duration          // for one request; 0: DefaultTimeout
	MaxAttempts int                    // for one row in this run; 0: DefaultAttempts
	Canary      int                    // so many rows go first, alone; 0: none
	Gates       []int                  // after so many rows of this run, in ascending order, Gate is asked
	MaxFailures Threshold              // the zero value: ten in a row
	StopAfter   time.Duration          // 0: never
	RetryFailed bool                   // rows that failed before are among the rows
	Redraw      func() (Secret, error) // draws another password for a row whose generated one was refused; several workers call it at once
	Observe     func(Row, Result)      // sees each result and its row, one after the other; may be nil

	// Gate is asked once all rows before it are done with, and before the next one
	// is taken up. An error stops the run; ctx ends when no row may be taken up any
	// more. It may be nil.
	Gate   func(ctx context.Context, rows int) error
	Logger *slog.Logger // hears of requests and internal errors; may be nil
}

// The defaults of a Config.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultAttempts = 6
	MaxAutoWorkers  = 50
)

// autoWorkers returns how many workers spend a free allowance at once, however
// slow the API is: as many as a window has requests, at most 50.
func autoWorkers(r pace.Rate) int {
	if r.IsUnlimited() {
		return MaxAutoWorkers
	}
	return min(r.N, MaxAutoWorkers)
}

// ErrConfig is the error of a [Run] that cannot begin.
var ErrConfig = errors.New("batch: cannot run")

// complete checks the Config and fills in what it leaves open.
func (c Config) complete(set Setter, log Log) (Config, error) {
	switch {
	case set == nil || log == nil || c.Pacer == nil:
		return c, fmt.Errorf("%w: a Setter, a Log and a Pacer are needed", ErrConfig)
	case c.Workers < 0 || c.Timeout < 0 || c.MaxAttempts < 0 || c.Canary < 0 || c.StopAfter < 0:
		return c, fmt.Errorf("%w: a number below 0", ErrConfig)
	}
	c.Workers = cmp.Or(c.Workers, autoWorkers(c.Pacer.State().Rate))
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, DefaultAttempts)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Redraw == nil {
		c.Redraw = func() (Secret, error) { return Secret{}, fmt.Errorf("%w: nothing draws passwords", ErrConfig) }
	}
	if c.Observe == nil {
		c.Observe = func(Row, Result) {}
	}
	if c.Gate == nil {
		c.Gates = nil
	}
	return c, nil
}

// A StopReason says why a run stopped before its last row.
type StopReason string

// The reasons.
const (
	Interrupted     StopReason = "interrupted"
	WindowOver      StopReason = "window over"
	TooManyFailures StopReason = "too many failures"
	CanaryFailed    StopReason = "canary failed"
	GateClosed      StopReason = "gate closed"
	Refused         StopReason = "refused" // by a fatal error
	Broken          StopReason = "broken"  // by an error of our own: the log, the rows
)

// A Stop is why a run stopped before its last row: an error that carries the
// reason, and the error behind it if there is one.
type Stop struct {
	Reason StopReason
	Err    error
}

// InterruptedBy returns the stop of a run whose context ended.
func InterruptedBy(ctx context.Context) *Stop { return &Stop{Interrupted, context.Cause(ctx)} }

func (s *Stop) Error() string {
	switch {
	case s.Err == nil:
		return string(s.Reason)
	case s.Reason == Interrupted:
		return fmt.Sprintf("%s by %v", s.Reason, s.Err)
	}
	return fmt.Sprintf("%s: %v", s.Reason, s.Err)
}

func (s *Stop) Unwrap() error { return s.Err }

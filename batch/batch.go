// Package batch is the engine: it takes rows, sends each through a [Setter]
// with a pool of workers, tries again what may succeed, and ends with one
// [Result] a row. It applies the rules that stop a run, and records in a [Log]
// before it acts.
//
// It knows no vendor, no file format and no flag. What an error of a Setter
// means is told by the error's own methods, each of them optional:
//
//	Ambiguous() bool        the request may have taken effect; without this method, it may
//	Retryable() bool        another try of the same row may succeed
//	Throttled() bool        turned away for exceeding the allowance: that was no try
//	Fatal() bool            no row can succeed until somebody acts
//	RefusesPassword() bool  the far side will never take this password, but may take another
//	Reason() string         in few words why there is no verdict
//
// An unambiguous error that has none of the others is a definite refusal of
// the row: the old password stands.
package batch

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// A Setter gives a device its row's password. The Receipt holds what the far
// side said, also along with an error. A nil error means that the far side
// confirmed the password.
//
// Cancelling ctx ends a wait; a request that has left is always finished, since
// somebody must learn what became of it. A Setter may be a decorator of
// another; decorators keep row.Attempts up to date.
type Setter interface {
	SetPassword(ctx context.Context, row *Row) (Receipt, error)
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

// A Config says how to run.
type Config struct {
	Workers     int                    // requests under way at once, at least 1
	MaxAttempts int                    // tries for one row in this run, at least 1
	Canary      int                    // so many rows go first, alone; 0: none
	MaxFailures Threshold              // the zero value: ten in a row
	StopAfter   time.Duration          // 0: never
	Redraw      func() (Secret, error) // draws another password for a row whose generated one was refused
	Observe     func(Result)           // sees each result, one after the other
	Logger      *slog.Logger           // is told of internal errors
}

// A Reason says why a run stopped before its last row.
type Reason string

const (
	Done            Reason = "" // it did not
	Interrupted     Reason = "interrupted"
	WindowOver      Reason = "window over"
	TooManyFailures Reason = "too many failures"
	CanaryFailed    Reason = "canary failed"
	Refused         Reason = "refused" // by a fatal error
	Broken          Reason = "broken"  // by an error of our own: the log, the rows
)

// A Stop is why a run stopped before its last row: an error that carries the
// Reason, and the error behind it if there is one.
type Stop struct {
	Reason Reason
	Err    error
}

func (s *Stop) Error() string {
	if s.Err == nil {
		return string(s.Reason)
	}
	return fmt.Sprintf("%s: %v", s.Reason, s.Err)
}

func (s *Stop) Unwrap() error { return s.Err }

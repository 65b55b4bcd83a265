package batch

import (
	"errors"
	"fmt"
)

func isAmbiguous(err error) bool {
	var e interface{ Ambiguous() bool }
	return !errors.As(err, &e) || e.Ambiguous()
}

func isRetryable(err error) bool {
	var e interface{ Retryable() bool }
	return errors.As(err, &e) && e.Retryable()
}

func isThrottled(err error) bool {
	var e interface{ Throttled() bool }
	return errors.As(err, &e) && e.Throttled()
}

// IsFatal reports whether err says that no request can succeed until somebody
// acts.
func IsFatal(err error) bool {
	var e interface{ Fatal() bool }
	return errors.As(err, &e) && e.Fatal()
}

func refusesPassword(err error) bool {
	var e interface{ RefusesPassword() bool }
	return errors.As(err, &e) && e.RefusesPassword()
}

// IsRefusal reports whether err is a definite no to what was asked for, and to
// nothing else.
func IsRefusal(err error) bool {
	return !isAmbiguous(err) && !isRetryable(err) && !isThrottled(err) && !IsFatal(err)
}

// A brokenError is an error of our own that no row can be sent under.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// A panicError stands for a panic. It does not tell what was thrown, since
// that may hold a secret.
type panicError struct{ kind string }

func panicked(thrown any) error { return &panicError{fmt.Sprintf("%T", thrown)} }

func (e *panicError) Error() string {
	return "internal error: a panic (" + e.kind + ") while the row was sent"
}

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

// IsRefusal reports whether err is a definite refusal of what was asked for, and
// of nothing else.
func IsRefusal(err error) bool {
	return !isAmbiguous(err) && !isRetryable(err) && !isThrottled(err) && !IsFatal(err)
}

// A panicError stands for a panic. It does not tell what was thrown, since
// that may hold a secret.
type panicError struct{ kind string }

func panicked(thrown any) error { return &panicError{fmt.Sprintf("%T", thrown)} }

func (e *panicError) Error() string {
	return "internal error: a panic (" + e.kind + ") while the row was sent"
}

// note says in few words why a request has no verdict; it is empty for a
// refusal, which the API's own words explain.
func note(err error) string {
	var brief interface{ Reason() string }
	switch {
	case IsRefusal(err):
		return ""
	case errors.As(err, &brief) && brief.Reason() != "":
		return brief.Reason()
	}
	return err.Error()
}

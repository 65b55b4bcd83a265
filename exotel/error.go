package exotel

import (
	"fmt"
	"strings"
)

// An Error is why a request did not end in success. Its methods say what a
// caller may do next; they hold for this request, whatever was asked before.
//
// Neither its text nor its fields hold the credentials or the password.
type Error struct {
	Answer Answer // what the API said; HTTPCode is 0 if no answer came
	Op     string // what was asked for, such as "set password"

	class  class
	reason string // our words, "" for a plain refusal
	detail string // what the network said, without secrets
	err    error  // the cause, if there is one outside the answer
}

// What is asked for, as errors name it.
const (
	opSetPassword = "set password"
	opListUsers   = "list users"
)

// Error says in one line what was asked for and how it ended.
func (e *Error) Error() string {
	parts := []string{e.Op}
	for _, part := range []string{e.reason, e.detail} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.Answer.HTTPCode != 0 {
		parts = append(parts, e.Answer.summary())
	}
	return strings.Join(parts, ": ")
}

// summary returns the API's own words in short.
func (a Answer) summary() string {
	s := fmt.Sprintf("HTTP %d", a.HTTPCode)
	if a.Code != "" && a.Code != fmt.Sprint(a.HTTPCode) {
		s += ", inner code " + a.Code
	}
	if a.ErrorMessage != "" {
		s += ", " + a.ErrorMessage
	}
	if a.ErrorDescription != "" && a.ErrorDescription != a.ErrorMessage {
		s += ", " + a.ErrorDescription
	}
	if a.ErrorCode != "" {
		s += " (error " + a.ErrorCode + ")"
	}
	return s
}

// Unwrap returns the cause: a network error, a context's error, a [*IDError], a
// [*PolicyError]; nil where the answer itself is the cause.
func (e *Error) Unwrap() error { return e.err }

// Retryable reports whether the same request may succeed later.
func (e *Error) Retryable() bool {
	switch e.class {
	case throttled, tooEarly, noVerdict, unsent:
		return true
	}
	return false
}

// Ambiguous reports whether the request may have been carried out all the same.
// It never is for a listing, which changes nothing.
func (e *Error) Ambiguous() bool { return e.class == noVerdict && e.Op == opSetPassword }

// Fatal reports whether every other request would fail the same way: the
// credentials are refused, or the far side's certificate is.
func (e *Error) Fatal() bool { return e.class == unauthorized || e.class == untrusted }

// Throttled reports whether the request was refused for exceeding the rate
// limit. Answer.RateLimit says how long to wait, if the API does.
func (e *Error) Throttled() bool { return e.class == throttled }

// RefusesPassword reports whether the API definitely refused this password and
// may accept another one.
func (e *Error) RefusesPassword() bool { return e.class == refusedPassword && e.Op == opSetPassword }

// Reason says in a few words of ours why there is no answer, no verdict or no
// request, such as "timeout", "connection reset" or "no verdict: the answer is
// empty". It is "" where the API's own words say it all.
func (e *Error) Reason() string { return e.reason }

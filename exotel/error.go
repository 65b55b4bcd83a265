package exotel

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
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
	opGetUser     = "get user"
)

// Error says in one line what was asked for and how it ended.
func (e *Error) Error() string {
	parts := []string{e.Op, e.reason, e.detail, e.Answer.summary()}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ": ")
}

// summary returns the API's own words in short, "" if no answer came.
func (a Answer) summary() string {
	if a.HTTPCode == 0 {
		return ""
	}
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
// credentials are refused, those for the proxy too, or the server's certificate is.
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

const proxyHint = "the proxy wants credentials of its own: put them into HTTPS_PROXY, as http://USER:PASSWORD@HOST:PORT"

// Hint returns what a person can do about the error, in a sentence without a
// full stop; "" if there is nothing to say.
func (e *Error) Hint() string {
	if e.Answer.HTTPCode != 0 {
		return e.Answer.hint()
	}
	switch {
	case hasCause[*tls.CertificateVerificationError](e.err):
		return "the server's certificate is not valid for it: check the base URL, this machine's clock, and whether a proxy opens TLS connections"
	case wantsProxyCredentials(e.err):
		return proxyHint
	case hasCause[tls.RecordHeaderError](e.err):
		return "the server does not speak TLS there: check the base URL"
	case hasCause[*net.DNSError](e.err):
		return "check the base URL's host and this machine's name lookup"
	}
	return ""
}

// hasCause reports whether there is an error of the type in err's tree.
func hasCause[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

func (a Answer) hint() string {
	switch {
	case a.saysCode("401"):
		return "check the API key, the API token and the account SID; the wrong region answers 401 too (" +
			"Singapore is " + Singapore.BaseURL() + ", Mumbai is " + Mumbai.BaseURL() + ")"
	case a.HTTPCode == http.StatusProxyAuthRequired:
		return proxyHint
	case a.ErrorCode == "1003", a.saysCode("403") && a.ErrorCode == "":
		return "the API key may lack the right to manage users, or this machine's address is not on the account's IP allow-list"
	case isRedirect(a.HTTPCode):
		return "check the base URL: redirects are not followed, since the credentials would go along"
	case a.HTTPCode == http.StatusOK && a.Code == "":
		return "something on the way may have answered in the API's place, such as a captive portal or a proxy"
	}
	return ""
}

// saysCode reports whether the HTTP status, or the inner code of a 200, is code.
func (a Answer) saysCode(code string) bool {
	if a.HTTPCode == http.StatusOK {
		return a.Code == code
	}
	return strconv.Itoa(a.HTTPCode) == code
}

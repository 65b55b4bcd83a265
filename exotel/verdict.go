package exotel

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A class is how a request ended, as far as the caller's next step goes.
type class uint8

const (
	accepted        class = iota
	refused               // the API refused it, and would again
	refusedPassword       // the API refused this password; another one may pass
	unauthorized          // the credentials are refused: so will every other request be
	throttled             // over the allowance: batch sends it again, and pace waits before
	tooEarly              // turned away; may pass later
	noVerdict             // it may have been carried out, or not
	unsent                // nothing left this machine
	untrusted             // nothing left, since the server could not prove who it is
	faulty                // nothing left, since the request itself is wrong
)

// classify says how a request ended that was answered with a single response,
// and in our words why there is no verdict. What keeps the body from saying so
// matters only if the HTTP status leaves it to the body.
func (r *reply) classify() (c class, doubt string) {
	problem := r.problem
	if problem == "" {
		problem = r.answer.readBody(r.body)
	}
	a := r.answer
	switch {
	case r.doubt != "":
		return noVerdict, r.doubt
	case a.HTTPCode != http.StatusOK:
		return classifyBy(a, a.HTTPCode, "")
	case problem != "":
		return noVerdict, problem
	case a.Code == "200" && a.Status == success:
		return accepted, ""
	}
	// A sibling of this API answers HTTP 200 with an inner 409 and "failure": so
	// the inner code counts as the status, unless the two inner fields disagree.
	code, err := strconv.Atoi(a.Code)
	if err != nil || code == http.StatusOK || a.Status == success {
		return noVerdict, problemContrary
	}
	return classifyBy(a, code, "inner ")
}

// classifyBy classifies by a status other than 200, of HTTP or the inner one.
func classifyBy(a Answer, status int, which string) (c class, doubt string) {
	c = classOfStatus(a, status)
	if c != noVerdict {
		return c, ""
	}
	if isRedirect(a.HTTPCode) {
		return c, "the answer redirects elsewhere"
	}
	return c, fmt.Sprintf("the answer's %sstatus is %d", which, status)
}

// classOfStatus maps a status other than 200 to a class.
func classOfStatus(a Answer, status int) class {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return unauthorized
	case http.StatusTooManyRequests:
		return throttled
	case http.StatusTooEarly:
		return tooEarly
	case http.StatusRequestTimeout:
		return noVerdict
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if aboutPassword(a) {
			return refusedPassword
		}
	}
	if status >= 400 && status < 500 {
		return refused
	}
	return noVerdict
}

// aboutPassword reports whether the API's error names the password. No source
// shows the policy's own error; 1002 is "invalid parameter", and the password
// is the only one.
func aboutPassword(a Answer) bool {
	return a.ErrorCode == "1002" ||
		strings.Contains(strings.ToLower(a.ErrorMessage+" "+a.ErrorDescription), "password")
}

func isRedirect(status int) bool { return status >= 300 && status < 400 }

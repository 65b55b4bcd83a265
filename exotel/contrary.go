package exotel

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// statusFailure is what Status says of a request that was not carried out.
const statusFailure = "failure"

// begunAsObject reports whether the text begins as a body of the API's does, if
// behind a byte order mark.
func begunAsObject(source []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(source, []byte("\ufeff"))), []byte("{"))
}

// successText is what a success looks like in any notation and under any wrapping.
var successText = regexp.MustCompile(`(?i)success|(?:code|status)\W{0,16}200(?:\D|$)`)

// mayMeanSuccess reports whether an answer with a status other than 200 may be
// that of a password that was set: a proxy or a gateway wraps bodies, and puts
// its own status before them. The API's own failure may say anything.
func (b body) mayMeanSuccess(source []byte) bool {
	if b.isFailure() {
		return false
	}
	if successText.Match(bytes.ReplaceAll(source, []byte{0}, nil)) { // UTF-16 has these zeros
		return true
	}
	unescaped, _ := json.Marshal(b.object) // what was decoded encodes
	return successText.Match(unescaped)
}

// isFailure reports whether the body is one of the two documented failures, and
// nothing besides.
func (b body) isFailure() bool {
	if b.hasException {
		return b.only("RestException") && b.exception.only("Status", "Message", "Code")
	}
	if b.shape != oneShape || !b.only("request_id", "method", "http_code", "response") {
		return false
	}
	r := b.responses[0]
	return r.only("code", "error_data", "status", "data") && r.text("status") == statusFailure && r["data"] == nil
}

// only reports whether the object has no other keys.
func (o object) only(names ...string) bool {
	n := 0
	for _, name := range names {
		if o.has(name) {
			n++
		}
	}
	return n == len(o)
}

// contradictsAround reports whether what stands around and within a response to
// HTTP 200 speaks against it.
func (b body) contradictsAround() bool {
	for key, value := range b.object {
		if key != "response" && key != "RestException" && anyObject(value, object.deniesSuccess) {
			return true
		}
	}
	if b.deniesSuccess() {
		return true
	}
	if b.shape != oneShape {
		return false
	}
	r := b.responses[0]
	if strings.EqualFold(r.text("status"), success) {
		return anyObject(r["data"], object.deniesSuccess)
	}
	return b.claimsSuccess() || anyObject(r["data"], object.claimsSuccess)
}

// deniesSuccess reports whether an object that is no response says that something
// failed. The code of a thing with an id is the thing's own.
func (o object) deniesSuccess() bool {
	for key, value := range o {
		switch {
		case strings.EqualFold(key, "status") && strings.EqualFold(textOf(value), statusFailure),
			strings.EqualFold(key, "error_data") && isErrorData(value),
			strings.EqualFold(key, "code") && !o.has("id") && !meansStatus(value, http.StatusOK):
			return true
		}
	}
	return false
}

func (o object) claimsSuccess() bool {
	for key, value := range o {
		if text, _ := value.(string); strings.EqualFold(key, "status") && strings.EqualFold(text, success) {
			return true
		}
	}
	return false
}

// anyObject reports whether the value holds an object, at any depth, that is so.
func anyObject(value any, is func(object) bool) bool {
	switch value := value.(type) {
	case map[string]any:
		if is(value) {
			return true
		}
		for _, child := range value {
			if anyObject(child, is) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, func(child any) bool { return anyObject(child, is) })
	}
	return false
}

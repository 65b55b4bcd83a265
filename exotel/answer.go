package exotel

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// An Answer is what the API said to one request, in its own words; empty where
// it said nothing. Texts are cut at 2 KiB. One that holds a secret, or eight
// characters of one in a row, in any usual encoding, or all its letters and digits
// with other characters between, reads "[withheld: it held a secret]": the
// credentials, and the passwords of this and of recent requests. Ciphers such as
// ROT13 are not seen through.
type Answer struct {
	HTTPCode  int    // 0 if no answer came
	Code      string // the code inside the body; it may differ from HTTPCode
	Status    string // the status inside the body: "success" or "failure"
	RequestID string

	ErrorCode        string // such as "1002" or "RATE_LIMIT_EXCEEDED"
	ErrorMessage     string
	ErrorDescription string

	RateLimit RateLimit
}

// success is what Status says of a request that was carried out.
const success = "success"

// The ways in which a body fails to say what became of a request.
const (
	problemEmpty      = "the answer is empty"
	problemNotJSON    = "the answer is not the API's JSON"
	problemIncomplete = "the answer lacks its code or its status"
	problemTwice      = "the answer has a key twice"
	problemSuspect    = "the answer may be that of another request"
	problemContrary   = "the answer contradicts itself"
)

// A body is the decoded body of an answer. Errors come in two shapes: the first
// as a part of the response, the second as an exception. A change is answered
// with one response, a listing with an array of them.
type body struct {
	object
	exception    object
	hasException bool
	responses    []object // null reads as an empty one
	shape        shape    // of the response
}

type shape uint8

const (
	otherShape shape = iota // text, say, an array of it, or absent
	nullShape
	oneShape
	arrayShape
)

// parseBody reads a body, and returns a problem if it is none of the API's.
func parseBody(source []byte) (b body, problem string) {
	if len(source) == 0 {
		return body{}, problemEmpty
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber() // no id or code may pass through a float
	if decoder.Decode(&value) != nil {
		return body{}, problemNotJSON
	}
	if _, err := decoder.Token(); err != io.EOF {
		return body{}, problemNotJSON
	}
	if keysIn(value) != colonsIn(source) {
		return body{}, problemTwice
	}
	b.object, _ = value.(map[string]any)
	if b.object == nil {
		return body{}, problemNotJSON
	}
	b.exception, b.hasException = b.child("RestException")
	switch r := b.object["response"].(type) {
	case map[string]any:
		b.responses, b.shape = []object{r}, oneShape
	case []any:
		b.shape = arrayShape
		for _, entry := range r {
			o, isObject := entry.(map[string]any)
			if !isObject && entry != nil {
				b.shape = otherShape
			}
			b.responses = append(b.responses, o)
		}
	case nil:
		if b.has("response") {
			b.shape = nullShape
		}
	}
	return b, ""
}

// keysIn counts the keys of a decoded value. Of a key that stands twice in one
// object, the decoder keeps the last, and so falls behind the colons.
func keysIn(value any) int {
	n := 0
	anyObject(value, func(o object) bool {
		n += len(o)
		return false // go on
	})
	return n
}

// colonsIn counts the colons of valid JSON outside of its strings: one for each key.
func colonsIn(source []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == ':':
			n++
		}
	}
	return n
}

// contradicts reports whether the body speaks against the HTTP status it came
// with, or against itself: then neither of them says what became of the request.
// What a body does not say speaks against nothing.
func (b body) contradicts(status int) bool {
	if b.spelt("http_code", "response", "RestException") || !b.agrees("http_code", status) {
		return true
	}
	if b.hasException && (b.exception.spelt("Status") || b.has("response") ||
		status != http.StatusOK && !b.exception.agrees("Status", status)) {
		return true
	}
	if status == http.StatusOK && b.contradictsAround() {
		return true
	}
	for _, r := range b.responses {
		claims := strings.EqualFold(r.text("status"), success)
		switch {
		case r.spelt("code", "status", "error_data"):
			return true
		case status == http.StatusOK && claims && isErrorData(r["error_data"]):
			return true
		case status != http.StatusOK && (claims || !r.agrees("code", status)):
			return true
		}
	}
	return false
}

// spelt reports whether the object has one of the keys in another case: decoders
// differ in what they make of it.
func (o object) spelt(names ...string) bool {
	for key := range o {
		for _, name := range names {
			if key != name && strings.EqualFold(key, name) {
				return true
			}
		}
	}
	return false
}

// agrees reports whether the object has that status under the name, or none.
func (o object) agrees(name string, status int) bool { return meansStatus(o[name], status) }

// meansStatus reports whether the code is that status, or absent.
func meansStatus(code any, status int) bool {
	text := textOf(code)
	return text == "" || text == strconv.Itoa(status)
}

// isErrorData reports whether there are details of an error: null, "", [] and
// {} are none.
func isErrorData(value any) bool {
	switch textOf(value) {
	case "", "[]", "{}":
		return false
	}
	return true
}

// An object is one of JSON. A nil one is empty.
type object map[string]any

func (o object) has(name string) bool { _, has := o[name]; return has }

func (o object) child(name string) (object, bool) {
	child, ok := o[name].(map[string]any)
	return child, ok
}

// text returns a value as text, "" for what is absent.
func (o object) text(name string) string { return textOf(o[name]) }

// textOf returns the characters of a string, the digits of a number as they stand,
// "" for null, and the JSON of anything else. Ids and codes come as numbers or as
// strings.
func textOf(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		source, _ := json.Marshal(value) // what was decoded encodes
		return string(source)
	}
}

// succeeded applies the rule for success to one response.
func (o object) succeeded() bool { return o.text("code") == "200" && o.text("status") == success }

// readBody fills the answer from the body around a single response, and returns
// a problem if it does not say how the request ended. It is lenient with the
// error's details: the code and the status decide, and details in an unknown shape
// shall not put them in doubt.
func (a *Answer) readBody(b body) (problem string) {
	a.RequestID = b.text("request_id")
	if b.hasException {
		a.Code = b.exception.text("Status")
		a.ErrorCode = b.exception.text("Code")
		a.ErrorMessage = b.exception.text("Message")
		return ""
	}
	if b.shape != oneShape {
		return problemIncomplete
	}
	r := b.responses[0]
	a.Code, a.Status = r.text("code"), r.text("status")
	details, _ := r.child("error_data")
	a.ErrorCode = details.text("code")
	a.ErrorMessage = details.text("message")
	a.ErrorDescription = details.text("description")
	if a.Code == "" || a.Status == "" {
		return problemIncomplete
	}
	return ""
}

// redact makes the answer's texts safe to show.
func (a *Answer) redact(secrets *secretSet) {
	for _, field := range [...]*string{
		&a.Code, &a.Status, &a.RequestID, &a.ErrorCode, &a.ErrorMessage, &a.ErrorDescription,
	} {
		*field = secrets.safe(*field)
	}
}

package exotel

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// An Answer is what the API said to one request, in its own words; empty where
// it said nothing. Texts are cut at 2 KiB, and the credentials and the password
// of the request read "[redacted]" in them.
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

// An object is one of JSON. A nil one is empty.
type object map[string]any

func (o object) has(name string) bool { _, has := o[name]; return has }

func (o object) child(name string) (object, bool) {
	child, ok := o[name].(map[string]any)
	return child, ok
}

// text returns a value as text: the characters of a string, the digits of a
// number as they stand, "" for null and for what is absent, and the JSON of
// anything else. Ids and codes come as numbers or as strings.
func (o object) text(name string) string {
	switch value := o[name].(type) {
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
// a problem if it does not say how the request ended.
func (a *Answer) readBody(source []byte) (problem string) {
	b, problem := parseBody(source)
	if problem != "" {
		return problem
	}
	a.RequestID = b.text("request_id")
	if b.hasException {
		return a.readException(b)
	}
	if b.shape != oneShape {
		return problemIncomplete
	}
	return a.readResponse(b.responses[0])
}

func (a *Answer) readException(b body) (problem string) {
	a.Code = b.exception.text("Status")
	a.ErrorCode = b.exception.text("Code")
	a.ErrorMessage = b.exception.text("Message")
	if b.has("response") {
		return problemContrary
	}
	return ""
}

// readResponse is lenient with the error's details: the code and the status
// decide, and details in an unknown shape shall not put them in doubt.
func (a *Answer) readResponse(r object) (problem string) {
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

// newAnswer returns what the head of an answer says.
func newAnswer(head *http.Response) Answer {
	return Answer{HTTPCode: head.StatusCode, RateLimit: parseRateLimit(head.Header)}
}

// redact makes the answer's texts safe to show, with either way to redact.
func (a *Answer) redact(redact func(text, password string) string, password string) {
	for _, field := range [...]*string{
		&a.Code, &a.Status, &a.RequestID, &a.ErrorCode, &a.ErrorMessage, &a.ErrorDescription,
	} {
		*field = redact(*field, password)
	}
}

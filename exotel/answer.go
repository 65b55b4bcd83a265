package exotel

import (
	"encoding/json"
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

// An envelope is the body around every answer. Errors come in two shapes: the
// first as a part of Response, the second as RestException.
type envelope struct {
	RequestID     text            `json:"request_id"`
	Metadata      json.RawMessage `json:"metadata"`
	Response      json.RawMessage `json:"response"`
	RestException *restException  `json:"RestException"`
}

type restException struct {
	Status  text
	Message text
	Code    text
}

// A response is what the envelope holds: one for a change, several for a listing.
type response struct {
	Code      text            `json:"code"`
	Status    text            `json:"status"`
	ErrorData json.RawMessage `json:"error_data"`
	Data      json.RawMessage `json:"data"`
}

// succeeded applies the rule for success as far as the body goes.
func (r response) succeeded() bool {
	return r.Code == "200" && r.Status == success
}

// The ways in which a body fails to say what became of a request.
const (
	problemEmpty      = "the answer is empty"
	problemNotJSON    = "the answer is not the API's JSON"
	problemIncomplete = "the answer lacks its code or its status"
	problemContrary   = "the answer contradicts itself"
)

// parseEnvelope reads a body, and returns a problem if it is none of the API's.
func parseEnvelope(body []byte) (e envelope, problem string) {
	if len(body) == 0 {
		return e, problemEmpty
	}
	if json.Unmarshal(body, &e) != nil {
		return envelope{}, problemNotJSON
	}
	return e, ""
}

// readBody fills the answer from the body around a single response, and returns
// a problem if it does not say how the request ended.
func (a *Answer) readBody(body []byte) (problem string) {
	if a.readPlainSuccess(body) {
		return ""
	}
	return a.readAnyBody(body)
}

// readAnyBody does so for every body that the API may send.
func (a *Answer) readAnyBody(body []byte) (problem string) {
	e, problem := parseEnvelope(body)
	if problem != "" {
		return problem
	}
	a.RequestID = string(e.RequestID)
	if e.RestException != nil {
		return a.readException(e)
	}
	var r response
	if json.Unmarshal(e.Response, &r) != nil {
		return problemIncomplete
	}
	return a.readResponse(r)
}

func (a *Answer) readException(e envelope) (problem string) {
	a.Code = string(e.RestException.Status)
	a.ErrorCode = string(e.RestException.Code)
	a.ErrorMessage = string(e.RestException.Message)
	if len(e.Response) > 0 {
		return problemContrary
	}
	return ""
}

func (a *Answer) readResponse(r response) (problem string) {
	a.Code, a.Status = string(r.Code), string(r.Status)
	a.readErrorData(r.ErrorData)
	if r.Code == "" || r.Status == "" {
		return problemIncomplete
	}
	return ""
}

// readErrorData is lenient: the code and the status decide, and details in an
// unknown shape shall not put them in doubt.
func (a *Answer) readErrorData(source json.RawMessage) {
	var details struct {
		Code        text `json:"code"`
		Message     text `json:"message"`
		Description text `json:"description"`
	}
	if string(source) == "null" || json.Unmarshal(source, &details) != nil {
		return
	}
	a.ErrorCode = string(details.Code)
	a.ErrorMessage = string(details.Message)
	a.ErrorDescription = string(details.Description)
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

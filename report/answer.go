package report

import (
	"cmp"
	"strconv"
	"strings"

	"siprotate/batch"
)

// An answer is a row's last receipt as it may be shown: harmless to a terminal
// and without the row's password. Only a spreadsheet could still run it.
type answer struct {
	httpCode         string // empty without an answer
	code             string
	status           string
	requestID        string
	errorCode        string
	errorMessage     string
	errorDescription string
	note             string // our own words
}

func words(e *batch.Entry) answer {
	receipt := &e.Result.Receipt
	shown := func(text string) string { return Sanitize(redact(text, e)) }
	return answer{
		httpCode:         httpCode(receipt.HTTPCode),
		code:             shown(receipt.Code),
		status:           shown(receipt.Status),
		requestID:        shown(receipt.RequestID),
		errorCode:        shown(receipt.ErrorCode),
		errorMessage:     shown(receipt.ErrorMessage),
		errorDescription: shown(receipt.ErrorDescription),
		note:             shown(e.Result.Note),
	}
}

// description returns the far side's description, or failing one our note,
// signed so that nobody takes it for the far side's words.
func (a answer) description() string {
	if a.errorDescription != "" || a.note == "" {
		return a.errorDescription
	}
	return "siprotate: " + a.note
}

// reason returns the words that best tell people why.
func (a answer) reason() string {
	switch {
	case a.errorMessage != "" && a.errorDescription != "" && a.errorDescription != a.errorMessage:
		return a.errorMessage + ": " + a.errorDescription
	case a.errorMessage+a.errorDescription != "":
		return cmp.Or(a.errorMessage, a.errorDescription)
	}
	return cmp.Or(a.note, a.status)
}

func httpCode(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

// redact takes the row's password out of text, in case that an answer repeats
// what it was sent. A password that never left cannot come back: those of
// invalid rows may be as short as one letter, and would only garble the text.
func redact(text string, e *batch.Entry) string {
	if text == "" || e.Result.Attempts.Count == 0 || e.Row.Password.Empty() {
		return text
	}
	return strings.ReplaceAll(text, e.Row.Password.Reveal(), e.Row.Password.String())
}

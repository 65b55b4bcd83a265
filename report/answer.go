package report

import (
	"cmp"
	"strings"

	"siprotate/batch"
)

// An Answer is a row's last receipt as it may be shown: harmless to a terminal
// and without the row's password. Only a spreadsheet could still run it.
type Answer struct {
	batch.Receipt
	Note        string // our own words
	ProofReason string // the registrar's words, or ours
}

func newEntry(e batch.Entry) *Entry {
	a := Answer{e.Result.Receipt, e.Result.Note, e.Result.Proof.Reason}
	for _, text := range []*string{
		&a.Code, &a.Status, &a.RequestID, &a.ErrorCode, &a.ErrorMessage, &a.ErrorDescription, &a.Note, &a.ProofReason,
	} {
		*text = shown(*text, &e)
	}
	return &Entry{e, a}
}

// description returns the API's description, or failing one our note, signed
// so that nobody takes it for the API's words.
func (a Answer) description() string {
	if a.ErrorDescription != "" || a.Note == "" {
		return a.ErrorDescription
	}
	return "siprotate: " + a.Note
}

// reason returns the words that best tell people why.
func (a Answer) reason() string {
	if a.ErrorMessage != "" && a.ErrorDescription != "" && a.ErrorDescription != a.ErrorMessage {
		return a.ErrorMessage + ": " + a.ErrorDescription
	}
	return cmp.Or(a.ErrorMessage, a.ErrorDescription, a.Note, a.Status)
}

// Why returns why a row was not rotated: the API's code if it has one, and the
// words. A row in doubt has neither from the API, since what it said last, such
// as a refusal, does not settle what an earlier request did.
func (e *Entry) Why() (code, reason string) {
	if e.Result.Outcome == batch.Unknown {
		return "", cmp.Or(e.Answer.Note, "no verdict came")
	}
	return e.Answer.codes(), e.Answer.reason()
}

// codes returns the HTTP status and the API's code. The code is error_data's,
// or the answer's own where that adds to the status.
func (a Answer) codes() string {
	status, code := number(a.HTTPCode), a.ErrorCode
	if code == "" && a.Code != status {
		code = a.Code
	}
	return strings.TrimSpace(status + " " + code)
}

// shown returns text harmless to a terminal, and without the row's password, in
// case that an answer repeats what it was sent. A password that never left cannot
// come back: those of invalid rows may be as short as one letter, and would only
// garble the text.
func shown(text string, e *batch.Entry) string {
	if e.Result.Attempts.Count > 0 && !e.Row.Password.Empty() {
		text = strings.ReplaceAll(text, e.Row.Password.Reveal(), e.Row.Password.String())
	}
	return Sanitize(text)
}

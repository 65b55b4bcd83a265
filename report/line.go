package report

import "siprotate/batch"

var reportColumns = []string{
	"row", "line", "user_id", "device_id", "sip_id", "email",
	"outcome", "http_code", "code", "status", "request_id",
	"error_code", "error_message", "error_description",
	"attempts", "password_source", "first_sent_at", "finished_at", "duration_ms",
}

var credentialColumns = []string{
	"row", "user_id", "device_id", "sip_id", "email", "password", "outcome",
}

// report appends the entry's line of report.csv, with as many of the input's
// other columns as the header has.
func (l csvLine) report(e *batch.Entry, seen answer, columns int) csvLine {
	row, result := &e.Row, &e.Result
	l = l.number(row.Number).
		number(row.Line).
		text(row.UserID).
		text(row.DeviceID).
		text(row.SIPID).
		text(row.Email).
		text(result.Outcome.String()).
		text(seen.httpCode).
		text(EscapeFormula(seen.code)).
		text(EscapeFormula(seen.status)).
		text(EscapeFormula(seen.requestID)).
		text(EscapeFormula(seen.errorCode)).
		text(EscapeFormula(seen.errorMessage)).
		text(EscapeFormula(seen.description())).
		number(result.Attempts.Count).
		text(string(row.PasswordSource)).
		time(result.Attempts.FirstSent).
		time(result.Finished)
	if result.Attempts.FirstSent.IsZero() || result.Finished.IsZero() {
		l = l.text("")
	} else {
		l = l.number(int(elapsed(result.Attempts.FirstSent, result.Finished).Milliseconds()))
	}
	l = l.texts(row.Extra[:min(len(row.Extra), columns)])
	for range columns - len(row.Extra) {
		l = l.text("")
	}
	return l.end()
}

// credentials appends the entry's line of credentials.csv.
func (l csvLine) credentials(e *batch.Entry) csvLine {
	return l.number(e.Row.Number).
		text(e.Row.UserID).
		text(e.Row.DeviceID).
		text(e.Row.SIPID).
		text(e.Row.Email).
		text(e.Row.Password.Reveal()).
		text(e.Result.Outcome.String()).
		end()
}

// holdsPassword reports whether a row's new password is in force, or may be.
func holdsPassword(o batch.Outcome) bool {
	return o == batch.Rotated || o == batch.Unknown
}

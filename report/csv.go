package report

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

var reportColumns = []string{
	"row", "line", "user_id", "device_id", "sip_id", "email",
	"outcome", "http_code", "code", "status", "request_id",
	"error_code", "error_message", "error_description",
	"attempts", "password_source", "first_sent_at", "finished_at", "duration_ms",
	"proof", "proof_code", "proof_reason", "proved_at",
}

var credentialColumns = []string{
	"row", "user_id", "device_id", "sip_id", "email", "password", "outcome",
}

// byteOrderMark tells Excel on Windows that a CSV is UTF-8.
const byteOrderMark = "\ufeff"

// A table is a View that writes CSV: cells of its own, and behind them the
// input's other columns.
type table struct {
	csv     *csv.Writer
	columns []string                // of its own
	cells   func(e *Entry) []string // nil for an entry that has no line
	extra   int                     // how many columns the input adds
}

// asTable returns what makes a table of the columns.
func asTable(columns []string, cells func(e *Entry) []string) func(io.Writer) View {
	return func(w io.Writer) View { return &table{csv: csv.NewWriter(w), columns: columns, cells: cells} }
}

func (t *table) Begin(run Run) error {
	t.extra = len(run.Columns)
	header := slices.Concat(t.columns, run.Columns)
	if run.BOM {
		header[0] = byteOrderMark + header[0]
	}
	return t.csv.Write(header)
}

func (t *table) Entry(e *Entry) error {
	cells := t.cells(e)
	if cells == nil {
		return nil
	}
	cells = append(cells, e.Row.Extra[:min(len(e.Row.Extra), t.extra)]...)
	for len(cells) < len(t.columns)+t.extra {
		cells = append(cells, "")
	}
	return t.csv.Write(cells)
}

func (t *table) End(Digest) error {
	t.csv.Flush()
	return t.csv.Error()
}

func reportCells(e *Entry) []string {
	row, result, answer := &e.Row, &e.Result, &e.Answer
	duration := ""
	if ms := e.took(); ms != nil {
		duration = strconv.FormatInt(*ms, 10)
	}
	return []string{
		strconv.Itoa(row.Number), strconv.Itoa(row.Line), row.UserID, row.DeviceID, row.SIPID, row.Email,
		result.Outcome.String(),
		number(answer.HTTPCode),
		escapeFormula(answer.Code),
		escapeFormula(answer.Status),
		escapeFormula(answer.RequestID),
		escapeFormula(answer.ErrorCode),
		escapeFormula(answer.ErrorMessage),
		escapeFormula(answer.description()),
		strconv.Itoa(result.Attempts.Count),
		string(row.PasswordSource),
		stamp(result.Attempts.FirstSent),
		stamp(result.Finished),
		duration,
		string(result.Proof.Verdict),
		number(result.Proof.Code),
		escapeFormula(answer.ProofReason),
		stamp(result.Proof.At),
	}
}

// number returns n as a cell, empty if it is 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

var adoptionColumns = []string{
	"row", "user_id", "device_id", "sip_id", "email", "adoption", "until", "contacts", "proof", "proof_reason", "checked_at",
}

func adoptionCells(e *Entry) []string {
	if !e.Result.Outcome.MayBeInForce() || e.Result.Proof.Verdict == "" {
		return nil
	}
	row, proof := &e.Row, &e.Result.Proof
	adoption, until := proof.Adoption()
	var contacts []string
	for _, b := range proof.Bindings {
		contacts = append(contacts, b.Contact)
	}
	return []string{
		strconv.Itoa(row.Number), row.UserID, row.DeviceID, row.SIPID, row.Email,
		string(adoption), stamp(until), escapeFormula(shown(strings.Join(contacts, " "), &e.Entry)),
		string(proof.Verdict), escapeFormula(e.Answer.ProofReason), stamp(proof.At),
	}
}

func credentialCells(e *Entry) []string {
	if !e.Result.Outcome.MayBeInForce() {
		return nil
	}
	row := &e.Row
	return []string{
		strconv.Itoa(row.Number), row.UserID, row.DeviceID, row.SIPID, row.Email,
		row.Password.Reveal(), e.Result.Outcome.String(),
	}
}

// stamp returns t as the files spell it, RFC 3339 in UTC with milliseconds, and
// nothing for no time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

package report

import (
	_ "embed"
	"encoding/json"
	"io"
)

//go:embed row.schema.json
var rowSchema string

// Schema returns the JSON Schema (2020-12) of one line of report.jsonl.
func Schema() []byte { return []byte(rowSchema) }

// A rowObject is one line of report.jsonl: a row under the names of report.csv's
// columns. What is not known, or never came, is null or empty. The text is not
// changed for spreadsheets.
type rowObject struct {
	Row              int               `json:"row"`
	Line             int               `json:"line"`
	UserID           string            `json:"user_id"`
	DeviceID         string            `json:"device_id"`
	SIPID            string            `json:"sip_id"`
	Email            string            `json:"email"`
	Outcome          string            `json:"outcome"`
	HTTPCode         *int              `json:"http_code"`
	Code             string            `json:"code"`
	Status           string            `json:"status"`
	RequestID        string            `json:"request_id"`
	ErrorCode        string            `json:"error_code"`
	ErrorMessage     string            `json:"error_message"`
	ErrorDescription string            `json:"error_description"`
	Attempts         int               `json:"attempts"`
	PasswordSource   string            `json:"password_source"`
	FirstSentAt      Stamp             `json:"first_sent_at"`
	FinishedAt       Stamp             `json:"finished_at"`
	DurationMS       *int64            `json:"duration_ms"`
	Proof            string            `json:"proof"`
	ProofCode        *int              `json:"proof_code"`
	ProofReason      string            `json:"proof_reason"`
	ProvedAt         Stamp             `json:"proved_at"`
	Input            map[string]string `json:"input"` // the input's other columns
}

// A jsonlView writes a line for each row.
type jsonlView struct {
	enc     *json.Encoder
	columns []string
}

func newJSONL(w io.Writer) View {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonlView{enc: enc}
}

func (v *jsonlView) Begin(run Run) error {
	v.columns = run.Columns
	return nil
}

func (v *jsonlView) Entry(e *Entry) error { return v.enc.Encode(v.object(e)) }

func (v *jsonlView) End(Digest) error { return nil }

func (v *jsonlView) object(e *Entry) rowObject {
	row, result, answer := &e.Row, &e.Result, &e.Answer
	o := rowObject{
		Row: row.Number, Line: row.Line,
		UserID: row.UserID, DeviceID: row.DeviceID, SIPID: row.SIPID, Email: row.Email,
		Outcome: result.Outcome.String(),
		Code:    answer.Code, Status: answer.Status, RequestID: answer.RequestID,
		ErrorCode: answer.ErrorCode, ErrorMessage: answer.ErrorMessage, ErrorDescription: answer.description(),
		Attempts: result.Attempts.Count, PasswordSource: string(row.PasswordSource),
		FirstSentAt: Stamp{result.Attempts.FirstSent}, FinishedAt: Stamp{result.Finished},
		Proof: string(result.Proof.Verdict), ProvedAt: Stamp{result.Proof.At},
		DurationMS: e.took(), ProofReason: answer.ProofReason,
		Input: make(map[string]string, len(v.columns)),
	}
	if answer.HTTPCode != 0 {
		o.HTTPCode = &answer.HTTPCode
	}
	if code := result.Proof.Code; code > 0 {
		o.ProofCode = &code
	}
	for i, name := range v.columns {
		o.Input[name] = cell(e, i)
	}
	return o
}

// took returns how many milliseconds the row took from its first request to its last
// answer; nil for a row that was never sent, or that has no end.
func (e *Entry) took() *int64 {
	first, end := e.Result.Attempts.FirstSent, e.Result.Finished
	if first.IsZero() || end.IsZero() {
		return nil
	}
	return new(max(0, end.Sub(first).Milliseconds()))
}

package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"time"

	"siprotate/batch"
)

// format is the version of the journal's format. A journal of another one is
// refused.
const format = 2

// The kinds of records, in the order in which a journal has them.
const (
	kindHeader  = "header"
	kindRow     = "row"     // one row of the plan
	kindResult  = "result"  // how a row ended; among the rows of the plan: that it is refused
	kindPlanned = "planned" // the plan is whole
	kindSession = "session" // a process takes up the run
	kindMark    = "mark"    // the high-water mark: what may be sent from here on
	kindSend    = "send"    // a request for a row is about to leave
	kindTried   = "tried"   // a request for a row ended, and the row goes on
	kindReissue = "reissue" // a row gets another password
	kindProof   = "proof"   // what the registrar says of a row's password
	kindGate    = "gate"    // how a gate between two waves stands
	kindStop    = "stop"    // the process stops working on the run
)

type headerRecord struct {
	Type   string    `json:"type"`
	Format int       `json:"format"`
	At     time.Time `json:"at"`
	Head
}

type rowRecord struct {
	Type     string               `json:"type"`
	Row      int                  `json:"row"`
	Line     int                  `json:"line"`
	UserID   string               `json:"user_id"`
	DeviceID string               `json:"device_id"`
	SIPID    string               `json:"sip_id,omitempty"`
	Email    string               `json:"email,omitempty"`
	Password string               `json:"password,omitempty"` // sealed; empty for a row that is never sent
	Source   batch.PasswordSource `json:"source"`
	Extra    []string             `json:"extra,omitempty"`
}

type plannedRecord struct {
	Type    string   `json:"type"`
	Rows    int      `json:"rows"`
	Digest  string   `json:"digest"`
	Columns []string `json:"columns"`
}

type sessionRecord struct {
	Type        string    `json:"type"`
	At          time.Time `json:"at"`
	Tool        string    `json:"tool"`
	Storage     storage   `json:"storage"`
	PID         int       `json:"pid"`
	RetryFailed bool      `json:"retry_failed,omitempty"`
	Verify      bool      `json:"verify,omitempty"` // it proves, and sends nothing
	Lost        loss      `json:"lost,omitzero"`    // before this session
}

// A loss is what records may have said that were written and are gone, or are no
// longer what was written.
type loss struct {
	Row   int   `json:"row"`            // rows up to this one may have been sent
	Sends int   `json:"sends"`          // so many requests may have left
	From  int64 `json:"from,omitempty"` // the offset at which the journal is not what was written, up to this record; 0 if nowhere
}

type markRecord struct {
	Type  string `json:"type"`
	Row   int    `json:"row"`   // no row after this one is sent
	Sends int    `json:"sends"` // no more requests than this leave, counted over the whole run
}

type sendRecord struct {
	Type     string    `json:"type"`
	Row      int       `json:"row"`
	Attempts int       `json:"attempts"` // with this one
	At       time.Time `json:"at"`
}

type resultRecord struct {
	Type        string        `json:"type"`
	Row         int           `json:"row"`
	Outcome     batch.Outcome `json:"outcome"`
	Attempts    int           `json:"attempts,omitempty"`
	Doubt       string        `json:"doubt,omitempty"`
	Refused     int           `json:"refused,omitempty"`
	Reissued    int           `json:"reissued,omitempty"`
	FirstSent   time.Time     `json:"first_sent_at,omitzero"`
	At          time.Time     `json:"at,omitzero"`
	HTTPCode    int           `json:"http_code,omitempty"`
	Code        string        `json:"code,omitempty"`
	Status      string        `json:"status,omitempty"`
	RequestID   string        `json:"request_id,omitempty"`
	ErrorCode   string        `json:"error_code,omitempty"`
	Message     string        `json:"error_message,omitempty"`
	Description string        `json:"error_description,omitempty"`
	Throttled   bool          `json:"throttled,omitempty"`
	Held        time.Time     `json:"held_until,omitzero"` // the API asked to send nothing before
	Note        string        `json:"note,omitempty"`
}

type proofRecord struct {
	Type     string          `json:"type"`
	Row      int             `json:"row"`
	Verdict  batch.Verdict   `json:"verdict"`
	Code     int             `json:"code,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	At       time.Time       `json:"at"`
	Bindings []bindingRecord `json:"bindings,omitempty"`
	Adopted  bool            `json:"adopted,omitempty"`
	Answered []time.Time     `json:"answered,omitempty"`
}

type bindingRecord struct {
	Contact string    `json:"contact"`
	Ends    time.Time `json:"ends"`
}

func toProofRecord(row int, p batch.Proof) proofRecord {
	r := proofRecord{Type: kindProof, Row: row, Verdict: p.Verdict, Code: p.Code, Reason: p.Reason, At: p.At.UTC(), Adopted: p.Adopted, Answered: p.Answered}
	for _, b := range p.Bindings {
		r.Bindings = append(r.Bindings, bindingRecord{b.Contact, b.Ends.UTC()})
	}
	return r
}

func (r proofRecord) proof() batch.Proof {
	p := batch.Proof{Verdict: r.Verdict, Code: r.Code, Reason: r.Reason, At: r.At, Adopted: r.Adopted, Answered: r.Answered}
	for _, b := range r.Bindings {
		p.Bindings = append(p.Bindings, batch.Binding(b))
	}
	return p
}

type gateRecord struct {
	Type   string    `json:"type"`
	Gate   int       `json:"gate"` // counted from 1
	Passed bool      `json:"passed"`
	Why    string    `json:"why,omitempty"`
	At     time.Time `json:"at"`
}

// A reissueRecord says why in the row's attempts: its password was refused so
// many times, with or without a doubtful request before.
type reissueRecord struct {
	Type     string `json:"type"`
	Row      int    `json:"row"`
	Attempts int    `json:"attempts"`
	Doubt    string `json:"doubt,omitempty"`
	Refused  int    `json:"refused"` // times that the API refused the password before
	Reissued int    `json:"reissued"`
	Unopened bool   `json:"unopened,omitempty"` // drawn because the password before could not be opened
	Password string `json:"password"`           // sealed
}

type stopRecord struct {
	Type   string    `json:"type"`
	At     time.Time `json:"at"`
	Totals Totals    `json:"totals"`
}

// Totals are the sums of one session. Those of a run are the sums of its sessions'.
type Totals struct {
	Waited  time.Duration `json:"waited_ns"`
	Stopped string        `json:"stopped,omitempty"` // why the session stopped early; empty if it ran to the end
}

func toRowRecord(r batch.Row, sealed string) rowRecord {
	return rowRecord{
		Type: kindRow, Row: r.Number, Line: r.Line, UserID: r.UserID, DeviceID: r.DeviceID,
		SIPID: r.SIPID, Email: r.Email, Password: sealed, Source: r.PasswordSource, Extra: r.Extra,
	}
}

// row returns the row without its password.
func (r rowRecord) row() batch.Row {
	return batch.Row{
		Number: r.Row, Line: r.Line, UserID: r.UserID, DeviceID: r.DeviceID,
		SIPID: r.SIPID, Email: r.Email, PasswordSource: r.Source, Extra: r.Extra,
	}
}

func toResultRecord(kind string, r batch.Result) resultRecord {
	record := resultRecord{
		Type: kind, Row: r.Row, Outcome: r.Outcome,
		Attempts: r.Attempts.Count, Doubt: r.Attempts.Doubt, Refused: r.Attempts.Refused, Reissued: r.Attempts.Reissued,
		FirstSent: r.Attempts.FirstSent.UTC(), At: r.Finished.UTC(),
		HTTPCode: r.Receipt.HTTPCode, Code: r.Receipt.Code, Status: r.Receipt.Status,
		RequestID: r.Receipt.RequestID, ErrorCode: r.Receipt.ErrorCode,
		Message: r.Receipt.ErrorMessage, Description: r.Receipt.ErrorDescription,
		Throttled: r.Receipt.Feedback.Throttled, Note: r.Note,
	}
	if r.Receipt.Feedback.HasRetryAfter {
		record.Held = record.At.Add(r.Receipt.Feedback.RetryAfter)
	}
	return record
}

func (r resultRecord) result() batch.Result {
	return batch.Result{
		Row: r.Row, Outcome: r.Outcome, Note: r.Note, Finished: r.At,
		Attempts: batch.Attempts{Count: r.Attempts, Doubt: r.Doubt, FirstSent: r.FirstSent, Refused: r.Refused, Reissued: r.Reissued},
		Receipt: batch.Receipt{
			HTTPCode: r.HTTPCode, Code: r.Code, Status: r.Status, RequestID: r.RequestID,
			ErrorCode: r.ErrorCode, ErrorMessage: r.Message, ErrorDescription: r.Description,
		},
	}
}

// Every line ends in a checksum of what stands before it, as the last member
// of its object: a line stays one JSON object, and is checked without parsing.
const (
	sumMember = `,"crc":"`
	sumLength = len(sumMember) + len(`00000000"}`)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine appends a record as a line with its checksum. Text that JSON
// could escape for a browser's sake stays as it is, for whoever reads a journal.
func appendLine(buf []byte, record any) ([]byte, error) {
	line := bytes.NewBuffer(buf)
	encoder := json.NewEncoder(line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(record); err != nil {
		return buf, err
	}
	open := bytes.TrimSuffix(line.Bytes(), []byte("}\n"))
	return append(appendSum(open, open[len(buf):]), '\n'), nil
}

// appendSum appends what ends the line of an object that lacks its closing brace.
func appendSum(buf, object []byte) []byte {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(object, castagnoli))
	return append(hex.AppendEncode(append(buf, sumMember...), sum[:]), `"}`...)
}

// intact reports whether line, without its line end, is what was written.
func intact(line []byte) bool {
	var sum [sumLength]byte
	at := len(line) - sumLength
	return at >= 0 && bytes.Equal(line[at:], appendSum(sum[:0], line[:at]))
}

const lineStart = `{"type":"`

// kindOf returns the kind of an intact line. It relies on appendLine, and on the
// records, whose first member is the kind.
func kindOf(line []byte) string {
	rest, ok := bytes.CutPrefix(line, []byte(lineStart))
	if !ok {
		return ""
	}
	kind, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(kind)
}

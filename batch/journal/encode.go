package journal

import (
	"encoding/json"
	"strconv"
	"time"
)

// A record is one line of a journal. Records that come once for every row or
// request write themselves, since reflection would take a good part of a fast
// run's time; the others are left to encoding/json.
type record interface {
	// appendTo appends the record as a JSON object without its closing brace,
	// the member "type" first.
	appendTo(buf []byte) []byte
}

func (r headerRecord) appendTo(buf []byte) []byte  { return appendJSON(buf, r) }
func (r plannedRecord) appendTo(buf []byte) []byte { return appendJSON(buf, r) }
func (r sessionRecord) appendTo(buf []byte) []byte { return appendJSON(buf, r) }
func (r markRecord) appendTo(buf []byte) []byte    { return appendJSON(buf, r) }
func (r reissueRecord) appendTo(buf []byte) []byte { return appendJSON(buf, r) }
func (r stopRecord) appendTo(buf []byte) []byte    { return appendJSON(buf, r) }

// appendJSON appends a struct of the kinds above, which always marshal.
func appendJSON(buf []byte, r any) []byte {
	object, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return append(buf, object[:len(object)-1]...)
}

func (r rowRecord) appendTo(buf []byte) []byte {
	w := object(buf, kindRow)
	w.number("row", r.Row)
	w.number("line", r.Line)
	w.text("user_id", r.UserID)
	w.text("device_id", r.DeviceID)
	w.optional("sip_id", r.SIPID)
	w.optional("email", r.Email)
	w.text("password", r.Password)
	w.text("source", string(r.Source))
	if len(r.Extra) > 0 {
		w.texts("extra", r.Extra)
	}
	return w
}

func (r sendRecord) appendTo(buf []byte) []byte {
	w := object(buf, kindSend)
	w.number("row", r.Row)
	w.number("attempts", r.Attempts)
	w.time("at", r.At)
	return w
}

func (r resultRecord) appendTo(buf []byte) []byte {
	w := object(buf, r.Type)
	w.number("row", r.Row)
	w.text("outcome", r.Outcome.String())
	w.count("attempts", r.Attempts)
	if r.Doubt {
		w.flag("doubt")
	}
	w.count("reissued", r.Reissued)
	w.time("first_sent_at", r.FirstSent)
	w.time("at", r.At)
	w.count("http_code", r.HTTPCode)
	w.optional("code", r.Code)
	w.optional("status", r.Status)
	w.optional("request_id", r.RequestID)
	w.optional("error_code", r.ErrorCode)
	w.optional("error_message", r.Message)
	w.optional("error_description", r.Description)
	if r.Throttled {
		w.flag("throttled")
	}
	w.time("held_until", r.Held)
	w.optional("note", r.Note)
	return w
}

// members is an object in the making. Optional members are left out where they
// are zero, as the struct tags of the records say.
type members []byte

func object(buf []byte, kind string) members {
	return append(append(append(buf, `{"type":"`...), kind...), '"')
}

func (w *members) name(name string) {
	*w = append(append(append(*w, `,"`...), name...), `":`...)
}

func (w *members) number(name string, n int) {
	w.name(name)
	*w = strconv.AppendInt(*w, int64(n), 10)
}

func (w *members) count(name string, n int) {
	if n != 0 {
		w.number(name, n)
	}
}

func (w *members) flag(name string) {
	w.name(name)
	*w = append(*w, "true"...)
}

func (w *members) text(name, text string) {
	w.name(name)
	*w = appendString(*w, text)
}

func (w *members) optional(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *members) texts(name string, texts []string) {
	w.name(name)
	separator := byte('[')
	for _, text := range texts {
		*w = appendString(append(*w, separator), text)
		separator = ','
	}
	*w = append(*w, ']')
}

func (w *members) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	w.name(name)
	*w = append(*w, '"')
	*w = t.AppendFormat(*w, time.RFC3339Nano)
	*w = append(*w, '"')
}

// appendString appends a JSON string. Whatever is not plain ASCII is left to
// encoding/json.
func appendString(buf []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // strings always marshal
			}
			return append(buf, quoted...)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, text...)
	return append(buf, '"')
}

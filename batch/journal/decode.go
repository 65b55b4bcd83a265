package journal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"siprotate/batch"
)

// decode reads a line that encode.go wrote into one of the records that it
// writes itself. It knows just the shape that it wrote; everything else is left
// to encoding/json.
func decode(line []byte, r interface{ set(name, value []byte) bool }) error {
	if walk(line, r.set) {
		return nil
	}
	return json.Unmarshal(line, r)
}

// walk calls set with each member of a flat object: its name, and its value as
// it stands, a string in its quotes. It stops and returns false
// at whatever it does not know, or set does not.
func walk(line []byte, set func(name, value []byte) bool) bool {
	rest, ok := bytes.CutPrefix(line, []byte("{"))
	for ok {
		var name, value []byte
		if name, rest, ok = cutString(rest); !ok {
			return false
		}
		if rest, ok = bytes.CutPrefix(rest, []byte(":")); !ok {
			return false
		}
		if value, rest, ok = cutValue(rest); !ok || !set(name[1:len(name)-1], value) {
			return false
		}
		if string(rest) == "}" {
			return true
		}
		rest, ok = bytes.CutPrefix(rest, []byte(","))
	}
	return false
}

// cutString cuts a string of plain ASCII without escapes, with its quotes, off
// the front.
func cutString(text []byte) (value, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, false
	}
	for i, c := range text[1:] {
		switch {
		case c == '"':
			return text[:i+2], text[i+2:], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

func cutValue(text []byte) (value, rest []byte, ok bool) {
	if len(text) == 0 {
		return nil, nil, false
	}
	switch text[0] {
	case '"':
		return cutString(text)
	case '[':
		return cutStrings(text)
	}
	end := bytes.IndexAny(text, ",}")
	if end <= 0 {
		return nil, nil, false
	}
	return text[:end], text[end:], true
}

// cutStrings cuts a list of strings without escapes off the front.
func cutStrings(text []byte) (value, rest []byte, ok bool) {
	rest = text
	for len(rest) > 0 && (rest[0] == '[' || rest[0] == ',') {
		if _, rest, ok = cutString(rest[1:]); !ok {
			return nil, nil, false
		}
	}
	if len(rest) == 0 || rest[0] != ']' {
		return nil, nil, false
	}
	rest = rest[1:]
	return text[:len(text)-len(rest)], rest, true
}

func (r *rowRecord) set(name, value []byte) bool {
	switch string(name) {
	case "type":
		return setString(&r.Type, value)
	case "row":
		return setInt(&r.Row, value)
	case "line":
		return setInt(&r.Line, value)
	case "user_id":
		return setString(&r.UserID, value)
	case "device_id":
		return setString(&r.DeviceID, value)
	case "sip_id":
		return setString(&r.SIPID, value)
	case "email":
		return setString(&r.Email, value)
	case "password":
		return setString(&r.Password, value)
	case "source":
		return setString(&r.Source, value)
	case "extra":
		return setStrings(&r.Extra, value)
	case "crc":
		return value[0] == '"'
	}
	return false
}

func (r *sendRecord) set(name, value []byte) bool {
	switch string(name) {
	case "type":
		return setString(&r.Type, value)
	case "row":
		return setInt(&r.Row, value)
	case "attempts":
		return setInt(&r.Attempts, value)
	case "at":
		return setTime(&r.At, value)
	case "crc":
		return value[0] == '"'
	}
	return false
}

func (r *resultRecord) set(name, value []byte) bool {
	switch string(name) {
	case "type":
		return setString(&r.Type, value)
	case "row":
		return setInt(&r.Row, value)
	case "outcome":
		return setOutcome(&r.Outcome, value)
	case "attempts":
		return setInt(&r.Attempts, value)
	case "reissued":
		return setInt(&r.Reissued, value)
	case "first_sent_at":
		return setTime(&r.FirstSent, value)
	case "at":
		return setTime(&r.At, value)
	case "http_code":
		return setInt(&r.HTTPCode, value)
	case "code":
		return setString(&r.Code, value)
	case "status":
		return setString(&r.Status, value)
	case "request_id":
		return setString(&r.RequestID, value)
	case "crc":
		return value[0] == '"'
	}
	return false // the rest belongs to rows that did not simply succeed
}

func setString[S ~string](to *S, value []byte) bool {
	if value[0] != '"' {
		return false
	}
	*to = S(value[1 : len(value)-1])
	return true
}

func setStrings(to *[]string, value []byte) bool {
	if value[0] != '[' {
		return false
	}
	texts := make([]string, 0, 4)
	for rest := value; rest[0] != ']'; {
		text, after, _ := cutString(rest[1:])
		texts, rest = append(texts, string(text[1:len(text)-1])), after
	}
	*to = texts
	return true
}

func setInt(to *int, value []byte) bool {
	n, err := strconv.Atoi(string(value))
	*to = n
	return err == nil && string(value) == strconv.Itoa(n)
}

func setTime(to *time.Time, value []byte) bool {
	return value[0] == '"' && to.UnmarshalText(value[1:len(value)-1]) == nil
}

func setOutcome(to *batch.Outcome, value []byte) bool {
	return value[0] == '"' && to.UnmarshalText(value[1:len(value)-1]) == nil
}

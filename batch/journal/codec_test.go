package journal

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"siprotate/batch"
)

func anyTime(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "none") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
}

func anyResult(t *rapid.T) resultRecord {
	text, count := rapid.String(), rapid.IntRange(0, 1e9)
	return resultRecord{
		Type: rapid.SampledFrom([]string{kindResult, kindTried}).Draw(t, "type"), Row: count.Draw(t, "row"),
		Outcome: rapid.SampledFrom(batch.Outcomes).Draw(t, "outcome"), Attempts: count.Draw(t, "attempts"),
		Doubt: rapid.Bool().Draw(t, "doubt"), Reissued: count.Draw(t, "reissued"),
		FirstSent: anyTime(t), At: anyTime(t), HTTPCode: count.Draw(t, "http"), Code: text.Draw(t, "code"),
		Status: text.Draw(t, "status"), RequestID: text.Draw(t, "id"), ErrorCode: text.Draw(t, "error"),
		Message: text.Draw(t, "message"), Description: text.Draw(t, "description"),
		Throttled: rapid.Bool().Draw(t, "throttled"), Held: anyTime(t), Note: text.Draw(t, "note"),
	}
}

func anyRow(t *rapid.T) rowRecord {
	text := rapid.String()
	row := rowRecord{
		Type: kindRow, Row: rapid.Int().Draw(t, "row"), Line: rapid.Int().Draw(t, "line"),
		UserID: text.Draw(t, "user"), DeviceID: text.Draw(t, "device"), SIPID: text.Draw(t, "sip"), Email: text.Draw(t, "email"),
		Password: text.Draw(t, "password"), Source: batch.PasswordSource(text.Draw(t, "source")),
	}
	if extra := rapid.SliceOf(text).Draw(t, "extra"); len(extra) > 0 {
		row.Extra = extra
	}
	return row
}

// What the records write themselves is what encoding/json would write, and
// comes back as it was, by way of both decoders.
func TestRecordsWriteJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkRecord(t, anyResult(t))
		checkRecord(t, anyRow(t))
		checkRecord(t, sendRecord{Type: kindSend, Row: rapid.Int().Draw(t, "row"), Attempts: rapid.Int().Draw(t, "attempts"), At: anyTime(t)})
	})
}

func checkRecord[R record, P interface {
	*R
	set(name, value []byte) bool
}](t *rapid.T, r R) {
	line := appendLine(nil, r)
	if !intact(line[:len(line)-1]) || line[len(line)-1] != '\n' {
		t.Fatalf("not an intact line: %s", line)
	}
	var fast, plain R
	if err := decode(line[:len(line)-1], P(&fast)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &plain); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, fast) + cmp.Diff(r, plain); diff != "" {
		t.Fatalf("%s\n%s", line, diff)
	}
}

// FuzzDecode feeds lines of any content to the decoder of our own shape: where
// it takes one, encoding/json reads the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"result","row":3,"outcome":"rotated","attempts":1,"at":"2026-03-01T20:00:00Z","http_code":200,"crc":"00000000"}`))
	f.Add([]byte(`{"type":"row","row":3,"user_id":"u","extra":["a","b"],"crc":"00000000"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		compareDecoders(t, line, new(resultRecord), new(resultRecord))
		compareDecoders(t, line, new(rowRecord), new(rowRecord))
		compareDecoders(t, line, new(sendRecord), new(sendRecord))
	})
}

func compareDecoders[P interface{ set(name, value []byte) bool }](t *testing.T, line []byte, fast, plain P) {
	if !walk(line, fast.set) {
		return
	}
	if err := json.Unmarshal(line, plain); err != nil {
		t.Fatalf("encoding/json refuses what was taken: %v", err)
	}
	if diff := cmp.Diff(plain, fast); diff != "" {
		t.Fatal(diff)
	}
}

func BenchmarkResultRecord(b *testing.B) {
	r := toResultRecord(kindResult, result(1, batch.Rotated))
	r.ErrorCode, r.Message, r.Description, r.Note = "", "", "", ""
	var line []byte
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			line = appendLine(line[:0], r)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			var back resultRecord
			if err := decode(line[:len(line)-1], &back); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package journal

import (
	"bytes"
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
		Doubt: text.Draw(t, "doubt"), Refused: count.Draw(t, "refused"), Reissued: count.Draw(t, "reissued"),
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

// Whatever a record holds stands in one line with a checksum, the kind first,
// and comes back as it was.
func TestRecordsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkRecord(t, anyResult(t))
		checkRecord(t, anyRow(t))
		checkRecord(t, sendRecord{Type: kindSend, Row: rapid.Int().Draw(t, "row"), Attempts: rapid.Int().Draw(t, "attempts"), At: anyTime(t)})
	})
}

func checkRecord[R any](t *rapid.T, r R) {
	line, err := appendLine(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	object, rest, _ := bytes.Cut(line, []byte("\n"))
	if !intact(object) || len(rest) > 0 || kindOf(object) == "" {
		t.Fatalf("not an intact line: %q", line)
	}
	var back R
	if err := json.Unmarshal(object, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Fatalf("%s\n%s", line, diff)
	}
}

func BenchmarkResultRecord(b *testing.B) {
	r := toResultRecord(kindResult, result(1, batch.Rotated))
	r.ErrorCode, r.Message, r.Description, r.Note = "", "", "", ""
	var line []byte
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			line, _ = appendLine(line[:0], r)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			var back resultRecord
			if err := json.Unmarshal(line[:len(line)-1], &back); err != nil {
				b.Fatal(err)
			}
		}
	})
}

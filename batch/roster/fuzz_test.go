package roster

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"siprotate/batch"
)

// FuzzRead feeds any bytes. Whatever they are, rows come in order and each one
// is taken, refused or faulted.
func FuzzRead(f *testing.F) {
	rows := [][]string{
		{"user_id", "device_id", "password", "note"},
		{userA, "490038", "Sample-Only-01!", "a \"b\"\r\nc"},
		{userB, "490039", "", "é"},
		{userB, "490039", "", ""},
	}
	for _, encode := range encodings {
		for _, comma := range commas {
			f.Add([]byte(encode(spell(rows, comma, lineEnds...))), false)
			f.Add([]byte(encode("sep="+comma+"\r"+spell(rows[:3], comma, "\r"))), true)
		}
	}
	for _, text := range []string{
		"", "\n", ",\n", "\"", "user_id,device_id", "user_id,device_id\na,b,\"", "user_id,device_id,passwrod\n..,4.9E+05,x\n",
		"user_id,device_id\n\"a\n,\"b\",c\n\r\r\nx\"y\n", "\xff\xfe\x00\xd8", "\xef\xbb\xbf", "PK\x03\x04", "user_id;device_id\n#N/A;='1\n\x00;\xff\n",
	} {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	f.Fuzz(func(t *testing.T, input []byte, skipInvalid bool) {
		o := plain()
		o.SkipInvalid, o.MaxCell = skipInvalid, 256
		l := new(ledger)
		s, err := Read(bytes.NewReader(input), o, l)
		var faults *batch.Faults
		if err != nil && !errors.As(err, &faults) {
			t.Fatalf("no fault of the input: %v", err)
		}
		checkFaults(t, faults)
		checkLedger(t, l, s, len(input))
		if faults == nil && (len(l.rows) != s.Rows || s.Rows == 0 || s.SHA256 == "" || len(l.refused) != s.Refused) {
			t.Fatalf("%d rows added, %d refused: %+v", len(l.rows), len(l.refused), s)
		}
		if !skipInvalid && len(l.refused) > 0 {
			t.Fatalf("refused %v", l.refused)
		}
	})
}

func checkFaults(t *testing.T, faults *batch.Faults) {
	if faults == nil {
		return
	}
	if faults.Total == 0 || len(faults.First) != min(faults.Total, batch.MaxFaults) {
		t.Fatalf("%d of %d faults", len(faults.First), faults.Total)
	}
	line := 0
	for _, f := range faults.First {
		if f.Line < line || strings.ContainsAny(f.Error()+f.Hint, "\x00\x1b\r\n") {
			t.Fatalf("below line %d: %q", line, f.Error())
		}
		line = f.Line
	}
}

func checkLedger(t *testing.T, l *ledger, s Summary, size int) {
	line := 0
	for i, row := range l.rows {
		_, refused := l.refused[row.Number]
		switch {
		case row.Number != i+1 || row.Line <= line || row.Line > size:
			t.Fatalf("row %d is number %d in line %d, below line %d", i+1, row.Number, row.Line, line)
		case len(row.Extra) != len(s.Columns):
			t.Fatalf("row %d has %d others for %d columns", row.Number, len(row.Extra), len(s.Columns))
		case !refused && (row.UserID == "" || row.DeviceID == "" || row.Password == ""):
			t.Fatalf("row %d is no row to send: %+v", row.Number, row)
		}
		line = row.Line
	}
}

package roster

import (
	"bytes"
	"strings"
	"testing"

	"siprotate/batch"
)

// FuzzRows feeds any bytes. Whatever they are, rows come in order and each one
// names a device or says what is wrong.
func FuzzRows(f *testing.F) {
	rows := [][]string{
		{"user_id", "device_id", "password", "note"},
		{userA, "490038", "Sample-Only-01!", "a \"b\"\r\nc"},
		{userB, "490039", "", "é"},
		{userB, "490039", "", ""},
	}
	for _, encode := range encodings {
		for _, comma := range commas {
			f.Add([]byte(encode(spell(rows, comma, lineEnds...))))
			f.Add([]byte(encode("sep=" + comma + "\r" + spell(rows[:3], comma, "\r"))))
		}
	}
	for _, text := range []string{
		"", "\n", ",\n", "\"", "user_id,device_id", "user_id,device_id\na,b,\"", "user_id,device_id,passwrod\n..,4.9E+05,x\n",
		"user_id,device_id\n\"a\n,\"b\",c\n\r\r\nx\"y\n", "\xff\xfe\x00\xd8", "\xef\xbb\xbf", "PK\x03\x04", "user_id;device_id\n#N/A;='1\n\x00;\xff\n",
		"#TYPE A.B\n\"user\nid\",\"user\r\nid\",e-mail\nx,y,\x1b@z", "user_id\tpassword\na\tb\\tc9",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r, err := Reader("users.csv", bytes.NewReader(input), plain())
		must(t, err)
		r.maxCell = 256
		got := collect(r)
		if got.err != nil {
			t.Fatalf("no fault of the input: %v", got.err)
		}
		checkFaults(t, &got.faults)
		checkRows(t, got.rows, len(r.Columns()), len(input))
		if got.ofFile == 0 && (len(got.rows) == 0 || r.digest == "" || got.rows[len(got.rows)-1].Number != len(got.rows)) {
			t.Fatalf("%d rows, digest %q", len(got.rows), r.digest)
		}
		if again := collect(r); len(again.rows) != len(got.rows) || again.faults.Total != got.faults.Total {
			t.Fatalf("another pass gave %d rows and %d faults, not %d and %d",
				len(again.rows), again.faults.Total, len(got.rows), got.faults.Total)
		}
	})
}

func checkFaults(t *testing.T, faults *batch.Faults) {
	if len(faults.First) != min(faults.Total, batch.MaxFaults) {
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

// checkRows wants rows in order, each of which names a device or is faulty.
func checkRows(t *testing.T, rows []flat, columns, size int) {
	number, line := 0, 0
	for _, row := range rows {
		switch {
		case row.Number <= number || row.Line <= line || row.Line > size:
			t.Fatalf("row %d is in line %d, below row %d in line %d", row.Number, row.Line, number, line)
		case len(row.Extra) != columns:
			t.Fatalf("row %d has %d others for %d columns", row.Number, len(row.Extra), columns)
		case row.Faults == nil && row.UserID == "" && row.SIPID == "" && row.Email == "":
			t.Fatalf("row %d names no device: %+v", row.Number, row)
		}
		number, line = row.Number, row.Line
	}
}

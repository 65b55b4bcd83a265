package roster

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// utf16Text returns a text in UTF-16 with its byte order mark.
func utf16Text(text string, bigEndian bool) string {
	var order binary.AppendByteOrder = binary.LittleEndian
	if bigEndian {
		order = binary.BigEndian
	}
	out := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

var encodings = map[string]func(string) string{
	"UTF-8":           func(s string) string { return s },
	"UTF-8 with mark": func(s string) string { return "\ufeff" + s },
	"UTF-16LE":        func(s string) string { return utf16Text(s, false) },
	"UTF-16BE":        func(s string) string { return utf16Text(s, true) },
}

var (
	commas   = []string{",", ";", "\t"}
	lineEnds = []string{"\n", "\r\n", "\r"}
)

// spell writes records with encoding/csv, which keeps the line breaks inside
// cells, and puts the line ends in turn between them.
func spell(records [][]string, comma string, ends ...string) string {
	var out strings.Builder
	for i, record := range records {
		var line bytes.Buffer
		w := csv.NewWriter(&line)
		w.Comma = rune(comma[0])
		w.Write(record)
		w.Flush()
		out.WriteString(strings.TrimSuffix(line.String(), "\n") + ends[i%len(ends)])
	}
	return out.String()
}

// lenient are options that take any password.
func lenient() Options {
	o := plain()
	o.CheckPassword = func(string) error { return nil }
	return o
}

// TestMatrix reads one table in every spelling.
func TestMatrix(t *testing.T) {
	records := [][]string{
		{"uuid", "device_id", "password", "note"},
		{userA, "490038", "a,b;c\td", "crlf\r\ncr\rlf\n\"quoted\""},
		{userB, "490039", "", "ünï,cödé;\U0001f4de"},
		{userC, "490040", " spaces ", ""},
	}
	var want *reading
	for name, encode := range encodings {
		for _, comma := range commas {
			for i, end := range lineEnds {
				for _, sep := range []string{"", "sep=" + comma + end} {
					ends := []string{end, end}
					if sep == "" {
						ends[1] = lineEnds[(i+1)%3] // mixed
					}
					text := encode(sep + spell(records, comma, ends...))
					got := collect(openText(t, text, lenient()))
					if got.err != nil || got.faults.Total > 0 {
						t.Fatalf("%s %q %q %q: %v %v", name, comma, ends, sep, got.err, got.lines())
					}
					if sep != "" {
						for i := range got.rows {
							got.rows[i].Line--
						}
					}
					if want == nil {
						want = &got
						for i, row := range got.rows {
							if row.Password != records[i+1][2] || row.Extra[0] != records[i+1][3] {
								t.Fatalf("row %d: %+v", i, row)
							}
						}
					}
					if diff := cmp.Diff(want.rows, got.rows); diff != "" {
						t.Errorf("%s %q %q %q: %s", name, comma, ends, sep, diff)
					}
				}
			}
		}
	}
}

// cellText draws the text of a cell, rich in what means something to a reader.
func cellText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringOf(rapid.SampledFrom([]rune("ab \"',;\t\r\n=é\ufeff\u2028"))),
		rapid.String().Filter(func(s string) bool {
			return utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\ufffd")
		}),
	)
}

// TestBytesAreKept reads back whatever encoding/csv writes.
func TestBytesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		others := rapid.IntRange(0, 4).Draw(t, "others")
		records := [][]string{{"user_id", "device_id", "password"}}
		for i := range others {
			records[0] = append(records[0], "column "+strconv.Itoa(i))
		}
		for i := range rapid.IntRange(1, 5).Draw(t, "rows") {
			record := []string{userA, strconv.Itoa(i)}
			for range others + 1 {
				record = append(record, cellText().Draw(t, "cell"))
			}
			records = append(records, record)
		}
		comma := rapid.SampledFrom(commas).Draw(t, "comma")
		for _, record := range records[1:] {
			if comma == "\t" { // what may be an escape there is refused in a password
				record[2] = strings.ReplaceAll(record[2], `\`, "/")
			}
		}
		ends := rapid.SliceOfN(rapid.SampledFrom(lineEnds), 1, 4).Draw(t, "line ends")
		encoding := rapid.SampledFrom([]string{"UTF-8", "UTF-8 with mark", "UTF-16LE", "UTF-16BE"}).Draw(t, "encoding")

		r, err := Reader("users.csv", strings.NewReader(encodings[encoding](spell(records, comma, ends...))), lenient())
		must(t, err)
		read := collect(r)
		if read.err != nil || read.faults.Total > 0 {
			t.Fatal(read.err, read.lines())
		}
		var got [][]string
		for _, row := range read.rows {
			got = append(got, append([]string{row.UserID, row.DeviceID, row.Password}, row.Extra...))
		}
		if diff := cmp.Diff(records[1:], got); diff != "" {
			t.Fatal(diff)
		}
	})
}

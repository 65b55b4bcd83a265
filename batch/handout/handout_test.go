package handout

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"siprotate/batch"
	"siprotate/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var columns = []string{"mac", "team name"}

// awkward is a password that every format has to escape.
const awkward = `Sample,"<&>'#;%{\1é`

func entry(n int, o batch.Outcome) batch.Entry {
	return batch.Entry{
		Row: batch.Row{
			Number: n, Line: n + 1, UserID: fmt.Sprintf("user-%d", n), DeviceID: fmt.Sprint(490000 + n),
			SIPID: fmt.Sprintf("sip:sample%d@voip.example", n), Email: fmt.Sprintf("sample%d@example.com", n),
			Password: batch.NewSecret(fmt.Sprintf("%s-%d", awkward, n)), PasswordSource: batch.Generated,
			Extra: []string{fmt.Sprintf("00aabbccdd%02d", n), "A \"B\"\nC"},
		},
		Result: batch.Result{Row: n, Outcome: o, Attempts: batch.Attempts{Count: 1}},
	}
}

// entries are those of a run in which something of everything happened.
func entries() []batch.Entry {
	all := []batch.Entry{
		entry(1, batch.Rotated), entry(2, batch.Failed), entry(3, batch.Unknown), entry(4, batch.NotAttempted), entry(5, batch.Rotated),
	}
	all[2].Beside = []batch.Kept{{Password: batch.NewSecret("Sample-before-3")}}
	all[4].Row.SIPID, all[4].Row.Extra = "", nil
	return all
}

func sequence(all []batch.Entry) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

var everything = Selection{Outcomes: []batch.Outcome{batch.Rotated, batch.Unknown}}

func pick(s Selection) iter.Seq2[Credential, error] { return s.Pick(sequence(entries()), new(int)) }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func write(t *testing.T, f Format) []byte {
	t.Helper()
	var text bytes.Buffer
	n, err := Write(&text, f, columns, pick(everything))
	if err != nil || n != 4 {
		t.Fatalf("%d: %v", n, err)
	}
	return text.Bytes()
}

func TestFormats(t *testing.T) {
	for _, f := range append([]Format{SealedCSV}, Formats...) {
		golden(t, strings.ReplaceAll(f.Name, " ", "-")+".golden", write(t, f))
	}
}

// Memory stays flat: what is handed out is not kept until the end.
func TestBitwardenStreams(t *testing.T) {
	var text bytes.Buffer
	w := Bitwarden.New(&text, columns)
	for c, err := range pick(everything) {
		must(t, err)
		before := text.Len()
		must(t, w.Write(&c))
		if text.Len() == before {
			t.Errorf("row %d is kept until the end", c.Row.Number)
		}
	}
	must(t, w.Close())

	text.Reset()
	must(t, Bitwarden.New(&text, columns).Close())
	const none = "{\n  \"encrypted\": false,\n  \"folders\": [],\n  \"items\": []\n}\n"
	if text.String() != none {
		t.Errorf("without a row: %s", text.String())
	}
}

// The passwords, as each format's own parser reads them.
func TestPasswordsSurviveTheirParsers(t *testing.T) {
	want := []string{awkward + "-1", awkward + "-3", "Sample-before-3", awkward + "-5"}
	column := func(text []byte, at int) (got []string) {
		lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		must(t, err)
		for _, line := range lines[1:] {
			got = append(got, line[at])
		}
		return got
	}
	var lines, items []string
	decoder := json.NewDecoder(bytes.NewReader(write(t, JSONL)))
	for {
		var o struct{ Password string }
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else {
			must(t, err)
		}
		lines = append(lines, o.Password)
	}
	var export struct {
		Encrypted bool
		Items     []struct {
			Type  int
			Name  string
			Login struct{ Password string }
		}
	}
	must(t, json.Unmarshal(write(t, Bitwarden), &export))
	for _, item := range export.Items {
		items = append(items, item.Login.Password)
		if item.Type != 1 || item.Name == "" || export.Encrypted {
			t.Errorf("not a login: %+v", item)
		}
	}
	for name, got := range map[string][]string{
		"csv": column(write(t, CSV), 5), "1password": column(write(t, OnePassword), 3), "jsonl": lines, "bitwarden": items,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The CSV is that of a run's credentials.csv.
func TestCSVIsThatOfTheReport(t *testing.T) {
	all := entries()
	all[2].Beside = nil
	var want, got bytes.Buffer
	_, err := report.Render(&want, report.Run{Columns: columns}, sequence(all), report.CredentialsCSV)
	must(t, err)
	_, err = Write(&got, CSV, columns, everything.Pick(sequence(all), new(int)))
	must(t, err)
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsSelected(t *testing.T) {
	rows := func(text string) Rows {
		r, err := ParseRows(text)
		must(t, err)
		return r
	}
	unknown := []batch.Outcome{batch.Unknown}
	for name, c := range map[string]struct {
		s    Selection
		want string
		held int
	}{
		"in force":          {Selection{}, "1 5", 1},
		"in doubt":          {Selection{Outcomes: unknown}, "3 3", 0},
		"some rows":         {Selection{Rows: rows("1-2, 4")}, "1", 0},
		"overlapping":       {Selection{Rows: rows("1,1-9,9")}, "1 5", 1},
		"by email":          {Selection{User: "SAMPLE5@example.com"}, "5", 0},
		"by user id":        {Selection{User: "USER-1"}, "1", 0},
		"by SIP id":         {Selection{User: "sample1"}, "1", 0},
		"by contact URI":    {Selection{User: "sip:sample1"}, "1", 0},
		"nobody":            {Selection{User: "sample"}, "", 0},
		"the doubtful":      {Selection{User: "sample3"}, "", 1},
		"another's outcome": {Selection{User: "sample1", Outcomes: unknown}, "", 0},
	} {
		held := 99
		var got []string
		for c, err := range c.s.Pick(sequence(entries()), &held) {
			must(t, err)
			got = append(got, fmt.Sprint(c.Row.Number))
		}
		if strings.Join(got, " ") != c.want || held != c.held {
			t.Errorf("%s: rows %q, %d held back, want %q, %d", name, got, held, c.want, c.held)
		}
	}
	for _, bad := range []string{"", "x", "0", "3-", "-3", "5-3", "1,,2", "1-2-3", "+-1"} {
		if _, err := ParseRows(bad); !errors.Is(err, ErrRows) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestASealedPasswordIsAnError(t *testing.T) {
	all := entries()
	all[4].Row.Password, all[4].Row.Sealed = batch.Secret{}, "c2FtcGxl"
	var text bytes.Buffer
	n, err := Write(&text, CSV, columns, Selection{}.Pick(sequence(all), new(int)))
	if n != 1 || !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "row 5") {
		t.Errorf("%d: %v", n, err)
	}
}

func TestEscapes(t *testing.T) {
	type escape = func(string) (string, error)
	read := map[string]struct {
		escape escape
		parse  func(string) (string, error)
	}{
		"xml": {escapeXML, func(text string) (string, error) {
			var v struct {
				A string `xml:"a,attr"`
				B string `xml:"b"`
			}
			err := xml.Unmarshal([]byte(`<v a="`+text+`"><b>`+text+`</b></v>`), &v)
			if v.A != v.B {
				return "", fmt.Errorf("%q in an attribute, %q in an element", v.A, v.B)
			}
			return v.A, err
		}},
		"json": {escapeJSON, func(text string) (s string, err error) {
			err = json.Unmarshal([]byte(text), &s)
			return s, err
		}},
		"ini": {escapeINI, func(text string) (string, error) {
			inner := strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`)
			return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(inner), nil
		}},
		"line": {oneLine, func(text string) (string, error) { return strings.TrimSpace(text), nil }},
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{awkward, "", " ", "\n", "'", `\"`, "a\x00b", "\xff"})).Draw(rt, "text")
		for name, r := range read {
			escaped, err := r.escape(text)
			if err != nil {
				if text != "" && len(text) > 3 && strings.Contains(err.Error(), text) {
					rt.Errorf("%s: the error quotes the text", name)
				}
				continue // it says that it cannot
			}
			if got, err := r.parse(escaped); err != nil || got != text {
				rt.Errorf("%s: %q became %q, read as %q: %v", name, text, escaped, got, err)
			}
		}
	})
	for name, r := range read {
		if _, err := r.escape(awkward); err != nil {
			t.Errorf("%s refuses a password: %v", name, err)
		}
	}
}

func TestShellAndURL(t *testing.T) {
	word, err := escapeShell(awkward + "\n'$(x)`")
	must(t, err)
	if _, err := exec.LookPath("sh"); err == nil {
		got, err := exec.Command("sh", "-c", "printf %s "+word).Output()
		if err != nil || string(got) != awkward+"\n'$(x)`" {
			t.Errorf("the shell reads %q: %v", got, err)
		}
	}
	if got := escapeURL("a b+/?&=%é"); got != "a%20b%2B%2F%3F%26%3D%25%C3%A9" {
		t.Error(got)
	}
	if _, err := escapeShell("a\x00"); err == nil {
		t.Error("a shell gets a NUL")
	}
}

// The aim: 100,000 rows in at most 3 s.
func BenchmarkFormats(b *testing.B) {
	for _, f := range Formats {
		b.Run(f.Name, func(b *testing.B) {
			e := entry(1, batch.Rotated)
			b.ReportAllocs()
			_, err := Write(io.Discard, f, columns, func(yield func(Credential, error) bool) {
				for range b.N {
					if !yield(Of(&e)[0], nil) {
						return
					}
				}
			})
			must(b, err)
		})
	}
}

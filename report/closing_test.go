package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"siprotate/batch"
)

// closingDigest is of a large run with reasons of all shapes.
func closingDigest(t *testing.T) Digest {
	t.Helper()
	entries := make([]batch.Entry, 3000)
	for i := range entries {
		n := i + 1
		switch {
		case n == 17:
			entries[i] = entry(n, batch.Unknown, batch.Receipt{}, "no answer within 30 s; the connection was cut while the answer's body was read")
		case n%97 == 4:
			entries[i] = entry(n, batch.Failed, batch.Receipt{HTTPCode: 404, Code: "404", ErrorCode: "10801", ErrorMessage: "User not found"}, "")
		case n%500 == 9:
			entries[i] = entry(n, batch.Failed, batch.Receipt{HTTPCode: 400, ErrorCode: "1002", ErrorMessage: "无效的参数 \x1b[31mpassword\x1b[0m must have at least 8 characters of 3 classes"}, "")
		case n > 2990:
			entries[i] = entry(n, batch.NotAttempted, batch.Receipt{}, "")
		default:
			entries[i] = entry(n, batch.Rotated, batch.Receipt{HTTPCode: 200}, "")
		}
	}
	people := [][]string{{"Asha", "Rao"}, {"Bilal", "Khan"}, {"Chen", "Li"}, {"\x1b[2J", ""}, {"", ""}}
	teams := []string{"sales", "support", "Vertrieb Süd", "sales", "深圳", ""}
	for i := range entries {
		entries[i].Row.Extra = append(people[i%len(people)], teams[i%len(teams)])
	}
	run := sampleRun()
	run.Columns, run.By, run.Canary = []string{"First Name", "last_name", "Team"}, "team", 3
	run.Requests, run.Throttled = 3021, 2
	run.Stopped = "ten rows in a row failed, the last of them with 404 10801 User not found"
	digest := mustWrite(t, t.TempDir(), run, sequence(entries, nil))
	return digest
}

func closingText(t *testing.T, digest Digest, width int, next string) string {
	t.Helper()
	var b strings.Builder
	if err := digest.Closing(&b, width, next); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestClosingIsGolden(t *testing.T) {
	digest := closingDigest(t)
	for _, width := range []int{30, 60, 80, 200} {
		text := closingText(t, digest, width, "siprotate resume users.run")
		for line := range strings.Lines(text) {
			copied := strings.Contains(line, "users.run")
			if len(strings.Fields(line)) > 1 && uniseg.StringWidth(strings.TrimSuffix(line, "\n")) > width && !copied {
				t.Errorf("wider than %d: %q", width, line)
			}
		}
		golden(t, fmt.Sprintf("closing%d.txt", width), text)
	}
}

func TestClosingOfASmoothRun(t *testing.T) {
	run := sampleRun()
	run.Stopped, run.Throttled, run.Waited, run.Requests = "", 0, 0, 1
	digest := mustWrite(t, t.TempDir(), run, sequence(sampleEntries()[:1], nil))
	golden(t, "closing-smooth.txt", closingText(t, digest, 0, ""))
}

func TestClosingPassesOnTheWritersError(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := (Digest{}).Closing(w, 0, ""); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

// An API with an id in every message must not cost memory for every row.
func TestGroupsAreBounded(t *testing.T) {
	const n = 5000
	counts := newTally(Run{})
	for i := range n {
		message := "twice"
		if i >= 2 {
			message = fmt.Sprintf("request %d: %s", i, strings.Repeat("é", 1000))
		}
		e := entry(i+1, batch.Failed, batch.Receipt{HTTPCode: 500, ErrorMessage: message}, "")
		counts.add(newEntry(e))
	}
	groups := counts.digest().Groups
	if len(groups) != maxGroups+1 || !groups[maxGroups].Rest || groups[0].Message != "twice" {
		t.Fatalf("%d groups, first %+v, last %+v", len(groups), groups[0], groups[len(groups)-1])
	}
	sum := 0
	for _, g := range groups {
		sum += g.Rows
		if len(g.Examples) > maxExamples || len([]rune(g.Message)) > maxReason {
			t.Errorf("group of %d examples and %d characters", len(g.Examples), len([]rune(g.Message)))
		}
	}
	if sum != n {
		t.Errorf("groups add up to %d rows of %d", sum, n)
	}
	text := closingText(t, Digest{Groups: groups}, 0, "")
	if want := "and 4989 rows for other reasons, see the report"; !strings.Contains(text, want) {
		t.Errorf("no %q in:\n%s", want, text)
	}
}

func TestGroupsOfTheSample(t *testing.T) {
	counts := newTally(Run{})
	for _, e := range sampleEntries() {
		counts.add(newEntry(e))
	}
	var got []string
	for _, g := range counts.digest().Groups {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s", g.Outcome, g.code(), g.reason(), g.Who()))
	}
	want := []string{
		`failed|404 10801|User not found: =HYPERLINK("x")\r\n\x1b[2J|agent2@example.com, line 3; agent5@example.com, line 6`,
		"failed|200 409|no such thing as [redacted]|agent3@example.com, line 4",
		"unknown|unknown|the connection was reset|agent4@example.com, line 5",
		"invalid|invalid|password: too short|line 7",
		"not_attempted|429 RATE_LIMIT_EXCEEDED|Rate limit exceeded|agent7@example.com, line 8",
	}
	if !slices.Equal(got, want) {
		t.Errorf("groups:\n%s", strings.Join(got, "\n"))
	}
}

// A password is written byte for byte, so a spreadsheet may run it.
func TestFormulasAmongThePasswords(t *testing.T) {
	entries := sampleEntries()[:4] // two of them stand in credentials.csv
	for i, password := range []string{"=plain-1", "+plain-2", "@plain-3", "＝plain-4"} {
		entries[i].Row.Password = batch.NewSecret(password)
	}
	for want, given := range map[string][]batch.Entry{
		"1 password begins with": entries[:3],
		"2 passwords begin with": entries,
		"":                       sampleEntries(),
	} {
		digest := mustWrite(t, t.TempDir(), sampleRun(), sequence(given, nil))
		text := closingText(t, digest, 200, "")
		if want != "" {
			want += " a character that a spreadsheet takes for a formula: import credentials.csv as text\n"
		}
		if !strings.Contains(text, want) || want == "" && strings.Contains(text, "spreadsheet") {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestWho(t *testing.T) {
	columns := []string{"team", "First-Name", "LAST NAME", "name"}
	full := batch.Row{
		Number: 3, Line: 14, UserID: "u1", DeviceID: "490031", SIPID: "sip:asha", Email: "asha@example.com",
		Password: batch.NewSecret("Placeholder-1"), Extra: []string{"sales", " Asha", "Rao ", "A. Rao"},
	}
	for _, c := range []struct {
		change func(*batch.Entry)
		want   string
	}{
		{func(*batch.Entry) {}, "Asha Rao, line 14"},
		{func(e *batch.Entry) { e.Row.Extra[1] = "" }, "Rao, line 14"},
		{func(e *batch.Entry) { e.Row.Extra[1], e.Row.Extra[2] = "", "" }, "A. Rao, line 14"},
		{func(e *batch.Entry) { e.Row.Extra = nil }, "asha@example.com, line 14"},
		{func(e *batch.Entry) { e.Row.Extra, e.Row.Email = nil, "" }, "sip:asha, line 14"},
		{func(e *batch.Entry) { e.Row.Extra, e.Row.Email, e.Row.SIPID = nil, "", "" }, "u1/490031, line 14"},
		{func(e *batch.Entry) { e.Row.Line = 0 }, "Asha Rao, row 3"}, // not of a file
		{func(e *batch.Entry) { e.Row.Extra[1] = "\x1b[2J" + strings.Repeat("x", 100) }, `\x1b[2J` + strings.Repeat("x", 52) + "…, line 14"},
		{func(e *batch.Entry) { e.Row.Extra[1] = "Placeholder-1" }, "[redacted] Rao, line 14"},
		{func(e *batch.Entry) { e.Result.Outcome = batch.Invalid }, "line 14"},
	} {
		e := batch.Entry{Row: full, Result: batch.Result{Outcome: batch.Failed, Attempts: batch.Attempts{Count: 1}}}
		e.Row.Extra = slices.Clone(full.Extra)
		c.change(&e)
		if got := namesOf(columns).who(newEntry(e)); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// A row whose first request was cut off stays in doubt, whatever was said later.
func TestDoubtIsNotExplainedByALaterRefusal(t *testing.T) {
	refusal := batch.Receipt{HTTPCode: 404, Code: "404", ErrorCode: "10801", ErrorMessage: "User not found"}
	for note, want := range map[string]string{"the connection was cut": "the connection was cut", "": "no verdict came"} {
		code, reason := newEntry(entry(1, batch.Unknown, refusal, note)).Why()
		if code != "" || reason != want {
			t.Errorf("%q: code %q, reason %q", note, code, reason)
		}
	}
	if code, reason := newEntry(entry(1, batch.Failed, refusal, "note")).Why(); code != "404 10801" || reason != "User not found" {
		t.Errorf("failed: code %q, reason %q", code, reason)
	}
}

// A column with an id in it must not cost memory for every row.
func TestPartsAreBounded(t *testing.T) {
	const n = 5000
	run := Run{Columns: []string{"Te am"}, By: "team"}
	counts := newTally(run)
	for i := range n {
		e := entry(i+1, batch.Rotated, batch.Receipt{}, "")
		e.Row.Extra = []string{fmt.Sprintf("%d%s", max(1, i), strings.Repeat("é", 1000))}
		counts.add(newEntry(e))
	}
	digest := counts.digest()
	parts := digest.Summary.By.Values
	if len(parts) != maxGroups+1 || parts[maxGroups].Value != nil || parts[0].Rows != 2 {
		t.Fatalf("%d parts, first %+v, last %+v", len(parts), parts[0], parts[len(parts)-1])
	}
	if all := sum(parts); all.Rows != n || all.Rotated != n {
		t.Errorf("the parts add up to %+v", all)
	}
	text := closingText(t, digest, 0, "")
	if want := "  others  "; strings.Count(text, want) != 1 || !strings.Contains(text, " 4979 of 4979") {
		t.Errorf("no %q in:\n%s", want, text)
	}
}

// The cells of an invalid row may be shifted, and a password among them.
func TestPartsShowNoCellOfInvalidRowsAlone(t *testing.T) {
	counts := newTally(Run{Columns: []string{"team"}, By: "team"})
	for i, row := range []struct {
		outcome batch.Outcome
		team    string
	}{{batch.Invalid, "sales"}, {batch.Rotated, "sales"}, {batch.Invalid, "Pass-word-9"}, {batch.Invalid, ""}, {batch.Rotated, "north"}} {
		e := entry(i+1, row.outcome, batch.Receipt{}, "")
		e.Row.Extra = []string{row.team}
		counts.add(newEntry(e))
	}
	for i := range maxGroups + 1 {
		e := entry(6+i, batch.Invalid, batch.Receipt{}, "")
		e.Row.Extra = []string{"north"}
		if i < maxGroups {
			e.Row.Extra[0] = fmt.Sprint("Pass-word-", 10+i)
		}
		counts.add(newEntry(e))
	}
	digest := counts.digest()
	got := map[string]Counts{}
	for _, p := range digest.Summary.By.Values {
		got[p.Name()] = p.Counts
	}
	want := map[string]Counts{"sales": {Rows: 2, Rotated: 1, Invalid: 1}, "north": {Rows: 2, Rotated: 1, Invalid: 1}, "(none)": {Rows: 2 + maxGroups, Invalid: 2 + maxGroups}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBreakdownOfAMissingColumn(t *testing.T) {
	run := sampleRun()
	run.By = "city"
	digest := mustWrite(t, t.TempDir(), run, sequence(sampleEntries(), nil))
	if text := closingText(t, digest, 0, ""); !strings.Contains(text, "by city:\n  the input has no such column\n") {
		t.Errorf("the closing summary:\n%s", text)
	}
}

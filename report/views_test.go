package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"siprotate/batch"
)

// rendered returns a run in one format.
func rendered(t testing.TB, f Format, run Run, entries []batch.Entry) (string, Digest) {
	t.Helper()
	var b strings.Builder
	digest, err := Render(&b, run, sequence(entries, nil), f)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), digest
}

func TestOptionalFilesAreGolden(t *testing.T) {
	for _, f := range []Format{ReportJSONL, Prometheus} {
		text, _ := rendered(t, f, sampleRun(), sampleEntries())
		golden(t, f.File, text)
	}
}

// The golden page has the names of its style and script in their place.
func TestPageIsGolden(t *testing.T) {
	run := sampleRun()
	run.By, run.Allowance = "team", 50
	entries := sampleEntries()
	for n := 9; n <= 16; n++ { // enough of one kind not to name them all
		entries = append(entries, entry(n, batch.Failed, entries[1].Result.Receipt, ""))
	}
	text, _ := rendered(t, ReportHTML, run, entries)
	golden(t, ReportHTML.File, withoutAssets(text))
}

func TestAgesPageIsGolden(t *testing.T) {
	var b strings.Builder
	err := WriteAgesPage(&b, "exampleaccount", "api.example.com", start, []string{"rotated", "old", "never"}, []DeviceAge{
		{DeviceID: "490031", SIPID: "agent1", Email: "agent1@example.com", State: "never"},
		{DeviceID: "490032", SIPID: "agent2", Email: "agent2@example.com", State: "rotated", RotatedAt: start, Run: "users.run"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "ages.html", withoutAssets(b.String()))
}

func withoutAssets(page string) string {
	return strings.NewReplacer(pageStyle, "page.css", pageScript, "page.js", hash(pageStyle), "'hash of page.css'", hash(pageScript), "'hash of page.js'").Replace(page)
}

func TestByName(t *testing.T) {
	var files []string
	for _, name := range Names() {
		f, ok := ByName(name)
		if !ok {
			t.Errorf("no format %s", name)
		}
		files = append(files, f.File)
	}
	if diff := cmp.Diff([]string{"report.csv", "summary.json", "report.jsonl", "report.html", "siprotate.prom"}, files); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"credentials", "report", "", "CSV"} {
		if f, ok := ByName(name); ok {
			t.Errorf("%q is %s", name, f.File)
		}
	}
}

// An API that repeats the password everywhere must not bring it out.
func TestPasswordStandsInCredentialsOnly(t *testing.T) {
	const canary = "Zebra=Pa55;word"
	said := "refused " + canary + ": <" + canary + ">"
	run := pageRun(3)
	run.Columns = []string{"name"}
	var entries []batch.Entry
	for i, outcome := range batch.Outcomes {
		e := entry(i+1, outcome, batch.Receipt{
			HTTPCode: 400, Code: said, Status: said, RequestID: said,
			ErrorCode: said, ErrorMessage: said, ErrorDescription: said,
		}, said)
		e.Row.Password = batch.NewSecret(canary)
		e.Result.Attempts = batch.Attempts{Count: 1, FirstSent: start}
		e.Result.Proof = batch.Proof{Verdict: batch.ProofRefused, Reason: said, Bindings: []batch.Binding{{Contact: said}}}
		e.Row.Extra = []string{"Asha"}
		entries = append(entries, e)
	}
	texts := map[string]string{}
	for _, f := range slices.Concat(Formats, Optional, []Format{AdoptionCSV}) {
		text, digest := rendered(t, f, run, entries)
		texts[f.File] = text
		texts["closing"], texts["digest"] = closingText(t, digest, 0, ""), fmt.Sprintf("%+v", digest)
	}
	// In these nothing stands either of what an invalid row has in the wrong column.
	// Other files have what the input said as it is.
	entries[4].Row.SIPID, entries[4].Row.Extra = "", []string{"in the wrong column: " + canary}
	for _, f := range []Format{ReportHTML, Prometheus} {
		texts[f.File+" of an invalid row"], _ = rendered(t, f, run, entries)
	}
	if !strings.Contains(texts[CredentialsCSV.File], canary) {
		t.Error("credentials.csv does not tell the password")
	}
	delete(texts, CredentialsCSV.File)
	for name, text := range texts {
		// Also in parts, since a spreadsheet's apostrophe may stand between.
		if strings.Contains(text, "Zebra") || strings.Contains(text, "Pa55") {
			t.Errorf("%s tells the password:\n%s", name, text)
		}
	}
}

func TestRowsFitTheSchema(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("row.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("row.json")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := rendered(t, ReportJSONL, sampleRun(), sampleEntries())
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 8 {
		t.Fatalf("%d lines", len(lines))
	}
	header, _, _ := strings.Cut(readFile(t, "testdata", ReportCSV.File), ",team,")
	names := append(strings.Split(header, ","), "input")
	slices.Sort(names)
	for _, line := range lines {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		object := value.(map[string]any)
		var got []string
		for name := range object {
			got = append(got, name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(names, got); diff != "" {
			t.Error(diff)
		}
		// The schema refuses what is not a row.
		for _, change := range []func(map[string]any){
			func(o map[string]any) { delete(o, "outcome") },
			func(o map[string]any) { o["outcome"] = "fine" },
			func(o map[string]any) { o["password"] = "x" },
			func(o map[string]any) { o["row"] = json.Number("0") },
			func(o map[string]any) { o["finished_at"] = "2025-03-01 04:00" },
			func(o map[string]any) { o["input"] = map[string]any{"team": true} },
		} {
			value, _ := jsonschema.UnmarshalJSON(strings.NewReader(line))
			change(value.(map[string]any))
			if schema.Validate(value) == nil {
				t.Errorf("the schema takes %v", value)
			}
		}
	}
}

// A promSample is a line of Prometheus' text format.
type promSample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

var (
	promLine  = regexp.MustCompile(`^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?[0-9.]+)$`)
	promLabel = regexp.MustCompile(`([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"`)
)

// parseProm is a strict reader of what node_exporter's textfile collector takes:
// each metric's samples stand together, under one HELP and one TYPE line, and no
// sample stands twice.
func parseProm(text string) ([]promSample, error) {
	var samples []promSample
	seen, metric := map[string]bool{}, ""
	lines := strings.Split(text, "\n")
	if lines[len(lines)-1] != "" {
		return nil, fmt.Errorf("the last line has no end")
	}
	for i := 0; i < len(lines)-1; i++ {
		if name, ok := strings.CutPrefix(lines[i], "# HELP "); ok {
			metric, _, _ = strings.Cut(name, " ")
			if seen[metric] || i+1 == len(lines) || lines[i+1] != "# TYPE "+metric+" gauge" {
				return nil, fmt.Errorf("%s: twice, or without a type", metric)
			}
			seen[metric] = true
			i++
			continue
		}
		m := promLine.FindStringSubmatch(lines[i])
		if m == nil || m[1] != metric || seen[m[1]+m[2]] {
			return nil, fmt.Errorf("bad line %q", lines[i])
		}
		seen[m[1]+m[2]] = true
		s := promSample{m[1], map[string]string{}, 0}
		s.Value, _ = strconv.ParseFloat(m[3], 64)
		for _, label := range promLabel.FindAllStringSubmatch(m[2], -1) {
			s.Labels[label[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(label[2])
		}
		samples = append(samples, s)
	}
	return samples, nil
}

func TestPrometheus(t *testing.T) {
	run := sampleRun()
	run.Account, run.Input = "a\\b\"c\nd", "x\\\"} 1\n# HELP"
	text, _ := rendered(t, Prometheus, run, sampleEntries())
	samples, err := parseProm(text)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, s := range samples {
		if s.Labels["account"] != run.Account || s.Labels["input"] != run.Input || s.Labels["host"] != run.Host {
			t.Errorf("%s has the labels %q", s.Name, s.Labels)
		}
		got[strings.TrimPrefix(s.Name, "siprotate_")+s.Labels["outcome"]+s.Labels["proof"]] = s.Value
	}
	end := start.Add(run.Took)
	want := map[string]float64{
		"run_info": 1, "run_complete": 0, "run_stopped": 1, "run_requests": 11, "run_throttled_requests": 1,
		"run_rowsrotated": 1, "run_rowsfailed": 3, "run_rowsunknown": 1, "run_rowsinvalid": 1, "run_rowsnot_attempted": 2,
		"run_proofsaccepted": 0, "run_proofsrefused": 0, "run_proofsnone": 2,
		"run_waited_seconds": 2400.25, "run_duration_seconds": 3481.5,
		"run_start_timestamp_seconds": float64(start.Unix()), "run_end_timestamp_seconds": float64(end.UnixMilli()) / 1000,
		"last_success_timestamp_seconds": float64(start.Add(time.Second+321*time.Millisecond).UnixMilli()) / 1000,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What is left out is counted all the same.
func TestOnly(t *testing.T) {
	run := sampleRun()
	run.Only = []batch.Outcome{batch.Failed, batch.Unknown}
	text, digest := rendered(t, ReportCSV, run, sampleEntries())
	lines, err := parseCSV(text)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, line := range lines[1:] {
		rows = append(rows, line[0])
	}
	if diff := cmp.Diff([]string{"2", "3", "4", "5"}, rows); diff != "" {
		t.Error(diff)
	}
	if digest.Summary.Rows != 8 || digest.Summary.Rotated != 1 {
		t.Errorf("counts of %d rows, %d rotated", digest.Summary.Rows, digest.Summary.Rotated)
	}
}

func TestSummaryBy(t *testing.T) {
	run := pageRun(300)
	var b strings.Builder
	digest, err := Render(&b, run, pageSample(300), SummaryJSON)
	if err != nil {
		t.Fatal(err)
	}
	var back Summary
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(digest.Summary.By, back.By); diff != "" || back.By.Column != "team" || len(back.By.Values) != 3 {
		t.Errorf("%+v: %s", back.By, diff)
	}
	rows := 0
	for _, v := range back.By.Values {
		rows += v.Rows
		if v.Rows != v.Rotated+v.Failed+v.Unknown+v.Invalid+v.NotAttempted {
			t.Errorf("%s does not add up: %+v", *v.Value, v)
		}
	}
	if rows != 300 {
		t.Errorf("%d rows", rows)
	}
}

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		outcome batch.Outcome
		code    string
		want    Advice
	}{
		{batch.Failed, "404 10801", adviceByCode["10801"]},
		{batch.Failed, "404 99999", adviceByStatus["404"]},
		{batch.Failed, "200 409", adviceByStatus["409"]},
		{batch.Failed, "503", adviceByCode["1004"]},
		{batch.Failed, "418 7", adviceByOutcome[batch.Failed]},
		{batch.NotAttempted, "429 RATE_LIMIT_EXCEEDED", adviceByStatus["429"]},
		{batch.NotAttempted, "", adviceByOutcome[batch.NotAttempted]},
		{batch.Unknown, "", adviceByOutcome[batch.Unknown]},
		{batch.Invalid, "", adviceByOutcome[batch.Invalid]},
	} {
		got := Group{Outcome: c.outcome, Code: c.code}.Advice()
		if got != c.want || got.Meaning == "" || got.Action == "" {
			t.Errorf("%s %s: %+v", c.outcome, c.code, got)
		}
	}
}

// Everything of a chart stands inside its frame, and no request gets lost,
// however the minutes lie.
func TestChart(t *testing.T) {
	for name, gaps := range map[string][]int{
		"one minute": {}, "two sessions": {1, 1, 5000, 1}, "pauses": {1, 10, 3, 15, 16},
		"many sessions": slices.Repeat([]int{60, 1440}, 20), "long": slices.Repeat([]int{1}, 2000),
	} {
		at := start.UTC()
		minutes := []batch.Minute{{Start: at, First: 50}}
		for _, gap := range gaps {
			at = at.Add(time.Duration(gap) * time.Minute)
			minutes = append(minutes, batch.Minute{Start: at, First: 40, Again: 5, Waited: 45 * time.Second})
		}
		c := newChart(minutes, 50)
		requests := 0
		for _, col := range c.Columns {
			requests += col.First + col.Again
			if col.X < c.Left || col.X+col.Width > c.Right+1 || col.AgainY < c.Top || col.FirstY > c.Base {
				t.Errorf("%s: a column leaves the frame: %+v", name, col)
			}
		}
		for _, col := range c.Columns {
			if col.WaitX < c.Left || col.WaitX+col.WaitWidth > c.Right+1 {
				t.Errorf("%s: a wait leaves the frame: %+v", name, col)
			}
		}
		if want := 50 + 45*len(gaps); requests != want {
			t.Errorf("%s: %d requests, want %d", name, requests, want)
		}
		if len(c.Columns) > maxColumns+maxBreaks+1 || len(c.Breaks) > maxBreaks || len(c.Ticks) == 0 {
			t.Errorf("%s: %d columns, %d breaks, %d ticks", name, len(c.Columns), len(c.Breaks), len(c.Ticks))
		}
	}
	if newChart(nil, 50) != nil {
		t.Error("a chart of nothing")
	}
}

// A wait is drawn as long as it was, also in a minute with requests.
func TestChartDrawsWaits(t *testing.T) {
	at := start.UTC()
	minutes := []batch.Minute{{Start: at, First: 50, Waited: 57 * time.Second}, {Start: at.Add(2 * time.Minute), First: 50}}
	c := newChart(minutes, 50)
	var widths []float64
	for _, col := range c.Columns {
		widths = append(widths, col.WaitWidth)
	}
	if diff := cmp.Diff([]float64{maxColumnWidth * .95, maxColumnWidth, 0}, widths); diff != "" || !c.Waits {
		t.Error(diff)
	}
	run := pageRun(3)
	run.Traffic = minutes
	if text, _ := rendered(t, ReportHTML, run, nil); strings.Count(text, `<rect class="wait"`) != 2 || !strings.Contains(text, "50 first requests, 57 s of waiting") {
		t.Error("the page draws no waits")
	}
}

// BenchmarkViews renders 100,000 rows.
func BenchmarkViews(b *testing.B) {
	const n = 100_000
	for _, f := range slices.Concat(Formats, Optional) {
		b.Run(f.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Render(io.Discard, pageRun(n), pageSample(n), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAgesPageShowsTextAsText(t *testing.T) {
	var b strings.Builder
	hostile := `<script>alert(1)</script>"' onmouseover=x`
	err := WriteAgesPage(&b, hostile, "api.example.com", start, []string{"never"},
		[]DeviceAge{{SIPID: hostile, Email: hostile, State: "never", Run: hostile}})
	if err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Contains(text, "<script") || strings.Count(text, "&lt;script&gt;") != 5 {
		t.Errorf("what came from outside is not text:\n%s", text)
	}
}

func TestPageDrawsNoAllowanceThatWasExceeded(t *testing.T) {
	run := pageRun(3)
	run.Allowance = 2
	for again, drawn := range map[int]bool{1: true, 2: false} {
		run.Traffic = []batch.Minute{{Start: start, First: 1, Again: again}}
		if text, _ := rendered(t, ReportHTML, run, nil); strings.Contains(text, "allowed: 2 a minute") != drawn {
			t.Errorf("%d requests in a minute, allowance drawn: %v", 1+again, !drawn)
		}
	}
}

func TestPageSaysHowTheRunStands(t *testing.T) {
	run := pageRun(3)
	for badge, edit := range map[string]func(*Run){
		">finished<":      func(*Run) {},
		">stopped early<": func(r *Run) { r.Stopped = "window over" },
		">not finished<":  func(r *Run) { r.FinishedAt = time.Time{} },
		">running<":       func(r *Run) { r.FinishedAt, r.Live = time.Time{}, true },
	} {
		edited := run
		edit(&edited)
		if text, _ := rendered(t, ReportHTML, edited, nil); !strings.Contains(text, badge) {
			t.Errorf("the page does not say %s", badge)
		}
	}
}

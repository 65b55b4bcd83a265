package report

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"siprotate/batch"
)

func TestFilesAreGolden(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, sampleRun(), sequence(sampleEntries(), nil))
	for _, name := range []string{ReportCSV.File, CredentialsCSV.File, SummaryJSON.File} {
		golden(t, name, readFile(t, dir, name))
	}
}

func TestSummaryOfALiveRun(t *testing.T) {
	run := Run{ID: "live", StartedAt: start}
	dir := t.TempDir()
	mustWrite(t, dir, run, sequence(nil, nil))
	var got struct {
		FinishedAt, Stopped *string
		Duration            float64 `json:"duration_s"`
	}
	text := readFile(t, dir, SummaryJSON.File)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.FinishedAt != nil || got.Stopped != nil || got.Duration != 0 {
		t.Errorf("a live run has an end:\n%s", text)
	}
	var back Summary
	if err := json.Unmarshal([]byte(text), &back); err != nil || !back.StartedAt.Equal(start) {
		t.Errorf("the summary does not read back: %v", err)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := t.TempDir()
	var during fs.FileMode
	entries := func(yield func(batch.Entry, error) bool) {
		info, err := os.Stat(filepath.Join(dir, temporary(CredentialsCSV.File, Owner)))
		if err != nil {
			t.Fatal(err)
		}
		during = info.Mode().Perm()
	}
	mustWrite(t, dir, Run{}, entries)
	if during != 0o600 {
		t.Errorf("credentials.csv has mode %v while it is written", during)
	}
	info, err := os.Stat(filepath.Join(dir, CredentialsCSV.File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("credentials.csv: %v, %v", info.Mode(), err)
	}
}

// A stream gets what the file gets.
func TestRenderWritesWhatTheFilesHold(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, sampleRun(), sequence(sampleEntries(), nil))
	for _, f := range Formats {
		var b strings.Builder
		digest, err := Render(&b, sampleRun(), sequence(sampleEntries(), nil), f)
		if err != nil || digest.Summary.Rows != 8 {
			t.Errorf("%s: %d rows, %v", f.Name, digest.Summary.Rows, err)
		}
		if diff := cmp.Diff(readFile(t, dir, f.File), b.String()); diff != "" {
			t.Errorf("%s differs:\n%s", f.Name, diff)
		}
	}
}

// A full disk or a closed pipe, at every byte of a short file.
func TestRenderPassesOnTheWritersError(t *testing.T) {
	for _, f := range slices.Concat(Formats, Optional) {
		var whole strings.Builder
		if _, err := Render(&whole, sampleRun(), sequence(sampleEntries(), nil), f); err != nil {
			t.Fatal(err)
		}
		for room := 0; room < whole.Len(); room += 1 + whole.Len()/500 {
			if _, err := Render(&fullDisk{room}, sampleRun(), sequence(sampleEntries(), nil), f); !errors.Is(err, errDiskFull) {
				t.Fatalf("%s: room for %d bytes: %v", f.Name, room, err)
			}
		}
	}
}

// A brokenView fails at one step.
type brokenView struct{ at string }

func (v brokenView) Begin(Run) error    { return v.step("begin") }
func (v brokenView) Entry(*Entry) error { return v.step("entry") }
func (v brokenView) End(Digest) error   { return v.step("end") }

func (v brokenView) step(name string) error {
	if name == v.at {
		return errors.New("broken at " + name)
	}
	return nil
}

// A view that fails leaves the files of before, those of the other views too.
func TestBrokenView(t *testing.T) {
	root := openTemp(t)
	if err := writeAs(root, Owner, 3); err != nil {
		t.Fatal(err)
	}
	before := folder(t, root.Name())
	for _, step := range []string{"begin", "entry", "end"} {
		broken := Format{"broken", "", "broken.txt", 0o600, func(io.Writer) View { return brokenView{step} }}
		read := 0
		_, err := Write(root, Owner, func() (Run, iter.Seq2[batch.Entry, error], error) {
			return Run{}, func(yield func(batch.Entry, error) bool) {
				for _, e := range sampleEntries() {
					if read++; !yield(e, nil) {
						return
					}
				}
			}, nil
		}, ReportCSV, broken)
		if err == nil || !strings.Contains(err.Error(), "broken at "+step) {
			t.Errorf("%s: %v", step, err)
		}
		if want := map[string]int{"begin": 0, "entry": 1, "end": 8}[step]; read != want {
			t.Errorf("%s: read %d entries, want %d", step, read, want)
		}
		if diff := cmp.Diff(before, folder(t, root.Name())); diff != "" {
			t.Errorf("%s: the folder changed:\n%s", step, diff)
		}
	}
}

var errDiskFull = errors.New("disk full")

// A fullDisk takes so many bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return d.room, errDiskFull
	}
	d.room -= len(p)
	return len(p), nil
}

func TestOnlyTheGivenFormats(t *testing.T) {
	root := openTemp(t)
	digest, err := Write(root, Reader, readSample, CredentialsCSV)
	if err != nil || len(digest.Formats) != 1 {
		t.Errorf("%v: %v", digest.Formats, err)
	}
	if files := folder(t, root.Name()); len(files) != 3 || files[CredentialsCSV.File] == "" {
		t.Errorf("the folder holds %v", files)
	}
}

func readSample() (Run, iter.Seq2[batch.Entry, error], error) {
	return sampleRun(), sequence(sampleEntries(), nil), nil
}

// An error at any point must leave the files of before, and no others.
func TestErrorLeavesTheOldFiles(t *testing.T) {
	broken := errors.New("broken")
	sample := sampleEntries()
	many := make([]batch.Entry, 3000) // more than a buffer holds
	for i := range many {
		many[i] = entry(i+1, batch.Rotated, batch.Receipt{}, "")
	}
	for name, c := range map[string]struct {
		entries []batch.Entry
		err     error
		want    string
	}{
		"at once":      {nil, broken, "broken"},
		"late":         {many, broken, "broken"},
		"a row twice":  {append(sample[:2:2], sample[1]), nil, "row 2 comes after row 2"},
		"out of order": {append(sample[4:5:5], sample[1]), nil, "row 2 comes after row 5"},
		"no number":    {make([]batch.Entry, 1), nil, "row 0 comes after row 0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustWrite(t, dir, sampleRun(), sequence(sample, nil))
			before := folder(t, dir)
			_, err := writeIn(dir, Run{}, sequence(c.entries, c.err))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%v does not wrap its cause", err)
			}
			if diff := cmp.Diff(before, folder(t, dir)); diff != "" {
				t.Errorf("the folder changed:\n%s", diff)
			}
		})
	}
}

func TestUnwritableTargetChangesNothing(t *testing.T) {
	for _, name := range []string{ReportCSV.File, CredentialsCSV.File, SummaryJSON.File} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := writeIn(dir, sampleRun(), sequence(sampleEntries(), nil)); err == nil {
			t.Errorf("%s is a folder, and no error", name)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 2 { // the folder and the lock
			t.Errorf("%s: left %v, %v", name, entries, err)
		}
	}
	if _, err := writeIn(filepath.Join(t.TempDir(), "missing"), Run{}, sequence(nil, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// A crash leaves temporary files, and somebody may have put links in the way.
func TestLeftoversAndLinksAreReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, temporary(ReportCSV.File, Owner)), []byte("left over"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{CredentialsCSV.File, temporary(CredentialsCSV.File, Owner), temporary(CredentialsCSV.File, Reader), SummaryJSON.File} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, dir, sampleRun(), sequence(sampleEntries(), nil))
	if got := readFile(t, filepath.Dir(victim), "victim"); got != "untouched" {
		t.Errorf("wrote through a link: %q", got)
	}
	files := folder(t, dir)
	if len(files) != 5 || len(readCSV(t, dir, ReportCSV.File)) != 9 {
		t.Errorf("the folder holds %v", files)
	}
}

func TestConcurrentWritesDoNotMix(t *testing.T) {
	dir := t.TempDir()
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() {
			run := Run{ID: strconv.Itoa(n), Columns: []string{strconv.Itoa(n)}}
			if _, err := writeIn(dir, run, sequence(sampleEntries()[:n], nil)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	report := readCSV(t, dir, ReportCSV.File)
	var summary Summary
	if err := json.Unmarshal([]byte(readFile(t, dir, SummaryJSON.File)), &summary); err != nil {
		t.Fatal(err)
	}
	if n := report[0][len(reportColumns)]; summary.Run != n || strconv.Itoa(summary.Rows) != n || summary.Rows != len(report)-1 {
		t.Errorf("the report is of %s, the summary of %s with %d rows", n, summary.Run, summary.Rows)
	}
	if files := folder(t, dir); len(files) != 5 {
		t.Errorf("the folder holds %v", files)
	}
}

// folder returns the content of every file in dir.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, e := range entries {
		files[e.Name()] = readFile(t, dir, e.Name())
	}
	return files
}

// cellText draws text of any bytes, with those that matter to CSV in plenty.
var cellText = rapid.Custom(func(t *rapid.T) string {
	if rapid.Bool().Draw(t, "raw") {
		return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes"))
	}
	return rapid.StringOfN(rapid.SampledFrom([]rune("a,;\"'\r\n\t =+-@\\.＝é\x00\u202e")), 0, 8, -1).Draw(t, "text")
})

func drawEntry(t *rapid.T, number int) batch.Entry {
	text := func(name string) string { return cellText.Draw(t, name) }
	outcome := rapid.SampledFrom(batch.Outcomes).Draw(t, "outcome")
	return batch.Entry{
		Row: batch.Row{
			Number: number, Line: 2 * number,
			UserID: text("user"), DeviceID: text("device"), SIPID: text("sip"), Email: text("email"),
			Password: batch.NewSecret(text("password")), PasswordSource: batch.Generated,
			Extra: []string{text("extra"), text("extra")},
		},
		Result: batch.Result{
			Outcome:  outcome,
			Attempts: batch.Attempts{Count: rapid.IntRange(0, 6).Draw(t, "attempts")},
			Receipt: batch.Receipt{
				HTTPCode: rapid.SampledFrom([]int{0, 200, 404}).Draw(t, "http"),
				Code:     text("code"), Status: text("status"), RequestID: text("request"),
				ErrorCode: text("error"), ErrorMessage: text("message"), ErrorDescription: text("description"),
			},
			Note: text("note"),
		},
	}
}

// Whatever the cells hold: each row once and in order, the input's own columns
// and the passwords byte for byte, and counts that add up.
func TestEveryRowOnceAndByteExact(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var entries []batch.Entry
		for n := range rapid.IntRange(0, 4).Draw(t, "rows") {
			entries = append(entries, drawEntry(t, n+1))
		}
		run := Run{Columns: []string{cellText.Draw(t, "column"), "b"}}
		digest := mustWrite(t, dir, run, sequence(entries, nil))
		report, credentials := readCSV(t, dir, ReportCSV.File), readCSV(t, dir, CredentialsCSV.File)
		if got := report[0][len(reportColumns):]; !cmp.Equal(got, run.Columns) {
			t.Fatalf("columns %q, want %q", got, run.Columns)
		}
		if len(report) != 1+len(entries) {
			t.Fatalf("%d lines for %d rows", len(report)-1, len(entries))
		}
		held := 1
		for i, e := range entries {
			line, row := report[i+1], e.Row
			same(t, line[:7], strconv.Itoa(i+1), strconv.Itoa(2*i+2),
				row.UserID, row.DeviceID, row.SIPID, row.Email, e.Result.Outcome.String())
			same(t, line[len(reportColumns):], row.Extra...)
			for _, cell := range line[7:14] {
				if escapeFormula(Sanitize(cell)) != cell && !strings.HasPrefix(cell, "'") && !strings.Contains(cell, ";'") {
					t.Fatalf("the API's cell %q is armed", cell)
				}
			}
			if e.Result.Outcome.MayBeInForce() {
				same(t, credentials[held], append([]string{strconv.Itoa(i + 1), row.UserID, row.DeviceID, row.SIPID, row.Email,
					row.Password.Reveal(), e.Result.Outcome.String()}, row.Extra...)...)
				held++
			}
		}
		if len(credentials) != held {
			t.Fatalf("%d credentials, want %d", len(credentials)-1, held-1)
		}
		s := digest.Summary
		if sum := s.Rotated + s.Failed + s.Unknown + s.Invalid + s.NotAttempted; s.Rows != len(entries) || sum != s.Rows {
			t.Fatalf("%d rows, counted %d, adding up to %d", len(entries), s.Rows, sum)
		}
	})
}

func same(t *rapid.T, got []string, want ...string) {
	if !cmp.Equal(got, want) {
		t.Fatalf("cells %q, want %q", got, want)
	}
}

func TestCellsAreCutOrFilledUpToTheHeader(t *testing.T) {
	dir := t.TempDir()
	short, long := sampleEntries()[0], sampleEntries()[3]
	short.Row.Extra, long.Row.Extra = nil, []string{"a", "b", "c"}
	mustWrite(t, dir, sampleRun(), sequence([]batch.Entry{short, long}, nil))
	for name, own := range map[string]int{ReportCSV.File: len(reportColumns), CredentialsCSV.File: len(credentialColumns)} {
		lines := readCSV(t, dir, name)
		got := [][]string{lines[1][own:], lines[2][own:]}
		if diff := cmp.Diff([][]string{{"", ""}, {"a", "b"}}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The mark stands once, before the header, and in CSV only.
func TestByteOrderMark(t *testing.T) {
	plain, marked := t.TempDir(), t.TempDir()
	run := sampleRun()
	_, err1 := writeIn(plain, run, sequence(sampleEntries(), nil))
	run.BOM = true
	_, err2 := writeIn(marked, run, sequence(sampleEntries(), nil))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for name, mark := range map[string]string{CredentialsCSV.File: "\xef\xbb\xbf", ReportCSV.File: "\xef\xbb\xbf", SummaryJSON.File: ""} {
		if diff := cmp.Diff(mark+readFile(t, plain, name), readFile(t, marked, name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDurationOfAClockSetBack(t *testing.T) {
	dir := t.TempDir()
	e := sampleEntries()[0]
	e.Result.Finished = e.Result.Attempts.FirstSent.Add(-time.Hour)
	mustWrite(t, dir, Run{}, sequence([]batch.Entry{e}, nil))
	if got := readCSV(t, dir, ReportCSV.File)[1][18]; got != "0" {
		t.Errorf("duration %q", got)
	}
}

func BenchmarkWrite(b *testing.B) {
	ok := batch.Receipt{HTTPCode: 200, Code: "200", Status: "success", RequestID: "affd93c2e3674424993e4d70c012156e"}
	one := entry(1, batch.Rotated, ok, "")
	entries := func(yield func(batch.Entry, error) bool) {
		for n := range b.N {
			one.Row.Number = n + 1
			if !yield(one, nil) {
				return
			}
		}
	}
	b.ReportAllocs()
	if _, err := writeIn(b.TempDir(), sampleRun(), entries); err != nil {
		b.Fatal(err)
	}
}

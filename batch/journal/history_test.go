package journal_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// writeRun writes a run of the account whose rows ended in the given ways, all at one time.
func writeRun(t *testing.T, dir, account string, at time.Time, outcomes ...batch.Outcome) {
	t.Helper()
	p, err := journal.Create(dir, journal.Head{Account: account, Host: "api.example"}, journal.Plain)
	must(t, err)
	for i := range outcomes {
		must(t, p.Add(batch.Row{
			Number: i + 1, UserID: "AB-1", DeviceID: string(rune('1' + i)), Password: batch.NewSecret("Sample-Only-01!"), PasswordSource: batch.Generated,
		}))
	}
	j, err := p.Seal("sum", nil)
	must(t, err)
	must(t, j.Begin("test", false))
	for i, outcome := range outcomes {
		if outcome != batch.NotAttempted {
			row := batch.Row{Number: i + 1, Attempts: batch.Attempts{Count: 1, FirstSent: at}}
			must(t, j.Sending(&row, at))
			must(t, j.Finish(batch.Result{Row: i + 1, Outcome: outcome, Attempts: row.Attempts, Finished: at}))
		}
	}
	must(t, j.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheLatestRotationCounts(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	writeRun(t, in("b.run"), "acc", noon, batch.Rotated, batch.Rotated, batch.Failed, batch.NotAttempted, batch.Unknown)
	writeRun(t, in("a.run"), "acc", noon.Add(time.Hour), batch.Rotated, batch.Failed)
	writeRun(t, in("other.run"), "another", noon.Add(2*time.Hour), batch.Rotated, batch.Rotated, batch.Rotated)
	must(t, os.Mkdir(in("no run"), 0o700))
	must(t, os.WriteFile(in("file"), nil, 0o600))
	_, err := journal.Create(in("unplanned.run"), journal.Head{Account: "acc", Host: "api.example"}, journal.Plain)
	must(t, err)

	h, err := journal.ReadHistory(folder, "acc", "api.example", "")
	must(t, err)
	if h.Runs != 2 {
		t.Errorf("%d runs", h.Runs)
	}
	for device, want := range map[string]journal.Rotation{
		"1": {At: noon.Add(time.Hour), Run: in("a.run")}, "2": {At: noon, Run: in("b.run")}, "3": {}, "4": {}, "5": {}, "6": {},
	} {
		got, known := h.Last("ab1", device)
		if !got.At.Equal(want.At) || got.Run != want.Run || known != (want.Run != "") {
			t.Errorf("device %s: %+v", device, got)
		}
	}
	h, err = journal.ReadHistory(folder, "acc", "api.example", "a.run")
	must(t, err)
	if last, _ := h.Last("ab1", "1"); h.Runs != 1 || last.Run != in("b.run") {
		t.Errorf("but for a.run: %d runs, the last %+v", h.Runs, last)
	}
	if h, err := journal.ReadHistory(folder, "acc", "elsewhere", ""); err != nil || h.Runs != 0 {
		t.Errorf("at another host: %+v: %v", h, err)
	}
	never := map[string]bool{}
	for r := range h.All() {
		never[r.DeviceID] = r.At.IsZero()
	}
	if want := map[string]bool{"1": false, "2": false, "3": true, "4": true, "5": true}; !maps.Equal(never, want) {
		t.Errorf("known devices, and whether none of the runs rotated them: %v, want %v", never, want)
	}
}

func TestAHistoryThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	dir := filepath.Join(folder, "a.run")
	writeRun(t, dir, "acc", noon, batch.Rotated)
	if _, err := journal.ReadHistory(dir, "acc", "api.example", ""); !errors.Is(err, journal.ErrRun) {
		t.Errorf("of a run directory: %v", err)
	}
	if _, err := journal.ReadHistory(filepath.Join(folder, "missing"), "acc", "api.example", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no folder: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, journal.Name), []byte("damaged\n"), 0o600))
	if _, err := journal.ReadHistory(folder, "acc", "api.example", ""); err == nil {
		t.Error("a damaged journal counts for nothing")
	}
	if h, err := journal.ReadHistory(folder, "acc", "api.example", "a.run"); err != nil || h.Runs != 0 {
		t.Errorf("a run that is left out is read: %+v: %v", h, err)
	}
}

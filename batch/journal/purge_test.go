package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
)

// without returns what a view tells, less the passwords.
func without(t *testing.T, dir string) (info Info, entries []batch.Entry) {
	t.Helper()
	v, err := Read(dir, nil)
	must(t, err)
	defer v.Close()
	for entry, err := range v.Entries() {
		must(t, err)
		entries = append(entries, entry)
	}
	info = v.Info()
	info.Vault = ""
	return info, entries
}

// finished returns the directory of a run of three rows: one was rotated with its
// second password, one failed, one was never sent.
func finished(t *testing.T, third batch.Outcome) string {
	t.Helper()
	j := planned(t, 3)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Tried(result(1, batch.NotAttempted)))
	row := testRow(1)
	row.Password, row.Attempts.Reissued = batch.NewSecret("Pass-word-again"), 1
	must(t, j.Reissue(&row))
	send(t, j, 1, 2)
	must(t, j.Finish(result(1, batch.Rotated)))
	send(t, j, 2, 1)
	must(t, j.Finish(result(2, batch.Failed)))
	if third != batch.NotAttempted {
		send(t, j, 3, 1)
		must(t, j.Finish(result(3, third)))
	}
	must(t, errors.Join(j.Stop(Totals{Stopped: "because"}), j.Close()))
	return j.Dir()
}

func TestAPurgeTakesThePasswordsAndNothingElse(t *testing.T) {
	dir := finished(t, batch.Rotated)
	for _, name := range []string{"credentials.csv", "other"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("Pass-word-1"), 0o600))
	}
	info, entries := without(t, dir)
	for range 2 { // again changes nothing
		must(t, Purge(dir, false, "credentials.csv", "missing"))
		infoAfter, entriesAfter := without(t, dir)
		if diff := cmp.Diff(info, infoAfter); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(fmt.Sprintf("%+v", entries), fmt.Sprintf("%+v", entriesAfter)); diff != "" {
			t.Error(diff)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, Name))
	must(t, err)
	if strings.Contains(string(text), "Pass-word") {
		t.Error("a password is still in the journal")
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	if got := fmt.Sprint(left); got != "[- .lock - journal.jsonl - other]" {
		t.Errorf("left are %s", got)
	}
	if info, err := os.Stat(filepath.Join(dir, Name)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", info.Mode(), err)
	}
	h, err := ReadHistory(filepath.Dir(dir), "acc", "h", "")
	must(t, err)
	if _, known := h.Last("user1", "490001"); h.Runs != 1 || !known {
		t.Errorf("%d runs in the history", h.Runs)
	}
	for _, v := range []Vault{Plain, safe{}} {
		if _, err := Open(dir, v); !errors.Is(err, ErrPurged) {
			t.Errorf("resumed with the vault %s: %v", v.Name(), err)
		}
	}
}

func TestAnUnfinishedRunIsNotPurged(t *testing.T) {
	for _, third := range []batch.Outcome{batch.NotAttempted, batch.Unknown} {
		dir := finished(t, third)
		before, err := os.ReadFile(filepath.Join(dir, Name))
		must(t, err)
		if err := Purge(dir, false); !errors.Is(err, ErrUnfinished) {
			t.Errorf("%v: %v", third, err)
		}
		after, err := os.ReadFile(filepath.Join(dir, Name))
		if err != nil || string(before) != string(after) {
			t.Errorf("%v: the journal changed: %v", third, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, purgeName)); !os.IsNotExist(err) {
			t.Errorf("%v: %s is there", third, purgeName)
		}
		must(t, Purge(dir, true))
		if _, entries := without(t, dir); entries[2].Result.Outcome != third {
			t.Errorf("%v became %v", third, entries[2].Result.Outcome)
		}
	}
}

// Rows that may have been sent stay so, also where the records of it are lost.
func TestAPurgedCrashKeepsItsDoubts(t *testing.T) {
	j := planned(t, 3)
	begin(t, j)
	send(t, j, 2, 1)
	must(t, j.Close())
	must(t, os.WriteFile(filepath.Join(j.Dir(), unsyncedName), nil, 0o600))
	_, before := without(t, j.Dir())
	must(t, Purge(j.Dir(), true))
	_, after := without(t, j.Dir())
	if diff := cmp.Diff(fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", after)); diff != "" {
		t.Error(diff)
	}
}

func TestALockedRunIsNotPurged(t *testing.T) {
	t.Parallel()
	j := planned(t, 1)
	if err := Purge(j.Dir(), true); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
}

// A journal whose records were lost once reads the same after a purge, which drops the
// bytes that nobody could read.
func TestAPurgedHole(t *testing.T) {
	text, _ := rotated(t)
	text = zeroed(t, text, `"type":"send","row":70`)
	dir := filepath.Join(t.TempDir(), "x.run")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, Name), text, 0o600))
	if err := Purge(dir, true); !errors.Is(err, ErrUnfinished) {
		t.Fatalf("a damaged end: %v", err)
	}
	j, err := Open(dir, Plain)
	must(t, err)
	begin(t, j)
	must(t, errors.Join(j.Stop(Totals{}), j.Close()))
	_, before := without(t, dir)
	must(t, Purge(dir, true))
	_, after := without(t, dir)
	if diff := cmp.Diff(fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", after)); diff != "" {
		t.Error(diff)
	}
}

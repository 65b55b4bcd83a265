package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"siprotate/batch"
)

func TestStorageKept(t *testing.T) {
	here := storage{Boot: "b", Device: 1, Namespace: "n", Mount: 1}
	for name, c := range map[string]struct {
		was, now storage
		want     bool
	}{
		"the same":             {here, here, true},
		"another boot":         {here, storage{"c", 1, "n", 1}, false},
		"no boot id":           {storage{"", 1, "n", 1}, storage{"", 1, "n", 1}, false},
		"mounted again":        {here, storage{"b", 1, "n", 2}, false},
		"another device":       {here, storage{"b", 2, "n", 1}, false},
		"in another container": {here, storage{"b", 1, "m", 2}, true},
	} {
		if got := c.was.kept(c.now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		if s := storageOf(t.TempDir()); s.Boot != string(bytes.TrimSpace(boot)) || s.Device == 0 || !s.kept(s) {
			t.Errorf("%+v", s)
		}
	}
}

// unsynced returns a run whose records after row 1 are gone without a trace, and
// the rows that its mark allowed.
func unsynced(t *testing.T) (j *Journal, allowed int) {
	t.Helper()
	j = planned(t, 40)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Finish(result(1, batch.Rotated)))
	allowed = max(j.state.mark.Row, j.next.Row)
	kept := j.length
	for row := 2; row <= 4; row++ {
		send(t, j, row, 1)
	}
	must(t, j.Close())
	must(t, os.Truncate(j.folder.journal(), kept))
	return j, allowed
}

// checkDoubt opens the run again and again, and at last resumes it: the rows that
// the mark allowed stay in doubt.
func checkDoubt(t *testing.T, dir string, allowed int) {
	t.Helper()
	for _, work := range []bool{false, true, false} {
		j, err := Open(dir, Plain)
		must(t, err)
		for i, got := range outcomes(t, &j.View) {
			want := batch.NotAttempted
			switch {
			case i == 0:
				want = batch.Rotated
			case i < allowed:
				want = batch.Unknown
			}
			if got != want {
				t.Errorf("row %d is %v, want %v", i+1, got, want)
			}
		}
		if recent := len(j.Recent()); recent < firstBlock {
			t.Errorf("%d requests count against the allowance", recent)
		}
		if work {
			begin(t, j)
		}
		must(t, j.Close())
	}
}

// A disk that went away and came back has lost what was not synced, though the
// machine ran on.
func TestRecordsLostWithTheMount(t *testing.T) {
	j, allowed := unsynced(t)
	text, err := os.ReadFile(j.folder.journal())
	must(t, err)
	text = onStorage(t, text, func(s *storage) { s.Mount++ })
	must(t, os.WriteFile(j.folder.journal(), text, 0o600))
	checkDoubt(t, j.Dir(), allowed)
}

func TestRecordsLostAfterAFailedSync(t *testing.T) {
	j, allowed := unsynced(t)
	note := filepath.Join(j.Dir(), unsyncedName)
	must(t, os.WriteFile(note, nil, 0o600))
	checkDoubt(t, j.Dir(), allowed)
	if _, err := os.Lstat(note); err == nil {
		t.Error("the note stays though a session took it over")
	}
}

func TestAFailedSyncLeavesANote(t *testing.T) {
	j := planned(t, 100)
	j.out.file = &failing{file: j.out.file, writes: 1 << 30, syncs: 1}
	rotateAll(j)
	j.Close()
	if _, err := os.Lstat(filepath.Join(j.Dir(), unsyncedName)); err != nil {
		t.Error(err)
	}
}

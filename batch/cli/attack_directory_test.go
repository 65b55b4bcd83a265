//go:build linux

package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

const otherUser = 65_534 // a user who is not the program's

// TestAttackDirectory prepares the place of the run directory, before the run
// and between the run and its resumption, as somebody else on the machine could.
// What others may have written is not used, and nothing outside is touched.
func TestAttackDirectory(t *testing.T) {
	t.Parallel()
	n := tried(t, "run directories prepared by somebody else")
	for _, c := range []struct {
		name   string
		tamper func(t *testing.T, dir, outside string) // outside is a file outside
		begun  bool                                    // there is a run to go on with
		root   bool                                    // only root can do that
	}{
		{"a link to a folder", func(t *testing.T, dir, outside string) { must(t, os.Symlink(filepath.Dir(outside), dir)) }, false, false},
		{"a link to nowhere", func(t *testing.T, dir, outside string) { must(t, os.Symlink(outside+".run", dir)) }, false, false},
		{"a folder that all may write", func(t *testing.T, dir, _ string) { folder(t, dir, 0o777) }, false, false},
		{"a folder that its group may write", func(t *testing.T, dir, _ string) { folder(t, dir, 0o770) }, false, false},
		{"a folder that all may read", func(t *testing.T, dir, _ string) { folder(t, dir, 0o755) }, false, false},
		{"a folder of another user", func(t *testing.T, dir, _ string) { folder(t, dir, 0o755); give(t, dir) }, false, true},
		{"a folder with other files", func(t *testing.T, dir, _ string) { folder(t, dir, 0o700); file(t, filepath.Join(dir, "x"), 0o600) }, false, false},
		{"a journal that is a link", func(t *testing.T, dir, outside string) { folder(t, dir, 0o700); link(t, dir, "journal.jsonl", outside) }, false, false},
		{"a journal that is a pipe", func(t *testing.T, dir, _ string) {
			folder(t, dir, 0o700)
			must(t, unix.Mkfifo(filepath.Join(dir, "journal.jsonl"), 0o600))
		}, false, false},
		{"a lock that is a link", func(t *testing.T, dir, outside string) { folder(t, dir, 0o700); link(t, dir, ".lock", outside) }, false, false},
		{"a report that is a link", func(t *testing.T, dir, outside string) { folder(t, dir, 0o700); link(t, dir, "report.csv", outside) }, false, false},

		{"replaced by a link", func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir, dir+".real"))
			must(t, os.Symlink(dir+".real", dir))
		}, true, false},
		{"opened to all", func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o777)) }, true, false},
		{"given to another user", func(t *testing.T, dir, _ string) { give(t, dir) }, true, true},
		{"the journal given to another user", func(t *testing.T, dir, _ string) { give(t, filepath.Join(dir, "journal.jsonl")) }, true, true},
		{"the journal opened to writers", func(t *testing.T, dir, _ string) { must(t, os.Chmod(filepath.Join(dir, "journal.jsonl"), 0o666)) }, true, false},
		{"the journal opened to readers", func(t *testing.T, dir, _ string) { must(t, os.Chmod(filepath.Join(dir, "journal.jsonl"), 0o644)) }, true, false},
		{"the journal replaced by a link", func(t *testing.T, dir, _ string) {
			journal := filepath.Join(dir, "journal.jsonl")
			must(t, os.Rename(journal, dir+".real"))
			must(t, os.Symlink(dir+".real", journal))
		}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			n.times++
			r := faultless(t, n.times)
			outside := filepath.Join(t.TempDir(), "outside")
			file(t, outside, 0o600)
			again := r.runArgs()
			if c.begun {
				exits(t, launch{}.start(t, r.base, "run", r.input, "--yes", "-o", r.dir, "--stop-after", "1ms", "--rate", "1/h"), 4)
				again = []string{"resume", r.dir, "--rate", "unlimited"}
			}
			before := r.api.total()
			c.tamper(t, r.dir, outside)
			exits(t, launch{}.start(t, r.base, again...), 2)
			if r.api.total() > before {
				t.Error("it sent something")
			}
			if text, err := os.ReadFile(outside); err != nil || !bytes.Equal(text, original) {
				t.Errorf("the file outside was touched: %q, %v", text, err)
			}
			if others, _ := os.ReadDir(filepath.Dir(outside)); len(others) != 1 {
				t.Errorf("there are %d files outside", len(others))
			}
		})
	}
}

// TestAttackReportLinks puts links where the reports of a run belong. They are
// replaced, and what they point to stays as it was.
func TestAttackReportLinks(t *testing.T) {
	n := tried(t, "links in the place of reports")
	for _, name := range []string{"report.csv", "credentials.csv", "summary.json", ".report.csv.tmp", ".credentials.csv.tmp", ".report.lock"} {
		t.Run(name, func(t *testing.T) {
			n.times++
			r := faultless(t, n.times)
			outside := filepath.Join(t.TempDir(), "outside")
			file(t, outside, 0o600)
			exits(t, launch{}.start(t, r.base, r.runArgs()...), 0)
			_ = os.Remove(filepath.Join(r.dir, name)) // temporary files are gone already
			link(t, r.dir, name, outside)
			exits(t, launch{}.start(t, r.base, "report", r.dir), 0, 1, 2)
			if text, err := os.ReadFile(outside); err != nil || !bytes.Equal(text, original) {
				t.Errorf("the file outside was touched: %q, %v", text, err)
			}
			r.checkEnd()
		})
	}
}

// TestAttackWrongInput gives as the input what is none, such as the files of a
// run.
func TestAttackWrongInput(t *testing.T) {
	t.Parallel()
	n := tried(t, "a run's own files, and other things, as the input")
	r := faultless(t, 0)
	exits(t, launch{}.start(t, r.base, r.runArgs()...), 0)
	sent := r.api.total()
	self, err := os.Executable()
	must(t, err)
	for _, input := range []string{
		filepath.Join(r.dir, "journal.jsonl"), filepath.Join(r.dir, "summary.json"), filepath.Join(r.dir, ".lock"), r.dir, os.DevNull, self, "",
	} {
		n.times++
		p := launch{}.start(t, r.base, "run", input, "--yes", "-o", r.dir+".other")
		exits(t, p, 2)
		for _, passwords := range readJournal(t, r.dir).passwords {
			if len(leaks(p.stderr.Bytes(), passwords[0])) > 0 {
				t.Errorf("%s: it printed a password: %s", input, p.stderr.String())
				break
			}
		}
	}
	if r.api.total() > sent {
		t.Error("it sent something")
	}
}

var original = []byte("as it was\n")

func folder(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	must(t, os.Mkdir(path, 0o700))
	must(t, os.Chmod(path, mode)) // whatever the umask
}

func file(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	must(t, os.WriteFile(path, original, mode))
}

func link(t *testing.T, dir, name, target string) {
	t.Helper()
	must(t, os.Symlink(target, filepath.Join(dir, name)))
}

func give(t *testing.T, path string) {
	t.Helper()
	must(t, os.Chown(path, otherUser, otherUser))
}

// One report at a time: the second waits for half a minute, and then says so.
func TestReportWhileAnotherOneIsWritten(t *testing.T) {
	if !*attackLong {
		t.Skip("takes half a minute: run it with -attack.long")
	}
	t.Parallel()
	r := faultless(t, 1)
	exits(t, launch{}.start(t, r.base, r.runArgs()...), 0)
	lock := flock.New(filepath.Join(r.dir, ".report.lock"))
	must(t, lock.Lock())
	p := launch{}.start(t, r.base, "report", r.dir)
	exits(t, p, 6)
	must(t, lock.Close())
	if text := p.stderr.String(); !strings.Contains(text, "another process is writing reports there") {
		t.Errorf("it says %q", text)
	}
}

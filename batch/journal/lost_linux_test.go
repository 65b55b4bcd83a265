package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk without room is mounted over the run: what it takes of the passwords is
// not all, so that they go to the state folder.
func TestARescueOntoAFullDisk(t *testing.T) {
	j := underWay(t)
	beside := filepath.Dir(j.Dir())
	if err := unix.Mount("tmpfs", beside, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip("this user cannot mount a small disk: ", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(beside, unix.MNT_DETACH)) })
	must(t, os.WriteFile(filepath.Join(beside, "full"), make([]byte, 4<<10), 0o600))
	if err := j.Stop(Totals{}); !errors.As(err, new(*LostError)) {
		t.Fatalf("Stop: %v", err)
	}
	if path, err := j.Rescue(""); err == nil || path == "" {
		t.Errorf("without a state folder: %q, %v", path, err)
	} else {
		must(t, os.Remove(path))
	}
	state := t.TempDir()
	path, err := j.Rescue(state)
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	if filepath.Dir(path) != state || !bytes.Contains(text, []byte("Pass-word-4,unknown")) {
		t.Errorf("rescued to %s:\n%s", path, text)
	}
	if left, err := os.ReadDir(beside); err != nil || len(left) != 1 {
		t.Errorf("left beside the run: %v: %v", left, err)
	}
}

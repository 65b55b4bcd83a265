package report

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
)

// A disk that fails for the last file must leave the first as it was.
func TestFailedInstallChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := folder(t, dir)
	files := fileSet{dir: dir}
	for _, name := range []string{"a", "b"} {
		if _, err := files.create(name, 0o600).WriteString("new"); err != nil {
			t.Fatal(err)
		}
	}
	files.files[1].Close()
	if err := files.install(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("install: %v", err)
	}
	files.discard()
	if diff := cmp.Diff(before, folder(t, dir)); diff != "" {
		t.Errorf("the folder changed:\n%s", diff)
	}
}

func TestBusyFolder(t *testing.T) {
	dir := t.TempDir()
	other := flock.New(filepath.Join(dir, lockName))
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	defer other.Unlock()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Write(dir, Run{}, sequence(nil, nil))
		if !errors.Is(err, ErrBusy) || time.Since(began) != Patience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

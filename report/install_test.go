package report

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
)

// A disk that fails for the last file must leave the first as it was.
func TestFailedInstallChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := folder(t, dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files := fileSet{root: root}
	for _, name := range []string{"a", "b"} {
		w, err := files.create(name, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("new"); err != nil {
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
		_, err := writeIn(dir, Run{}, sequence(nil, nil))
		if !errors.Is(err, ErrBusy) || time.Since(began) != Patience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// The files belong into the directory that was opened. Whoever took its name
// gets nothing.
func TestReplacedDirectory(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open directory cannot be renamed")
	}
	parent := t.TempDir()
	dir, moved := filepath.Join(parent, "a.run"), filepath.Join(parent, "moved.run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(os.Rename(dir, moved), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(root, Reader, readSample); err == nil {
		t.Error("a reader wrote into a directory that has lost its name")
	}
	if files := folder(t, dir); len(files) != 0 {
		t.Errorf("the other directory holds %v", files)
	}
}

// Reading comes after the lock: what was read before may be old by then.
func TestReadsUnderTheLock(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	broken := errors.New("broken")
	_, err = Write(root, Reader, func() (Run, iter.Seq2[batch.Entry, error], error) {
		if free, err := flock.New(filepath.Join(dir, lockName)).TryLock(); free || err != nil {
			t.Errorf("the lock is free: %v, %v", free, err)
		}
		return Run{}, nil, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if files := folder(t, dir); len(files) != 1 {
		t.Errorf("the folder holds %v", files)
	}
}

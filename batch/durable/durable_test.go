package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"siprotate/batch/durable"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	text := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, writing := io.WriteString(w, text)
			return errors.Join(err, writing)
		}
	}
	must(t, root.Mkdir("folder", 0o700))
	must(t, root.WriteFile("elsewhere", []byte("untouched"), 0o600))
	if err := root.Symlink("../elsewhere", "folder/file"); err != nil {
		t.Log("no link is tried: ", err)
	}
	must(t, durable.Replace(root, "folder/file", 0o644, text("first", nil)))
	must(t, durable.Replace(root, "folder/file", 0o644, text("second", nil)))
	must(t, durable.SyncFolder(root.Open, "folder"))
	failed := errors.New("failed")
	if err := durable.Replace(root, "folder/file", 0o644, text("third", failed)); !errors.Is(err, failed) {
		t.Errorf("a failed write: %v", err)
	}
	if err := durable.Replace(root, "folder", 0o644, text("a folder's name", nil)); err == nil {
		t.Error("a folder was replaced")
	}
	for name, want := range map[string]string{"folder/file": "second", "elsewhere": "untouched"} {
		if got, err := root.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, want %q: %v", name, got, want, err)
		}
	}
	if info, err := root.Lstat("folder/file"); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o644 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(root.Name(), "*", "*"))
	top, topErr := filepath.Glob(filepath.Join(root.Name(), "*"))
	if n := len(left) + len(top); n != 3 || errors.Join(err, topErr) != nil {
		t.Errorf("temporary files are left: %q %q", left, top)
	}
}

func TestSyncFolder(t *testing.T) {
	t.Parallel()
	if err := durable.SyncFolder(os.Open, filepath.Join(t.TempDir(), "none")); err == nil && runtime.GOOS != "windows" {
		t.Error("a folder that is not there was synced")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

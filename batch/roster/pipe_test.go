//go:build unix

package roster

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPipe reads a named pipe once, for all passes.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte(goodText), 0) }()
	r, err := File(path, plain())
	if err != nil || <-written != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := collect(r); got.err != nil || len(got.rows) != 1 {
			t.Errorf("%+v", got)
		}
	}
}

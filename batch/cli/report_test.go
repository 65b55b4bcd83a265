package cli

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// What keeps a report from standard output is told once.
func TestFailedWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "users.run")
	noError(t, planRun(t, dir, 1).Close())
	var said strings.Builder
	a := &app{out: fullDisk{}, err: &said, getenv: func(string) string { return "" }}
	code := a.run(t.Context(), []string{"report", dir, "-o", "-"})
	if code != exitFailure || strings.Count(said.String(), "no space left") != 1 {
		t.Errorf("exit code %d: %s", code, said.String())
	}
}

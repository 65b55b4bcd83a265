package roster

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodText = "user_id,device_id\n" + userA + ",1\n"

func must(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeFile writes a file into a new folder and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.csv")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFile(t *testing.T) {
	r, err := File(writeFile(t, goodText), plain())
	if err != nil || r.Name() != "users.csv" {
		t.Fatal(r, err)
	}
	for range 2 { // passes
		if got := collect(r); got.err != nil || len(got.rows) != 1 {
			t.Errorf("%+v", got)
		}
	}
}

// hintOf returns the hint of an error, or "none".
func hintOf(err error) string {
	var hinting interface{ Hint() string }
	if errors.As(err, &hinting) {
		return hinting.Hint()
	}
	return "none"
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.csv")
	_, large := spool("pipe", io.LimitReader(&repeating{text: "x"}, 3<<20+1), 2<<20)
	_, none := File(missing, plain())
	_, folder := File(dir, plain())
	for _, c := range []struct {
		err, is    error
		text, hint string
	}{
		{none, fs.ErrNotExist, missing + ": no such file", "INPUT is a CSV file, or - for standard input"},
		{folder, ErrFolder, dir + " is a folder", "INPUT is a CSV file, or - for standard input"},
		{large, ErrTooLarge, "pipe holds more than 2 MiB", "put it into a file"},
	} {
		if !errors.Is(c.err, c.is) || c.err.Error() != c.text || hintOf(c.err) != c.hint {
			t.Errorf("got %v, hint %s", c.err, hintOf(c.err))
		}
	}
}

// TestSpool keeps what can be read once, over the borders of its pieces.
func TestSpool(t *testing.T) {
	for _, size := range []int{0, 1, spoolPiece - 1, spoolPiece, spoolPiece + 1, 2 * spoolPiece} {
		text := strings.Repeat("0123456789", size/10+1)[:size]
		in, err := spool("pipe", strings.NewReader(text), 4<<20)
		must(t, err)
		for range 2 {
			f, _ := in.open()
			if got, err := io.ReadAll(f); string(got) != text || err != nil {
				t.Errorf("%d bytes of %d: %v", len(got), size, err)
			}
		}
	}
}

func TestFileGone(t *testing.T) {
	path := writeFile(t, goodText)
	r, err := File(path, plain())
	must(t, err)
	must(t, os.Remove(path))
	got := collect(r)
	if !errors.Is(got.err, fs.ErrNotExist) || len(got.rows) > 0 {
		t.Errorf("%+v", got)
	}
	if _, err := r.Digest(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if diff := cmp.Diff([]string(nil), r.Columns()); diff != "" {
		t.Error(diff)
	}
}

package roster

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// changes are what may happen to a file.
var changes = map[string]func(path string) error{
	"it grows": func(path string) error {
		return appendAt(path, userB+",2\n", time.Time{})
	},
	"it grows within one tick of the file system's clock": func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return appendAt(path, userB+",2\n", info.ModTime())
	},
	"it is written anew in its old size": func(path string) error {
		later := time.Now().Add(time.Second)
		return os.Chtimes(path, later, later)
	},
	"it is cut": func(path string) error { return os.Truncate(path, 10) },
	"another file takes its place": func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+".new", []byte(strings.Replace(goodText, ",1", ",2", 1)), 0o600); err != nil {
			return err
		}
		if err := os.Chtimes(path+".new", info.ModTime(), info.ModTime()); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	},
}

// appendAt appends to a file, and sets its time of change unless it is zero.
func appendAt(path, text string, at time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil || at.IsZero() {
		return err
	}
	return os.Chtimes(path, at, at)
}

// refusesChange wants an error that says what to do about a file that changes.
func refusesChange(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrChanging) || !strings.HasPrefix(err.Error(), "users.csv ") || hintOf(err) == "none" {
		t.Errorf("got %v, hint %s", err, hintOf(err))
	}
}

// TestChangeBetweenPasses refuses a file that is not what the first pass read,
// before anything of it is yielded.
func TestChangeBetweenPasses(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, goodText)
			r, err := File(path, plain())
			must(t, err)
			if got := collect(r); got.err != nil {
				t.Fatal(got.err)
			}
			must(t, change(path))
			got := collect(r)
			refusesChange(t, got.err)
			if len(got.rows) > 0 {
				t.Errorf("%d rows", len(got.rows))
			}
		})
	}
}

// TestChangeDuringPass refuses what may be half of two files.
func TestChangeDuringPass(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && name == "another file takes its place" {
				t.Skip("an open file keeps its place there")
			}
			path := writeFile(t, goodText)
			r, err := File(path, plain())
			must(t, err)
			var last error
			for row, err := range r.Rows() {
				if last = err; row.Number != 1 {
					continue
				}
				must(t, change(path))
			}
			refusesChange(t, last)
			if _, err := r.Digest(); err == nil {
				t.Error("half a pass has a digest")
			}
		})
	}
}

// TestSettle waits until a file was left alone for a second, and no longer than
// that, whatever its time of change says.
func TestSettle(t *testing.T) {
	for name, c := range map[string]struct{ age, wait time.Duration }{
		"old":            {time.Hour, 0},
		"just still":     {time.Second, 0},
		"new":            {0, time.Second},
		"young":          {400 * time.Millisecond, 600 * time.Millisecond},
		"in the future":  {-time.Hour, time.Second},
		"a bit too late": {-time.Millisecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := writeFile(t, goodText)
				start := time.Now()
				must(t, os.Chtimes(path, start.Add(-c.age), start.Add(-c.age)))
				r, err := File(path, plain())
				must(t, err)
				if err := r.Settle(t.Context()); err != nil || time.Since(start) != c.wait {
					t.Errorf("waited %s: %v", time.Since(start), err)
				}
			})
		})
	}
}

// TestSettleRefuses refuses a file that changes while its settling is awaited.
func TestSettleRefuses(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := writeFile(t, goodText) // by the clock of this test, in the future
				r, err := File(path, plain())
				must(t, err)
				go func() {
					time.Sleep(settled / 2)
					if err := change(path); err != nil {
						t.Error(err)
					}
				}()
				refusesChange(t, r.Settle(t.Context()))
			})
		})
	}
}

func TestSettleIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := File(writeFile(t, goodText), plain())
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(settled/2, cancel)
		start := time.Now()
		if err := r.Settle(ctx); !errors.Is(err, context.Canceled) || time.Since(start) != settled/2 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// TestSpooledIsSettled has nothing to wait for.
func TestSpooledIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := openText(t, goodText, plain()).Settle(t.Context()); err != nil || time.Since(start) != 0 {
			t.Error(err)
		}
	})
}

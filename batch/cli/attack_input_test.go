//go:build linux

package cli_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"siprotate/exotel/exoteltest"
)

// TestAttackIDs puts ids into the input that want to be more than ids. All are
// refused, and nothing of them reaches the terminal as it is.
func TestAttackIDs(t *testing.T) {
	t.Parallel()
	n := tried(t, "ids that want to be paths, lines or commands")
	r := faultless(t, 0)
	user := exoteltest.GeneratedUser(0)
	for _, id := range []string{
		"..", ".", "../1", "..%2f1", "%2e%2e", "%2e", "1/../2", "1/password", "1?x=1", "1#x", `..\1`, "1%00", "1%0d%0aX: y",
		"1\n2", "1\r2", "1\r\nX: y", "1\x002", "1\x1b[2J", "1\x1b]0;title\a", "1\u009b2J", "1\u202e2", "1\u200b2", "1\u20282", "１２", "1\xff",
		"http://127.0.0.1/", "//127.0.0.1/", "=1+1", "#REF!", "'1", strings.Repeat("1/", 2000),
	} {
		for i, row := range [][]string{{id, user.Devices[1].ID}, {user.ID, id}} {
			n.times++
			text := fmt.Sprintf("user_id,device_id\n%s,%s\n", cell(row[0]), cell(row[1]))
			r.input = filepath.Join(t.TempDir(), "users.csv")
			must(t, os.WriteFile(r.input, []byte(text), 0o600))
			must(t, settle(r.input))
			p := launch{}.start(t, r.base, r.runArgs()...)
			exits(t, p, 2)
			r.checkNothingSent()
			if said := p.stderr.String(); strings.ContainsAny(said, "\x00\x1b\a\r\u009b\u202e\u200b") || len(said) > 2000 {
				t.Errorf("id %q in column %d: it says %q", id, i, said)
			}
			if _, err := os.Stat(r.dir); err == nil {
				t.Errorf("id %q in column %d: a run directory was made", id, i)
			}
		}
	}
}

// cell writes a cell of a CSV file.
func cell(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

// An endless reader gives a head, and then a text again and again, up to a size.
func endless(head, text string, size int64) io.Reader {
	return io.MultiReader(strings.NewReader(head), io.LimitReader(&again{text: strings.Repeat(text, 1+(64<<10)/len(text))}, size))
}

type again struct {
	text string
	at   int
}

func (a *again) Read(p []byte) (int, error) {
	n := copy(p, a.text[a.at:])
	a.at = (a.at + n) % len(a.text)
	return n, nil
}

// TestAttackSizes gives inputs that are much too large, from a file and from a
// pipe. Each is refused, in little memory and few words.
func TestAttackSizes(t *testing.T) {
	t.Parallel()
	n := tried(t, "inputs without measure")
	const (
		huge   = 512 << 20
		header = "user_id,device_id,note\n"
		bad    = "..,/,x\n"
	)
	for _, c := range []struct {
		name       string
		head, text string
		size       int64
	}{
		{"a cell of 512 MB", header + "1,2,", "x", huge},
		{"a quoted cell of 512 MB", header + `1,2,"`, "a line of a cell\n", huge},
		{"a cell of 512 MB of quotes", header + `1,2,"`, `""`, huge},
		{"a header of 512 MB", "user_id,device_id,", "x", huge},
		{"a million columns", "user_id,device_id", ",x", 2 << 20},
		{"a million cells", header + "1,2", ",x", 2 << 20},
		{"a million empty lines", header, "\n", 1_000_000},
		{"1.5 million empty lines in one column", "email\n", "\n", 1_500_000},
		{"100,000 faults", header, bad, int64(100_000 * len(bad))},
		{"zeros", "", "\x00", 16 << 20},
	} {
		t.Run(c.name+" in a file", func(t *testing.T) {
			n.times++
			const written = 1 << 20 // of a larger file the rest is a hole, which takes no room
			input := filepath.Join(t.TempDir(), "users.csv")
			f, err := os.Create(input)
			must(t, err)
			_, err = io.Copy(f, endless(c.head, c.text, min(c.size, written)))
			must(t, err)
			if c.size > written {
				must(t, f.Truncate(c.size))
			}
			must(t, f.Close())
			must(t, settle(input))
			refuseInput(t, launch{}, input, 150)
		})
		t.Run(c.name+" in a pipe", func(t *testing.T) {
			n.times++
			refuseInput(t, launch{in: endless(c.head, c.text, c.size)}, "-", 400)
		})
	}
}

// refuseInput wants an input to be refused: with nothing sent, in so many MB of
// memory.
func refuseInput(t *testing.T, l launch, input string, memory int64) {
	t.Helper()
	r := faultless(t, 0)
	p := l.start(t, r.base, "run", input, "--yes", "-o", r.dir)
	exits(t, p, 2)
	r.checkNothingSent()
	inMemory(t, p, memory)
	if said := p.stderr.Len(); said > 16<<10 {
		t.Errorf("it says %d bytes", said)
	}
}

// TestAttackGrowing reads a file that grows meanwhile, in pieces that end
// anywhere, from before the program starts or from some instant of its work. It
// is refused, or what was sent is what the file says: half a password would pass
// for one.
func TestAttackGrowing(t *testing.T) {
	n := tried(t, "an input that grows while it is read")
	choose := choices(t)
	for i := range 3 * *attackTimes {
		n.times++
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			testGrowing(t, choose(i), i%2 == 0)
		})
	}
}

func testGrowing(t *testing.T, rng *rand.Rand, early bool) {
	t.Helper()
	const rows, begun = 500, 20
	long := func(i int) string { return givenToAll(i) + strings.Repeat("-and-on", 30) }
	r := newRotation(t, rng, exoteltest.Options{Users: rows})
	must(t, writeInput(r.input, rows, long))
	whole, err := os.ReadFile(r.input)
	must(t, err)
	must(t, writeInput(r.input, begun, long))
	from, err := os.Stat(r.input)
	must(t, err)

	w := &growingFile{path: r.input, rest: whole[from.Size():]}
	if early {
		must(t, w.write())
	}
	p := launch{}.start(t, r.base, r.runArgs()...)
	grown := make(chan error, 1)
	go func() {
		if !early {
			time.Sleep(time.Duration(rng.Int64N(int64(60 * time.Millisecond))))
		}
		grown <- w.grow(p)
	}()
	code := exits(t, p, 0, 2)
	must(t, <-grown)
	if w.longest >= time.Second {
		t.Skipf("this machine let the writer wait for %v: the file was left alone for too long to be growing", w.longest)
	}
	if code == 2 {
		r.checkNothingSent()
		if want := "users.csv is being written"; !strings.Contains(p.stderr.String(), want) {
			t.Errorf("it does not say %q: %s", want, p.stderr.String())
		}
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	for row := range rows {
		for password := range r.api.sent[device(row+1)] {
			if password != long(row) {
				t.Errorf("row %d: not its password was sent, but %q", row+1, password)
			}
		}
	}
}

// A growingFile is written piece by piece.
type growingFile struct {
	path    string
	rest    []byte
	latest  time.Time     // of the writes; zero before the first
	longest time.Duration // between two writes
}

// write appends the next piece.
func (w *growingFile) write() error {
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	piece := w.rest[:min(17, len(w.rest))]
	_, err = f.Write(piece)
	w.rest = w.rest[len(piece):]
	now := time.Now()
	if !w.latest.IsZero() {
		w.longest = max(w.longest, now.Sub(w.latest))
	}
	w.latest = now
	return errors.Join(err, f.Close())
}

// grow appends to the file as long as a process reads it.
func (w *growingFile) grow(reader *process) error {
	for len(w.rest) > 0 && !reader.exited() {
		if err := w.write(); err != nil {
			return err
		}
		time.Sleep(10 * time.Microsecond)
	}
	return nil
}

// TestAttackPipe names a pipe as the input: one that somebody writes to gives a
// run as a file does, and one that nobody does can be given up.
func TestAttackPipe(t *testing.T) {
	n := tried(t, "a named pipe as the input")
	n.times = 2
	r := faultless(t, 0)
	text, err := os.ReadFile(r.input)
	must(t, err)
	must(t, os.Remove(r.input))
	must(t, unix.Mkfifo(r.input, 0o600))
	p := launch{}.start(t, r.base, r.runArgs()...)
	must(t, os.WriteFile(r.input, text, 0))
	exits(t, p, 0)
	r.checkEnd()

	r = faultless(t, 0)
	must(t, os.Remove(r.input))
	must(t, unix.Mkfifo(r.input, 0o600))
	p = launch{}.start(t, r.base, r.runArgs()...)
	for !p.exited() {
		_ = p.cmd.Process.Signal(unix.SIGTERM) // once and again, since the first may come too early
		time.Sleep(20 * time.Millisecond)
	}
	exits(t, p, 143, killed)
	r.checkNothingSent()
}

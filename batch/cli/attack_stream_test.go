//go:build linux

package cli_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAttackStreams takes the program's streams away in every way. The run goes
// to its end, and its reports are written.
func TestAttackStreams(t *testing.T) {
	t.Parallel()
	n := tried(t, "closed, full and broken streams")
	for _, c := range []struct {
		name   string
		launch func(*testing.T) launch
		flag   string
	}{
		{"no standard error", shell(`exec "$0" "$@" 2>&-`), "-v"},
		{"no standard output", shell(`exec "$0" "$@" >&-`), "--json"},
		{"no streams at all", shell(`exec "$0" "$@" <&- >&- 2>&-`), "-v"},
		{"standard error that is full", shell(`exec "$0" "$@" 2>/dev/full`), "-v"},
		{"standard output that is full", shell(`exec "$0" "$@" >/dev/full`), "--json"},
		{"standard error whose reader went away", func(t *testing.T) launch { return launch{err: gone(t)} }, "-v"},
		{"standard output whose reader went away", func(t *testing.T) launch { return launch{out: gone(t)} }, "--json"},
		{"standard output that nobody reads", func(t *testing.T) launch { return launch{out: filled(t)} }, "--json"},
		{"standard error that nobody reads", func(t *testing.T) launch { return launch{err: unread(t)} }, "--json"},
		{"standard error that nobody reads, and much to say", func(t *testing.T) launch { return launch{err: unread(t)} }, "-v"},
		{"standard error that was full before", func(t *testing.T) launch { return launch{err: filled(t)} }, "--json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.times++
			r := faultless(t, n.times)
			r.reachesItsEnd(c.launch(t).start(t, r.base, r.runArgs(c.flag)...))
		})
	}
}

// reachesItsEnd wants all rows to be rotated and reported, though the process
// may then be stuck in telling so.
func (r *rotation) reachesItsEnd(p *process) {
	r.t.Helper()
	last := filepath.Join(r.dir, "summary.json")
	for began := time.Now(); !p.exited(); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(last); err == nil {
			break
		}
		if time.Since(began) > 10*time.Second {
			r.t.Fatalf("it is stuck: %d of %d rows were sent", r.api.total(), r.rows)
		}
	}
	r.checkRecoverable()
	r.checkEnd()
}

func shell(script string) func(*testing.T) launch {
	return func(*testing.T) launch { return launch{shell: script} }
}

// gone returns a pipe that has no reader any more.
func gone(t *testing.T) *os.File {
	t.Helper()
	out, in, err := os.Pipe()
	must(t, err)
	must(t, out.Close())
	t.Cleanup(func() { in.Close() })
	return in
}

// unread returns a pipe of 4 KiB that is never read.
func unread(t *testing.T) *os.File {
	t.Helper()
	out, in, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() {
		out.Close()
		in.Close()
	})
	_, err = unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, 4096)
	must(t, err)
	return in
}

// filled returns a pipe that is never read and takes no byte any more.
func filled(t *testing.T) *os.File {
	t.Helper()
	in := unread(t)
	_, err := in.Write(make([]byte, 4096))
	must(t, err)
	return in
}

// TestAttackTerminal takes the terminal away in the middle of a run.
func TestAttackTerminal(t *testing.T) {
	n := tried(t, "a terminal that goes away")
	for _, c := range []struct{ name, shell string }{
		{"under nohup", `trap "" HUP; exec "$0" "$@"`},
		{"by itself", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.times++
			r := faultless(t, n.times)
			terminal, screen := openTerminal(t)
			l := launch{shell: c.shell, in: screen, out: screen, err: screen, prepare: func(cmd *exec.Cmd) {
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			}}
			p := l.start(t, r.base, r.runArgs("-v")...)
			must(t, screen.Close())
			go io.Copy(io.Discard, terminal)
			for r.api.total() < r.rows/4 && !p.exited() {
				time.Sleep(time.Millisecond)
			}
			must(t, terminal.Close())
			exits(t, p, 0, 128+int(syscall.SIGHUP), 143)
			r.checkRecoverable()
			r.checkReports()
			r.finish()
		})
	}
}

// openTerminal returns the two ends of a terminal: what a person sees, and what
// a program writes to.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { person.Close() })
	must(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	must(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	return person, program
}

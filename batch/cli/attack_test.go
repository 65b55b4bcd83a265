//go:build linux

package cli_test

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// The attacks try to make a run lose a password, send one twice, tell a secret
// or wait for ever. A plain go test runs each a few times; this runs them at
// length, and prints a line for each, of what was tried and how often:
//
//	go test -timeout 2h -parallel 8 -v -run TestAttack ./batch/cli -crash.runs 200 -attack.rows 500 -attack.times 10 -attack.away 1m | grep -o 'tried: .*'
var (
	attackRows  = flag.Int("attack.rows", 40, "rows of a run that is attacked")
	attackTimes = flag.Int("attack.times", 1, "how many times as often the attacks run")
	attackAway  = flag.Duration("attack.away", 2*time.Second, "how long the far side goes away")
)

// Each program that has the race detector in it would sleep a second as it ends.
func init() {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
}

// A trial is how often an attack was tried.
type trial struct{ times int }

// tried tells at the end of a test what it tried, how many times, and how that
// went.
func tried(t *testing.T, attack string) *trial {
	n := &trial{}
	t.Cleanup(func() {
		result := "nothing lost"
		switch {
		case t.Skipped():
			return
		case t.Failed():
			result = "WENT WRONG"
		case n.times == 0:
			result = "not tried"
		}
		t.Logf("tried: %s | %d | %s", attack, n.times, result)
	})
	return n
}

// A launch is how a program is started whose circumstances are out of the
// ordinary.
type launch struct {
	shell   string    // a script that ends in: exec "$0" "$@"; empty: none
	env     []string  // besides what every program has
	in      io.Reader // nil: nothing
	out     io.Writer // nil: nowhere
	err     io.Writer // nil: into said
	prepare func(*exec.Cmd)
}

// start starts the program. It is gone at the end of the test.
func (l launch) start(tb testing.TB, base string, args ...string) *process {
	tb.Helper()
	self, err := os.Executable()
	must(tb, err)
	if l.shell != "" {
		args = append([]string{"-c", l.shell, self}, args...)
		self = "/bin/sh"
	}
	p := &process{cmd: exec.Command(self, args...), done: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = l.in, l.out, l.err
	if l.err == nil {
		p.cmd.Stderr = &p.said
	}
	p.cmd.Env = append(withoutVendor(os.Environ()),
		role+"="+program,
		"XDG_STATE_HOME="+tb.TempDir(),
		"EXOTEL_BASE_URL="+base,
		"EXOTEL_ACCOUNT_SID="+exoteltest.DefaultCredential,
		"EXOTEL_API_KEY="+exoteltest.DefaultCredential,
		"EXOTEL_API_TOKEN="+exoteltest.DefaultCredential,
	)
	p.cmd.Env = append(p.cmd.Env, l.env...)
	if l.prepare != nil {
		l.prepare(p.cmd)
	}
	must(tb, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code says it
	}()
	tb.Cleanup(func() {
		p.kill()
		p.wait()
	})
	return p
}

// patience is for a program that hangs: no attack takes nearly as long.
func patience() time.Duration { return *attackAway + 2*time.Minute }

// exits waits for the program to end, and wants one of the exit codes.
func exits(tb testing.TB, p *process, wanted ...int) int {
	tb.Helper()
	hangs := time.AfterFunc(patience(), p.kill)
	code := p.wait()
	hangs.Stop()
	for _, want := range wanted {
		if code == want {
			return code
		}
	}
	tb.Fatalf("exit code %d, want one of %v: %s", code, wanted, p.said.String())
	return code
}

// runArgs are the arguments of a run without waits between tries.
func (r *rotation) runArgs(more ...string) []string {
	return append([]string{"run", r.input, "--yes", "-o", r.dir, "--rate", "unlimited", "--max-attempts", "1"}, more...)
}

// unsent wants no password to have been sent at all.
func (r *rotation) unsent() {
	r.t.Helper()
	r.far.mu.Lock()
	defer r.far.mu.Unlock()
	if len(r.far.sent) > 0 {
		r.t.Errorf("something was sent for %d devices", len(r.far.sent))
	}
}

// calm is a rotation without faults, of a run that is attacked.
func calm(t *testing.T, i int) *rotation {
	t.Helper()
	return calmOf(t, i, *attackRows)
}

func calmOf(t *testing.T, i, rows int) *rotation {
	t.Helper()
	r := newRotation(t, choices(t)(i), rows, nil)
	r.maxAttempts = 1
	return r
}

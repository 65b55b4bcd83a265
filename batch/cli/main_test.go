package cli_test

import (
	"bytes"
	"flag"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"siprotate/batch/cli"
	"siprotate/exotel/exoteltest"
)

// roleVariable makes the test binary one of these programs.
const roleVariable = "SIPROTATE_TEST_ROLE"

const (
	program  = "program"   // siprotate itself
	logging  = "logging"   // siprotate with a library that logs
	bareLoop = "bare-loop" // what siprotate is measured against
)

var attackLong = flag.Bool("attack.long", false, "run the attacks and the crash tests at length, which takes some minutes")

// long is what -attack.long says of the flags that are not given.
var long = map[string]string{"crash.runs": "60", "attack.times": "6", "attack.away": "10s", "test.parallel": "8"}

// setFlags gives those flags their values that are not given. Most of these tests
// wait for programs that wait: more of them run at once than there are cores.
func setFlags() {
	flag.Parse()
	values := map[string]string{"test.parallel": "16"}
	if *attackLong {
		maps.Copy(values, long)
	}
	flag.Visit(func(f *flag.Flag) { delete(values, f.Name) })
	for name, value := range values {
		_ = flag.Set(name, value) // the attacks have flags on Linux alone
	}
}

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case program:
		os.Exit(cli.Main())
	case logging:
		code := cli.Main()
		log.Print("a library logs")
		os.Exit(code)
	case bareLoop:
		os.Exit(runBareLoop(os.Args[1], os.Args[2], os.Args[3]))
	}
	setFlags()
	// Each program that has the race detector in it would sleep a second as it ends.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	goleak.VerifyTestMain(m)
}

// A launch is how a program is started. The zero launch starts siprotate with
// nothing on standard input.
type launch struct {
	role    string    // empty: siprotate itself
	shell   string    // a script that ends in: exec "$0" "$@"; empty: none
	env     []string  // besides what every program has
	in      io.Reader // nil: nothing
	out     io.Writer // nil: nowhere
	err     io.Writer // nil: into the process's stderr
	prepare func(*exec.Cmd)
}

// A process is a program that was started.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{}
}

// killed is the exit code of a process that a signal ended.
const killed = -1

// hangTimeout is longer than any program may take.
const hangTimeout = 4 * time.Minute

// start starts the program, whose account is the one at base. It is gone at the
// end of the test.
func (l launch) start(tb testing.TB, base string, args ...string) *process {
	tb.Helper()
	self, err := os.Executable()
	must(tb, err)
	if l.shell != "" {
		args = append([]string{"-c", l.shell, self}, args...)
		self = "/bin/sh"
	}
	if l.role == "" {
		l.role = program
	}
	p := &process{cmd: exec.Command(self, args...), done: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = l.in, l.out, l.err
	if l.err == nil {
		p.cmd.Stderr = &p.stderr
	}
	ours := func(variable string) bool { return strings.HasPrefix(variable, "EXOTEL_") }
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), ours),
		roleVariable+"="+l.role,
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

// kill ends the process as kill -9 does. One that has ended stays as it is.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// wait returns the exit code. A process that hangs is killed.
func (p *process) wait() int {
	hangs := time.AfterFunc(hangTimeout, p.kill)
	defer hangs.Stop()
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// exits waits for the process to end, and wants one of the exit codes.
func exits(tb testing.TB, p *process, wanted ...int) int {
	tb.Helper()
	code := p.wait()
	if !slices.Contains(wanted, code) {
		tb.Fatalf("exit code %d, want one of %v: %s", code, wanted, p.stderr.String())
	}
	return code
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

package cli_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"siprotate/batch/cli"
	"siprotate/exotel/exoteltest"
)

// role is the variable that makes the test binary play a part of its own.
const role = "SIPROTATE_TEST_ROLE"

const (
	program  = "program"   // siprotate itself
	bareLoop = "bare-loop" // what siprotate is measured against
)

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case program:
		os.Exit(cli.Main())
	case bareLoop:
		os.Exit(runBareLoop(os.Args[1], os.Args[2], os.Args[3]))
	}
	// The proxy's own goroutines can stay behind when it is closed in the middle
	// of a transfer.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

// A process is the test binary in one of its roles.
type process struct {
	cmd  *exec.Cmd
	said bytes.Buffer // on standard error
	done chan struct{}
}

// killed is the exit code of a process that a signal ended.
const killed = -1

// start starts a process whose account is the stand-in's at base. It is gone at
// the end of the test.
func start(tb testing.TB, part, base string, out io.Writer, args ...string) *process {
	tb.Helper()
	self, err := os.Executable()
	must(tb, err)
	p := &process{cmd: exec.Command(self, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, &p.said
	p.cmd.Env = append(withoutVendor(os.Environ()),
		role+"="+part,
		"XDG_STATE_HOME="+tb.TempDir(),
		"EXOTEL_BASE_URL="+base,
		"EXOTEL_ACCOUNT_SID="+exoteltest.DefaultCredential,
		"EXOTEL_API_KEY="+exoteltest.DefaultCredential,
		"EXOTEL_API_TOKEN="+exoteltest.DefaultCredential,
	)
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

// withoutVendor drops what the caller's environment says of an account.
func withoutVendor(environ []string) (kept []string) {
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "EXOTEL_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// kill ends the process as kill -9 does. One that has ended stays as it is.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// wait returns the exit code.
func (p *process) wait() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
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

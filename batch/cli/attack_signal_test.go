//go:build linux

package cli_test

import (
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// TestAttackSignals sends signals at random instants, once and twice. The run
// stops, whenever they come, as safely as after a crash; once it sends, with its
// reports written.
func TestAttackSignals(t *testing.T) {
	n := tried(t, "SIGINT and SIGTERM at random instants, once or twice")
	choose := choices(t)
	for i := range 6 * *attackTimes {
		n.times++
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			testSignals(t, choose(i))
		})
	}
}

func testSignals(t *testing.T, rng *rand.Rand) {
	t.Helper()
	r := newRotation(t, rng, exoteltest.Options{Users: *attackRows, Latency: 10 * time.Millisecond, Jitter: 20 * time.Millisecond})
	r.maxAttempts = 1
	p := launch{}.start(t, r.base, r.runArgs()...)
	wait := func(most time.Duration) { time.Sleep(time.Duration(rng.Int64N(int64(most)))) }
	wait(250 * time.Millisecond)
	first := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[rng.IntN(2)]
	sending := r.api.total() > 0
	_ = p.cmd.Process.Signal(first) // it may have ended
	twice := rng.IntN(2) == 0
	if twice {
		wait(40 * time.Millisecond)
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	// One that comes before the program listens ends it at once.
	code := exits(t, p, 0, 5, 130, 143, killed)
	r.checkRecoverable()
	switch {
	case sending && code == killed:
		t.Errorf("%v killed it", first)
	case sending && !twice && code != 0 && code != 128+int(first):
		t.Errorf("%v: exit code %d", first, code)
	case sending && !twice:
		r.checkReports()
	}
	r.finish()
}

//go:build linux

package cli_test

import (
	"flag"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// The attacks try to make a run lose a password, send one twice, leak a secret
// or wait for ever. A plain go test runs each a few times; this runs them at
// length, and prints a line for each, of what was tried and how often:
//
//	go test -timeout 2h -v -run 'TestAttack|TestCrash' ./batch/cli -attack.long | grep -o 'tried: .*'
var (
	attackRows  = flag.Int("attack.rows", 40, "rows of a run that is attacked")
	attackTimes = flag.Int("attack.times", 1, "how many times as often the attacks run")
	attackAway  = flag.Duration("attack.away", time.Second, "for how long the API cannot be reached")
)

// A trial is how often an attack was tried.
type trial struct{ times int }

// tried logs at the end of a test what it tried, how many times, and how that
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

// runArgs are the arguments of a run without waits between tries.
func (r *rotation) runArgs(more ...string) []string {
	return append([]string{"run", r.input, "--yes", "-o", r.dir, "--rate", "unlimited", "--max-attempts", "1"}, more...)
}

// checkNothingSent wants no password to have been sent at all.
func (r *rotation) checkNothingSent() {
	r.t.Helper()
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	if len(r.api.sent) > 0 {
		r.t.Errorf("something was sent for %d devices", len(r.api.sent))
	}
}

// faultless prepares a rotation without faults, to be attacked. Its i chooses the
// passwords.
func faultless(t *testing.T, i int) *rotation {
	t.Helper()
	return faultlessOf(t, i, *attackRows)
}

func faultlessOf(t *testing.T, i, rows int) *rotation {
	t.Helper()
	r := newRotation(t, choices(t)(i), exoteltest.Options{Users: rows})
	r.maxAttempts = 1
	return r
}

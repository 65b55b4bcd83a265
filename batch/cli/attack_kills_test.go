//go:build linux

package cli_test

import (
	"strconv"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// every is one request in ten gone wrong, in every way there is.
func every() map[exoteltest.Fault]float64 {
	all := map[exoteltest.Fault]float64{}
	for _, name := range exoteltest.FaultNames() {
		all[exoteltest.Fault(name)] = 0.1 / float64(len(exoteltest.FaultNames()))
	}
	return all
}

// TestAttackKills kills runs under every fault at once, at random requests and at
// random instants, and resumes them. Every third is sealed. A 429 costs a wait of more than a second, so
// that a plain go test has fewer rows than a real run:
//
//	go test -timeout 2h -run TestAttackKills ./batch/cli -crash.runs 200 -attack.rows 500
func TestAttackKills(t *testing.T) {
	t.Parallel()
	kills := tried(t, "kill -9 under every fault at once")
	choose := choices(t)
	for i := range *crashRuns {
		rng := choose(i)
		n := 1 + rng.IntN(4)
		kills.times += n
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			r := newRotation(t, rng, exoteltest.Options{Users: *attackRows, Faults: every(), SlowBy: time.Minute})
			if i%3 == 0 {
				r.seal()
			}
			// A slow answer exceeds the timeout. On a busy machine so do ten others in
			// a row, for which a run would stop: that is not what is tried here.
			r.maxAttempts, r.retryFailed, r.flags = 1, true, []string{"--timeout", "400ms", "--max-failures", "1000000"}
			for range n {
				if rng.IntN(2) == 0 {
					r.killSending()
				} else {
					r.killWithin(400 * time.Millisecond)
				}
			}
			r.finish()
		})
	}
}

// killWithin kills the run at a random instant within a time, or lets it end if
// it is faster.
func (r *rotation) killWithin(most time.Duration) {
	r.t.Helper()
	p := r.command(r.noteConfirmed())()
	time.Sleep(time.Duration(r.rng.Int64N(int64(most))))
	p.kill()
	exits(r.t, p, killed, 0, 3, 5)
	r.checkRecoverable()
}

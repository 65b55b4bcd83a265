//go:build linux

package cli_test

import (
	"math/rand/v2"
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

// TestAttackStorm kills runs under every fault at once, at random requests and at
// random instants, and lets them go on. A 429 costs a wait of more than a second,
// so that a plain go test has fewer rows than a real run:
//
//	go test -timeout 2h -run TestAttackStorm ./batch/cli -crash.runs 200 -attack.rows 500
func TestAttackStorm(t *testing.T) {
	kills := tried(t, "kill -9 under every fault at once")
	choose := choices(t)
	for i := range *crashRuns {
		rng := choose(i)
		n := 1 + rng.IntN(4)
		kills.times += n
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			s := newStorm(t, rng)
			for range n {
				s.kill()
			}
			s.finish()
		})
	}
}

// A storm is a rotation in which rows can fail, and are sent again.
type storm struct{ *rotation }

func newStorm(t *testing.T, rng *rand.Rand) storm {
	t.Helper()
	r := newRotation(t, rng, *attackRows, nil)
	o := exoteltest.Options{Users: *attackRows, Faults: every(), SlowBy: time.Minute, Seed: rng.Uint64()}
	r.far.Server = exoteltest.New(o)
	r.maxAttempts = 1
	return storm{r}
}

func (s storm) command(j written) func() *process {
	args := s.runArgs("--workers", "16")
	if j.sealed {
		args = []string{"resume", s.dir, "--retry-failed", "--rate", "unlimited", "--workers", "16", "--max-attempts", "1"}
	}
	// A slow answer exceeds the timeout. On a busy machine so do ten others in a
	// row, for which a run would stop: that is not what is tried here.
	args = append(args, "--timeout", "400ms", "--max-failures", "1000000")
	return func() *process { return launch{}.start(s.t, s.base, args...) }
}

// kill kills the run at a random request, or at a random instant, which may
// come after its end.
func (s storm) kill() {
	s.t.Helper()
	j := s.settle()
	left := s.rows - j.confirmedRows()
	if left == 0 {
		return
	}
	if s.rng.IntN(2) == 0 {
		p := s.far.strike(1+s.rng.IntN(left), s.instant(), s.command(j))
		exits(s.t, p, killed)
	} else {
		p := s.far.spare(s.command(j))
		time.Sleep(time.Duration(s.rng.IntN(int(400 * time.Millisecond))))
		p.kill()
		exits(s.t, p, killed, 0, 3)
	}
	s.survive()
}

// finish goes on until every row is rotated.
func (s storm) finish() {
	s.t.Helper()
	for range 30 {
		p := s.far.spare(s.command(s.settle()))
		if exits(s.t, p, 0, 3) == 0 {
			s.ended()
			return
		}
		s.reported()
	}
	s.t.Errorf("not every row is rotated after 30 sessions")
}

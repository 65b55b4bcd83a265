package pace

import (
	"math"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// A shape is what refusals have taught of the limiter beyond its allowance: how
// many requests it takes in a burst, and at which pace after that. Some limiters
// take all of a window at once, others a few and then one every Per/N, and an
// allowance that others use, too, has room for fewer.
//
// It is learned as TCP learns what a path can carry. The first burst begins
// with one request under way, and has more as they are granted, so that a
// limiter with a small burst refuses few. The first refusal ends that: from
// then on requests leave one by one, at the pace of the allowance. A refusal in
// spite of that lowers the pace: by half at most, and not below what was granted
// in the last window but for a little. Granted requests raise it again, quickly to
// what was granted lately and slowly from there, until requests may leave in bursts
// as before.
//
// Some servers refuse at random, whatever the pace: they shed load, or have nodes
// that count apart. What tells them from a limiter is that they do not refuse more at
// a higher pace. So where the pace has fallen far, a probe doubles it for a while.
//
// Nothing of it is needed to stay within the allowance.
type shape struct {
	limit  int           // requests a window, of the allowance
	window time.Duration // of the allowance
	always bool          // one by one, whatever is refused

	even   *rate.Limiter // one by one; nil while requests may leave in bursts
	burst  int           // so many that a wait has held back may leave at once
	speed  float64       // of the pace of the allowance, while requests leave one by one
	pace   float64       // requests a window; less than limit only after refusals
	taught time.Time     // when a refusal last taught something; zero: never
	since  int           // requests granted since, of those that left after it
	total  int           // requests granted, ever
	recent []time.Time   // when requests were granted, those of the last window
	first  time.Time     // when the first request left
	latest time.Time     // when the latest request left

	peak   float64   // the most requests that were granted in a window
	peaked time.Time // when

	probe probe
}

// The figures below were chosen by simulation: see TestServers, TestFickleServer
// and TestAllowanceIsSpent.
const (
	// The first burst: how many granted requests let one more be under way, and how
	// many of those under way at most, as a part of the allowance.
	grantsPerFlight = 4
	flightShare     = 12

	// Where answers are slow, the first burst does not wait for them: requests leave so
	// many times as fast as the allowance permits on average, or as one of "large"
	// requests would.
	burstSpeed = 8
	large      = 50

	// After a refusal, this part of what was granted in a burst may leave at once.
	burstShare = 4

	// Each refusal slows requests that leave one by one to this part of their speed, and
	// all refusals together to that part of the allowance's: nginx counts in whole
	// milliseconds and rounds its pace down, and requests arrive sooner or later than
	// they should.
	slower  = 0.98
	slowest = 0.85

	// Requests leave so many times as fast as a lowered pace permits on average, to
	// make up for waits.
	catchUp = 1.5

	// A refusal lowers the pace below what was granted by this part of the
	// allowance, so that the limiter has room again.
	headroom = 1. / 25

	// Once a window's worth of requests has been granted, each further one raises
	// the pace by so much of a request a window.
	growth = 0.05

	// Below this part of what a window granted lately, each granted request raises the
	// pace by so much. What was granted counts for half after so many windows.
	provenShare   = 0.8
	provenGrowth  = 0.5
	provenWindows = 5

	// For longer than this no pace keeps requests from asking again.
	maxSpacing = lastBackoff
)

func newShape(o Options) shape {
	s := shape{limit: o.Rate.N, window: o.Rate.Per, always: o.Even}
	s.reset()
	return s
}

// reset forgets what refusals have taught.
func (s *shape) reset() {
	s.taught, s.even, s.burst, s.speed, s.pace = time.Time{}, nil, 1, 1, float64(s.limit)
	s.probe.forget()
	if s.always {
		s.even = rate.NewLimiter(s.evenly(), 1)
	}
}

// evenly returns the speed at which requests leave one by one.
func (s *shape) evenly() rate.Limit {
	return rate.Limit(min(float64(s.limit)*s.speed, s.pace*catchUp) / s.window.Seconds())
}

func (s *shape) setPace(perWindow float64, now time.Time) {
	s.pace = min(perWindow, float64(s.limit))
	if s.even != nil {
		s.even.SetLimitAt(now, s.evenly())
	}
}

// setLimit changes the allowance's requests a window. A pace that was learned
// stays.
func (s *shape) setLimit(n int, now time.Time) {
	s.limit = n
	if s.taught.IsZero() {
		s.pace = float64(n)
	}
	s.setPace(s.pace, now)
}

// next says whether one more request may leave now, beside those under way. Of
// a promised burst an answer has said that it will be granted.
func (s *shape) next(now time.Time, flying int, promised bool) Wait {
	if s.even == nil {
		if promised {
			return Wait{}
		}
		return s.firstBurst(now, flying)
	}
	if missing := 1 - s.even.TokensAt(now); missing > 0 {
		return Wait{Spread, now.Add(max(1, time.Duration(missing/float64(s.even.Limit())*float64(time.Second))))}
	}
	if s.taught.IsZero() || flying+len(s.recent) < int(s.pace) {
		return Wait{}
	}
	return s.slowed(now)
}

func (s *shape) firstBurst(now time.Time, flying int) Wait {
	most := min(1+s.total/grantsPerFlight, max(1, s.limit/flightShare))
	apart := s.window / time.Duration(burstSpeed*min(s.limit, large))
	if until := s.latest.Add(apart); flying >= most && until.After(now) {
		return Wait{Starting, until}
	}
	return Wait{}
}

// slowed waits until another request fits into the pace.
func (s *shape) slowed(now time.Time) Wait {
	until := s.latest.Add(maxSpacing)
	if len(s.recent) > 0 {
		if end := s.recent[0].Add(s.window); end.Before(until) {
			until = end
		}
	}
	if !until.After(now) {
		return Wait{}
	}
	return Wait{Slowed, until}
}

// estimate returns how long n requests take at the learned pace.
func (s *shape) estimate(n int) time.Duration {
	if s.even == nil {
		return 0
	}
	perWindow := min(float64(s.limit)*s.speed, s.pace)
	return time.Duration(float64(n-1) / perWindow * float64(s.window))
}

// take takes in that a request leaves.
func (s *shape) take(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
	s.latest = now
	if s.even != nil {
		s.even.AllowN(now, 1)
	}
}

// expire forgets what was granted a window ago.
func (s *shape) expire(now time.Time) {
	for len(s.recent) > 0 && !s.recent[0].Add(s.window).After(now) {
		s.recent = s.recent[1:]
	}
}

// grant takes in that the request that left at sent was granted.
func (s *shape) grant(sent, now time.Time) {
	s.total++
	s.recent = append(s.recent, now)
	s.expire(now)
	s.count(now, false)
	if n := float64(len(s.recent)); n >= s.lately(now) {
		s.peak, s.peaked = n, now
	}
	if s.taught.IsZero() || !sent.After(s.taught) {
		return
	}
	if s.pace < provenShare*s.lately(now) {
		s.setPace(s.pace+provenGrowth, now)
	}
	if s.since++; s.since <= s.limit {
		return
	}
	if s.setPace(s.pace+growth, now); s.pace >= float64(s.limit) {
		s.reset()
	}
}

// refuse takes in a refusal, after which nothing leaves before held. While
// nothing is granted, further refusals teach nothing new.
func (s *shape) refuse(now, held time.Time) {
	s.count(now, true)
	if !s.taught.IsZero() && s.since == 0 {
		s.leaveOneByOne(held, 1) // a limiter that counts refused requests, too, would refuse a burst again
		return
	}
	if s.even != nil {
		s.lower(now)
	}
	if s.taught.IsZero() {
		s.burst = min(s.total, s.limit) / burstShare
	} else {
		s.burst /= 2
	}
	s.burst = max(1, s.burst)
	s.speed = max(slowest, s.speed*slower)
	s.taught, s.since = now, 0
	s.leaveOneByOne(held, s.burst)
}

// leaveOneByOne lets at most a burst leave at once, and nothing before held.
func (s *shape) leaveOneByOne(held time.Time, burst int) {
	s.burst = burst
	s.even = rate.NewLimiter(s.evenly(), burst)
	s.even.AllowN(held, burst)
}

// lately returns how many requests a window has granted lately.
func (s *shape) lately(now time.Time) float64 {
	return s.peak * math.Exp2(-now.Sub(s.peaked).Seconds()/s.window.Seconds()/provenWindows)
}

// granted returns how many requests were granted in the last window. Before
// half a window has passed, the rest of that half counts as granted at pace.
func (s *shape) granted(now time.Time) float64 {
	s.expire(now)
	passed := now.Sub(s.first).Seconds() / s.window.Seconds()
	seen := min(1, max(passed, 0.5))
	return (float64(len(s.recent)) + s.pace*max(0, seen-passed)) / seen
}

// The wait after a failure is doubled with each further one, as the vendor
// advises: 1, 2, 4, 8, 16 s.
const (
	firstBackoff = time.Second
	lastBackoff  = 16 * time.Second
)

// Backoff returns how long to wait after the n-th failure in a row, from 1,
// where nobody says how long: 1, 2, 4, 8, and 16 s from then on, and at random up
// to half as much again, so that those who failed together do not try again
// together. An n below 1 counts as 1.
func Backoff(n int) time.Duration {
	step := min(firstBackoff<<min(max(n-1, 0), 10), lastBackoff)
	return step + rand.N(step/2)
}

package pace_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

// A server is a limiter that people have in front of their services, and the
// shortest time in which it grants so many requests.
type server struct {
	name      string
	perMinute int
	burst     int  // of nginx's limit_req, which never delays here
	haproxy   bool // http_req_rate instead, and Retry-After: 5
	rows      int
	least     time.Duration
}

var servers = []server{
	{"nginx 50r/m burst=49", 50, 49, false, 230, 216 * time.Second},
	{"nginx 50r/m burst=9", 50, 9, false, 60, 60 * time.Second},
	{"nginx 50r/m", 50, 0, false, 60, 71 * time.Second},
	{"nginx 300r/m burst=9", 300, 9, false, 150, 28 * time.Second},
	{"haproxy 50 per 60 s", 50, 0, true, 120, 144 * time.Second},
}

// What is needed of each, with no flag but the rate.
const (
	mostRefused = 0.05 // of the requests
	mostTime    = 1.3  // of the least
)

func (s server) options(even bool) pace.Options {
	return pace.Options{Rate: pace.Rate{N: s.perMinute, Per: time.Minute}, Even: even}
}

// world returns s in virtual time, with as many workers as a run has at most.
func (s server) world(latency time.Duration, seed uint64) *world {
	w := newWorld(&world{latency: latency, jitter: latency / 2, inFront: true, workers: 50, seed: seed})
	w.limiter = newLimitReq(s.perMinute, s.burst)
	if s.haproxy {
		w.limiter, w.wait = &reqRate{n: int64(s.perMinute), period: time.Minute}, 5*time.Second
	}
	return w
}

// TestServers shows that limiters which are not of the allowance's own kind are
// met quickly, with few requests refused. Its figures are printed with -v.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, s := range servers {
		for latency, most := range map[time.Duration]float64{time.Millisecond: mostRefused, 100 * time.Millisecond: mostRefused, 300 * time.Millisecond: 0.065} {
			for _, even := range []bool{false, true} {
				var refused, spent float64 // the most, over all seeds
				for seed := range uint64(20) {
					synctest.Test(t, func(t *testing.T) {
						w := s.world(latency, seed)
						took := w.send(t, newPacer(t, s.options(even)), s.rows)
						spent = max(spent, took.Seconds()/s.least.Seconds())
						refused = max(refused, float64(w.refused)/float64(s.rows+w.refused))
					})
				}
				t.Logf("%-20s %5v away, even %-5v: at most %.2f of the least time, %.1f%% refused", s.name, latency, even, spent, 100*refused)
				if refused > most || spent > mostTime {
					t.Errorf("want at most %.2f of the least time, %.1f%% refused", mostTime, 100*most)
				}
			}
		}
	}
}

// A server that refuses at random, whatever the pace, is not asked ever less often.
func TestFickleServer(t *testing.T) {
	t.Parallel()
	for _, refuses := range []float64{0.01, 0.02, 0.05, 0.1, 0.15} {
		for _, rows := range []int{230, 1000} {
			const (
				seeds    = 20
				wait     = 2 * time.Second
				mostTime = 2.8 // of the least, on average
			)
			var spent, sum float64
			for seed := range uint64(seeds) {
				synctest.Test(t, func(t *testing.T) {
					w := minute(exoteltest.FixedWindow, seed)
					w.limiter, w.wait = &fickle{w.limiter, refuses, rand.New(rand.NewPCG(seed, 3))}, wait
					took := w.send(t, newPacer(t, perMinute(50)), rows)
					least := w.least(int(float64(rows) / (1 - refuses)))
					spent = max(spent, took.Seconds()/least.Seconds())
					sum += took.Seconds() / least.Seconds()
				})
			}
			t.Logf("refuses %2.0f%%, %4d rows: at most %.2f of the least time, %.2f on average", 100*refuses, rows, spent, sum/seeds)
			if sum/seeds > mostTime {
				t.Errorf("want %.2f", mostTime)
			}
		}
	}
}

// A rate that is two to five times too high finds the server's pace, and does not
// leave it again.
func TestATooHighRate(t *testing.T) {
	for _, kind := range []exoteltest.Kind{exoteltest.FixedWindow, exoteltest.SlidingWindow, exoteltest.TokenBucket} {
		for _, n := range []int{10, 15, 25} {
			synctest.Test(t, func(t *testing.T) {
				w := minute(kind, 1)
				w.limit.N = n
				newWorld(w)
				p := newPacer(t, perMinute(50))
				w.send(t, p, 200)
				before := w.refused
				took := w.send(t, p, 200)
				refused := float64(w.refused-before) / float64(200+w.refused-before)
				t.Logf("%-14v %d a minute: %d refused of the first 200, then %.1f%%, in %v", kind, n, before, 100*refused, took)
				if least := time.Duration(200/n) * time.Minute; refused > 0.07 || before > 60 || took > least*13/10 {
					t.Errorf("want at most 60, then 7%%, in %v", least*13/10)
				}
			})
		}
	}
}

// A limiter that counts refused requests, too, and allows less all of a sudden is
// met in the end.
func TestALimitThatDrops(t *testing.T) {
	for _, n := range []int64{5, 10, 20} {
		synctest.Test(t, func(t *testing.T) {
			w := minute(exoteltest.TokenBucket, 1)
			w.workers = 50
			w.limiter = &dropping{w.limiter, &reqRate{n: n, period: time.Minute}, time.Now().Add(5 * time.Minute)}
			p := newPacer(t, perMinute(50))
			w.send(t, p, 350)
			before := w.refused
			took := w.send(t, p, 100)
			t.Logf("dropped to %d a minute: 100 rows in %v, %d refused", n, took, w.refused-before)
			if least := time.Duration(100/n) * time.Minute; took > 2*least || w.refused-before > 30 {
				t.Errorf("want at most 30, in %v", 2*least)
			}
		})
	}
}

// A rate that is six times too high finds the server's pace.
func TestAFarTooHighRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := server{perMinute: 50, burst: 9}.world(time.Millisecond, 1)
		took := w.send(t, newPacer(t, perMinute(300)), 300)
		t.Logf("took %v, %d refused", took, w.refused)
		if least := 290 * 1200 * time.Millisecond; took > least*13/10 || w.refused > 60 {
			t.Errorf("took %v of %v, %d refused", took, least, w.refused)
		}
	})
}

// One refusal, of the second of ten requests, costs the wait that the server asks
// for or a second or so, and not the bursts of all that follows.
func TestOneRefusalDoesNotStall(t *testing.T) {
	for _, after := range []time.Duration{0, 5 * time.Second} {
		for _, rate := range []pace.Rate{{N: 50, Per: time.Minute}, {N: 5, Per: time.Second}, {N: 600, Per: time.Hour}} {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(t, pace.Options{Rate: rate})
				take(t, p).Done(pace.Feedback{})
				time.Sleep(time.Second)
				take(t, p).Done(pace.Feedback{Throttled: true, HasRetryAfter: after > 0, RetryAfter: after})
				start := time.Now()
				take(t, p).Done(pace.Feedback{})
				shortest, longest := max(after, time.Second), max(after, 1500*time.Millisecond)+rate.Per/time.Duration(rate.N)*11/10
				if got := time.Since(start); got < shortest || got > longest {
					t.Errorf("%v, Retry-After %v: the next request leaves after %v", rate, after, got)
				}
				for range 2 * rate.N {
					take(t, p).Done(pace.Feedback{})
				}
				if s := p.State(); s.Others != 0 {
					t.Errorf("%v: others are seen: %+v", rate, s)
				}
				time.Sleep(rate.Per)
				start = time.Now()
				for range rate.N {
					take(t, p).Done(pace.Feedback{})
				}
				if got := time.Since(start); got != 0 {
					t.Errorf("%v: long after the refusal a burst takes %v", rate, got)
				}
			})
		}
	}
}

// However low a pace was learned, requests ask again within 16 s.
func TestALowPaceAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(50))
		take(t, p).Done(pace.Feedback{})
		time.Sleep(time.Minute)
		for range 30 {
			take(t, p).Done(pace.Feedback{})
		}
		take(t, p).Done(pace.Feedback{Throttled: true})
		take(t, p).Done(pace.Feedback{})
		take(t, p).Done(pace.Feedback{Throttled: true})
		refused := time.Now()
		time.Sleep(3 * time.Second)
		if s := p.State(); s.Waiting.Reason != pace.Slowed {
			t.Errorf("%+v", s)
		}
		take(t, p)
		if got := time.Since(refused); got != 16*time.Second {
			t.Errorf("asks again after %v", got)
		}
	})
}

// While nothing is granted, requests ask again after at most 24 s, however
// often they were refused.
func TestRefusalsOnEndAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(50))
		for range 40 {
			take(t, p).Done(pace.Feedback{})
			time.Sleep(time.Second)
		}
		latest := time.Now()
		for i := range 200 {
			take(t, p).Done(pace.Feedback{Throttled: true})
			gap := time.Since(latest)
			if latest = time.Now(); i > 5 && i < 40 && (gap < 16*time.Second || gap > 26*time.Second) {
				t.Errorf("refusal %d after %v", i, gap)
			}
		}
	})
}

// Nobody else uses the account: nobody else is shown, and no more than the
// allowance is used.
func TestNobodyElseIsSeen(t *testing.T) {
	for _, kind := range []exoteltest.Kind{exoteltest.FixedWindow, exoteltest.SlidingWindow, exoteltest.TokenBucket} {
		for _, headers := range []exoteltest.HeaderMode{exoteltest.AllHeaders, exoteltest.NoHeaders} {
			synctest.Test(t, func(t *testing.T) {
				w := minute(kind, 1)
				w.headers, w.workers = headers, 50
				p := newPacer(t, autoRate)
				ends := make([]time.Time, 12) // of requests that a process which died may have sent
				for i := range ends {
					ends[i] = time.Now()
				}
				p.Prime(ends, time.Time{})
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range 4 * 600 {
						time.Sleep(100 * time.Millisecond)
						if s := p.State(); s.Others != 0 || s.Waiting.Reason == pace.Shared || s.Used > s.Rate.N {
							t.Errorf("%v, headers %v: %+v", kind, headers, s)
							return
						}
					}
				}()
				w.send(t, p, 200)
				<-done
			})
		}
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{-1: 1, 0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 16, 1 << 40: 16} {
		least, most := time.Hour, time.Duration(0)
		for range 1000 {
			got := pace.Backoff(n)
			least, most = min(least, got), max(most, got)
		}
		want *= time.Second
		if least < want || most >= want*3/2 || most < want*5/4 {
			t.Errorf("the wait after failure %d is from %v to %v, want %v and up to half as much again", n, least, most, want)
		}
	}
}

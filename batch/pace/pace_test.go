package pace_test

import (
	"context"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // those against real servers wait; a flag on the command line wins
	goleak.VerifyTestMain(m)
}

func newPacer(t testing.TB, o pace.Options) *pace.Pacer {
	t.Helper()
	p, err := pace.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func take(t *testing.T, p *pace.Pacer) pace.Slot {
	t.Helper()
	slot, err := p.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func perMinute(n int) pace.Options { return pace.Options{Rate: pace.Rate{N: n, Per: time.Minute}} }

func TestParseRate(t *testing.T) {
	for text, want := range map[string]pace.Rate{
		"50/m": {50, time.Minute}, "5/s": {5, time.Second}, "600/h": {600, time.Hour},
		"50/5s": {50, 5 * time.Second}, "1/100ms": {1, 100 * time.Millisecond}, "unlimited": pace.Unlimited,
	} {
		got, err := pace.ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if back, err := pace.ParseRate(got.String()); back != got {
			t.Errorf("%q prints as %q, which is %v, %v", text, got, back, err)
		}
	}
	for text, want := range map[string]string{
		"50/min": "50/m", "50/Minutes": "50/m", "1/secs": "1/s", "5/seconds": "5/s", "600/hour": "600/h", "600/hrs": "600/h",
	} {
		if got, err := pace.ParseRate(text); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "50", "50/mins/s", "50/", "/m", "0/m", "-1/m", "-1/", "50/0s", "50/-1s", "1e3/m", "50/m/s", " 50/m", "50/61m", "1000001/m", "50/1us", "Unlimited"} {
		if got, err := pace.ParseRate(text); !errors.Is(err, pace.ErrRate) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// The first requests wait for answers: that is no wait for the allowance, of which
// nothing is used up.
func TestTheSlowStartIsNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(50))
		first := take(t, p)
		time.AfterFunc(time.Second, func() { first.Done(pace.Feedback{}) })
		start := time.Now()
		take(t, p).Done(pace.Feedback{})
		if took, waited := time.Since(start), p.State().Waited; took == 0 || waited != 0 {
			t.Errorf("the second request left after %v, of which %v were waited for the allowance", took, waited)
		}
	})
}

func TestTheZeroRateIsRefused(t *testing.T) {
	if _, err := pace.New(pace.Options{}); !errors.Is(err, pace.ErrRate) {
		t.Error(err)
	}
}

func FuzzParseRate(f *testing.F) {
	f.Add("50/m")
	f.Add("50/5s")
	f.Fuzz(func(t *testing.T, text string) {
		rate, err := pace.ParseRate(text)
		if err != nil {
			return
		}
		if back, err := pace.ParseRate(rate.String()); err != nil || back != rate {
			t.Errorf("%q is %v and prints as %q", text, rate, rate.String())
		}
		newPacer(t, pace.Options{Rate: rate})
	})
}

// A slot comes free one window after an answer, not after a sending.
func TestSlotsComeFreeAWindowAfterTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(2))
		a, b := take(t, p), take(t, p)
		time.Sleep(10 * time.Second)
		start, waited := time.Now(), p.State().Waited
		a.Done(pace.Feedback{})
		time.Sleep(10 * time.Second)
		b.Done(pace.Feedback{})
		for i, want := range []time.Duration{60 * time.Second, 70 * time.Second} {
			take(t, p).Done(pace.Feedback{})
			if got := time.Since(start); got != want {
				t.Errorf("slot %d after %v, want %v", i+3, got, want)
			}
		}
		if s := p.State(); s.Requests != 4 || s.Waited-waited != 60*time.Second || s.Used != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestTakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(1))
		take(t, p)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		var both sync.WaitGroup // one waits for the slot, one for its turn
		for range 2 {
			both.Go(func() {
				if _, err := p.Take(ctx); !errors.Is(err, why) {
					t.Error(err)
				}
			})
		}
		both.Wait()
	})
}

func TestRetryAfterHoldsEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		start := time.Now()
		take(t, p).Done(pace.Feedback{Throttled: true, HasRetryAfter: true, RetryAfter: time.Hour})
		if s := p.State(); s.Throttled != 1 || s.Waiting.Reason != pace.Held || s.Waiting.Until != start.Add(time.Hour) {
			t.Errorf("%+v", s)
		}
		var pool sync.WaitGroup
		for range 5 {
			pool.Go(func() {
				take(t, p).Done(pace.Feedback{})
				if got := time.Since(start); got != time.Hour {
					t.Errorf("sent after %v", got)
				}
			})
		}
		pool.Wait()
	})
}

func TestAnEndlessRetryAfterIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(5))
		take(t, p).Done(pace.Feedback{Throttled: true, HasRetryAfter: true, RetryAfter: 24 * time.Hour})
		var hold *pace.HoldError
		if _, err := p.Take(t.Context()); !errors.As(err, &hold) || !hold.Fatal() {
			t.Error(err)
		}
	})
}

// Without Retry-After the wait is the vendor's: 1, 2, 4, 8, 16 s, and up to
// half of it more, once for all requests that were under way together.
func TestBackoffWithoutRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		for _, step := range []time.Duration{1, 2, 4, 8, 16, 16} {
			slots := []pace.Slot{take(t, p), take(t, p), take(t, p)}
			for _, slot := range slots {
				slot.Done(pace.Feedback{Throttled: true})
			}
			start := time.Now()
			wait := p.State().Waiting
			if got := wait.Until.Sub(start); got < step*time.Second || got > 3*step*time.Second/2 {
				t.Errorf("waits %v, want about %v", got, step*time.Second)
			}
			time.Sleep(wait.Until.Sub(start))
		}
	})
}

// Of several that were refused together, the longest wait counts.
func TestTheLongestRetryAfterHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		slots := []pace.Slot{take(t, p), take(t, p), take(t, p)}
		for i, wait := range []time.Duration{time.Second, 10 * time.Second, 5 * time.Second} {
			slots[i].Done(pace.Feedback{Throttled: true, HasRetryAfter: true, RetryAfter: wait})
		}
		if got := time.Until(p.State().Waiting.Until); got != 10*time.Second {
			t.Errorf("waits %v", got)
		}
	})
}

// A refusal that says how long to wait is believed; the next ones wait longer all
// the same, until something is granted.
func TestBackoffWithRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		refuse := func() time.Duration {
			take(t, p).Done(pace.Feedback{Throttled: true, HasRetryAfter: true, RetryAfter: 500 * time.Millisecond})
			return time.Until(p.State().Waiting.Until)
		}
		for _, step := range []time.Duration{0, 2, 4, 8} {
			least, most := max(500*time.Millisecond, step*time.Second), max(500*time.Millisecond, step*time.Second*3/2)
			if got := refuse(); got < least || got > most {
				t.Errorf("waits %v, want from %v to %v", got, least, most)
			}
		}
		take(t, p).Done(pace.Feedback{})
		time.Sleep(time.Second)
		if got := refuse(); got != 500*time.Millisecond {
			t.Errorf("after a granted request: waits %v", got)
		}
	})
}

// A wait of no time, and one that an old journal asks for, are bounded.
func TestAbsurdWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		take(t, p).Done(pace.Feedback{Throttled: true, HasRetryAfter: true})
		if wait := time.Until(p.State().Waiting.Until); wait < time.Second {
			t.Errorf("after a refusal that asks for no wait: %v", wait)
		}
		q := newPacer(t, pace.Options{Rate: pace.Unlimited})
		q.Prime(nil, time.Now().Add(365*24*time.Hour))
		if wait := time.Until(q.State().Waiting.Until); wait > pace.MaxHold {
			t.Errorf("primed with a year: %v", wait)
		}
	})
}

// What answers say of the vendor's minute does not count against another window.
func TestAnotherWindowIsNotTheVendors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Rate{N: 600, Per: time.Hour}})
		take(t, p).Done(pace.Feedback{Limit: 50, HasRemaining: true})
		if s := p.State(); s.Rate.N != 600 || s.Others != 0 || s.Waiting.Reason != pace.Free {
			t.Errorf("%+v", s)
		}
	})
}

// What is missing from the advertised limit, beyond our own, is others', also
// where less than the limit is asked for.
func TestOthersAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(20))
		take(t, p).Done(pace.Feedback{Limit: 50, Remaining: 5, HasRemaining: true})
		if s := p.State(); s.Others != 44 || s.Used != 1 || s.Waiting.Reason != pace.Free {
			t.Errorf("%+v", s)
		}
		fewer := newPacer(t, perMinute(20))
		for _, remaining := range []int{5, 30} {
			take(t, fewer).Done(pace.Feedback{Limit: 50, Remaining: remaining, HasRemaining: true})
		}
		if s := fewer.State(); s.Others != 19 {
			t.Errorf("after better news: %+v", s)
		}
		take(t, p).Done(pace.Feedback{Limit: 50, Remaining: 0, HasRemaining: true, Throttled: true})
		if s := p.State(); s.Others != 49 || s.Throttled != 1 || s.Waiting.Reason != pace.Held {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Second)
		if s := p.State(); s.Waiting.Reason != pace.Shared {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		if s := p.State(); s.Others != 0 || s.Waiting.Reason != pace.Free {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnAdvertisedLimitIsReachedInTheFirstWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := minute(exoteltest.SlidingWindow, 1)
		w.limit.N, w.headers = 200, exoteltest.AllHeaders
		w = newWorld(w)
		took := w.send(t, newPacer(t, autoRate), 200)
		if took > time.Minute || w.refused > 0 {
			t.Errorf("200 requests took %v, %d were refused", took, w.refused)
		}
		t.Logf("200 requests took %v", took)
	})
}

func TestAGivenRateIsACeiling(t *testing.T) {
	for advertised, want := range map[int]int{200: 50, 20: 20, 1: 1, 0: 50, -5: 50, math.MaxInt: 50} {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(t, perMinute(50))
			take(t, p).Done(pace.Feedback{Limit: advertised})
			if got := p.State().Rate.N; got != want {
				t.Errorf("limit %d advertised: %d a minute, want %d", advertised, got, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, autoRate)
		take(t, p).Done(pace.Feedback{Limit: 10_000})
		if got := p.State().Rate.N; got != 10_000 {
			t.Errorf("the highest limit was not learned: %d", got)
		}
		p = newPacer(t, autoRate)
		take(t, p).Done(pace.Feedback{Limit: 1_000_000_000})
		if got := p.State().Rate.N; got != 50 {
			t.Errorf("an absurd limit was believed: %d", got)
		}
	})
}

func TestEvenSpreadsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := perMinute(50)
		o.Even = true
		w := minute(exoteltest.TokenBucket, 1)
		w.latency, w.jitter = 0, 0
		w.send(t, newPacer(t, o), 500)
		for i := 1; i < len(w.counted); i++ {
			if gap := w.counted[i].Sub(w.counted[i-1]); gap < 95*time.Minute/50/100 {
				t.Fatalf("requests %d and %d are %v apart", i, i+1, gap)
			}
		}
	})
}

// What others used up is waited for until the reset that answers tell, however
// wrong the server's clock is.
func TestTheResetIsWaitedFor(t *testing.T) {
	for _, skew := range []time.Duration{0, -7 * time.Hour, 400 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := minute(exoteltest.FixedWindow, 1)
			w.headers, w.skew = exoteltest.AllHeaders, skew
			for range 48 {
				w.limiter.Allow(time.Now())
			}
			time.Sleep(50 * time.Second)
			took := w.send(t, newPacer(t, autoRate), 30)
			if took > 15*time.Second {
				t.Errorf("skew %v: took %v, though the window was over after 10 s", skew, took)
			}
		})
	}
}

// No header makes a pacer send more than its allowance, hang or panic.
func TestAbsurdHeaders(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			numbers := rapid.SampledFrom([]int{0, 1, -1, 7, 49, 50, 51, 1000, math.MaxInt, math.MinInt})
			times := rapid.Custom(func(t *rapid.T) time.Time {
				if rapid.Bool().Draw(t, "none") {
					return time.Time{}
				}
				return time.Now().Add(time.Duration(rapid.Int64().Draw(t, "away")))
			})
			n := rapid.IntRange(1, 60).Draw(rt, "allowance")
			p := newPacer(t, pace.Options{Rate: pace.Rate{N: n, Per: time.Minute}})
			var sent []time.Time
			for range 100 {
				slot, err := p.Take(t.Context())
				if err != nil {
					return
				}
				sent = append(sent, time.Now())
				slot.Done(pace.Feedback{
					Throttled: rapid.IntRange(0, 9).Draw(rt, "throttled") == 0,
					Limit:     numbers.Draw(rt, "limit"), Remaining: numbers.Draw(rt, "remaining"),
					HasRemaining: rapid.Bool().Draw(rt, "has remaining"),
					Reset:        times.Draw(rt, "reset"), Date: times.Draw(rt, "date"),
					HasRetryAfter: rapid.IntRange(0, 9).Draw(rt, "has retry-after") == 0,
					RetryAfter:    time.Duration(rapid.Int64Range(-1e18, 1e12).Draw(rt, "retry-after")),
				})
			}
			w := world{counted: sent}
			if got := w.busiest(time.Minute); got > n {
				rt.Fatalf("%d requests in a minute, allowed are %d", got, n)
			}
		})
	})
}

var days = flag.Int("days", 40, "days that TestNeverMoreThanAllowed simulates, about")

// TestNeverMoreThanAllowed simulates days of work under random allowances,
// latencies and numbers of workers, with crashes at random instants after each
// of which a new pacer is primed with what a journal knows. However the
// server counts, it never counts more than the allowance, and refuses nothing.
func TestNeverMoreThanAllowed(t *testing.T) {
	t.Parallel()
	var simulated time.Duration
	for seed := uint64(0); simulated < time.Duration(*days)*24*time.Hour; seed++ {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			kind := exoteltest.Kind(rng.IntN(3))
			per := time.Duration(1+rng.IntN(600)) * time.Second
			w := newWorld(&world{
				limit: exoteltest.Limit{N: 1 + rng.IntN(60), Per: per, Kind: kind}, seed: seed,
				headers: exoteltest.HeaderMode(rng.IntN(3)),
				latency: time.Millisecond + rand.N(per/10), jitter: time.Duration(rng.Int64N(int64(per))), workers: 1 + rng.IntN(20),
			})
			start := time.Now()
			w.crashes(t, rng, 5)
			simulated += time.Since(start)
			if got := w.busiest(per); got > w.limit.N || w.refused > 0 {
				t.Fatalf("seed %d, %v, %v: %d requests in a window, allowed are %d; %d refused", seed, kind, per, got, w.limit.N, w.refused)
			}
		})
	}
	t.Logf("%.0f days simulated", simulated.Hours()/24)
}

// crashes sends for a while, crashes, and goes on, n times.
func (w *world) crashes(t *testing.T, rng *rand.Rand, n int) {
	var ends []time.Time // as a journal knows them
	for range n {
		p := newPacer(t, pace.Options{Rate: pace.Rate{N: w.limit.N, Per: w.limit.Per}, Even: rng.IntN(4) == 0})
		p.Prime(ends, time.Time{})
		ctx, crash := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(rng.Int64N(int64(20*w.limit.Per))), crash)
		ends = append(ends, w.sendUntil(ctx, p)...)
	}
}

// sendUntil sends until ctx is done, and returns the times of the answers. A
// request that is under way then is answered to nobody; it counts as answered
// when the next process takes over, which is not before it was counted.
func (w *world) sendUntil(ctx context.Context, p *pace.Pacer) (ends []time.Time) {
	var mu sync.Mutex
	var pool sync.WaitGroup
	for range w.workers {
		pool.Go(func() {
			for {
				slot, err := p.Take(ctx)
				if err != nil {
					return
				}
				feedback := w.request()
				slot.Done(feedback)
				mu.Lock()
				ends = append(ends, time.Now())
				mu.Unlock()
			}
		})
	}
	pool.Wait()
	return ends
}

// A wait that is in force counts, and so does a pace that was learned.
func TestTheEstimateCountsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []pace.Rate{{N: 50, Per: time.Minute}, pace.Unlimited} {
			p := newPacer(t, pace.Options{Rate: rate})
			take(t, p).Done(pace.Feedback{Throttled: true, HasRetryAfter: true, RetryAfter: 30 * time.Second})
			for n, want := range map[int]time.Duration{0: 0, 1: 30 * time.Second} {
				if got := p.Estimate(n); got != want {
					t.Errorf("%v: %d requests: estimated %v, want %v", rate, n, got, want)
				}
			}
			start, want := time.Now(), p.Estimate(120)
			for range 120 {
				take(t, p).Done(pace.Feedback{})
			}
			if got := time.Since(start); got < want*97/100 || got > want*103/100 {
				t.Errorf("%v: 120 requests: estimated %v, took %v", rate, want, got)
			}
		}
	})
}

// The estimate is what then happens, but for the answers' time.
func TestEstimateIsWhatHappens(t *testing.T) {
	for _, n := range []int{0, 1, 29, 30, 31, 49, 50, 51, 100, 101, 777} {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(t, perMinute(50))
			for range 20 { // some are used already
				take(t, p).Done(pace.Feedback{})
				time.Sleep(time.Second)
			}
			start, want := time.Now(), p.Estimate(n)
			for range n {
				take(t, p).Done(pace.Feedback{})
			}
			if got := time.Since(start); got != want {
				t.Errorf("%d requests: estimated %v, took %v", n, want, got)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // what is under way is answered now, at the earliest
		p := newPacer(t, perMinute(2))
		for range 2 {
			take(t, p)
		}
		if got := p.Estimate(3); got != 2*time.Minute {
			t.Errorf("with all under way: %v", got)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	for _, o := range []pace.Options{{Rate: pace.Unlimited}, {Rate: pace.Rate{N: 1_000_000, Per: time.Second}}} {
		b.Run(o.Rate.String(), func(b *testing.B) {
			p := newPacer(b, o)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					slot, _ := p.Take(context.Background())
					slot.Done(pace.Feedback{})
				}
			})
		})
	}
}

// BenchmarkHolds5000PerSecond holds a rate for ten seconds and reports what
// came of it. Run it with -benchtime 1x.
func BenchmarkHolds5000PerSecond(b *testing.B) {
	for b.Loop() {
		p := newPacer(b, pace.Options{Rate: pace.Rate{N: 5000, Per: time.Second}})
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		var pool sync.WaitGroup
		for range 32 {
			pool.Go(func() {
				for {
					slot, err := p.Take(ctx)
					if err != nil {
						return
					}
					slot.Done(pace.Feedback{})
				}
			})
		}
		pool.Wait()
		cancel()
		b.ReportMetric(float64(p.State().Requests)/10, "requests/s")
	}
}

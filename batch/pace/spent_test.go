package pace_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

// TestAnotherRateCountsWhatWasSent works in sessions, each at another rate, each
// primed with what the one before says was spent. No window of a session's rate
// that ends in it holds more than its allowance, whoever sent it.
func TestAnotherRateCountsWhatWasSent(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 9))
			w := newWorld(&world{
				limit:   exoteltest.Limit{N: 1_000_000, Per: time.Millisecond, Kind: exoteltest.SlidingWindow},
				latency: time.Millisecond + rand.N(time.Second), jitter: rand.N(time.Second), workers: 1 + rng.IntN(20), seed: seed,
			})
			var ends []time.Time
			var held time.Time
			for range 6 {
				per := []time.Duration{time.Second, 15 * time.Second, time.Minute, 10 * time.Minute, time.Hour}[rng.IntN(5)]
				rate := pace.Rate{N: 1 + rng.IntN(60), Per: per}
				if rng.IntN(6) == 0 {
					rate = pace.Unlimited
				}
				p := newPacer(t, pace.Options{Rate: rate})
				p.Prime(ends, held)
				began := time.Now()
				ctx, stop := context.WithTimeout(t.Context(), time.Minute+rand.N(2*per))
				if rate.IsUnlimited() {
					ctx, stop = context.WithTimeout(t.Context(), 5*time.Second)
				}
				w.sendUntil(ctx, p)
				stop()
				ends, held = p.Spent()
				if rate.IsUnlimited() {
					continue
				}
				if got := w.busiestSince(began, per); got > rate.N {
					t.Fatalf("seed %d: %d requests in a window at %v", seed, got, rate)
				}
			}
		})
	}
}

// busiestSince returns the most requests of ours that were counted in any
// window that ends after began with one of them.
func (w *world) busiestSince(began time.Time, window time.Duration) int {
	slices.SortFunc(w.counted, time.Time.Compare)
	most, first := 0, 0
	for i, at := range w.counted {
		for at.Sub(w.counted[first]) >= window {
			first++
		}
		if !at.Before(began) {
			most = max(most, i-first+1)
		}
	}
	return most
}

// What is remembered of many requests is bounded, and too much of it is counted
// rather than too little.
func TestSpentIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []pace.Rate{pace.Unlimited, {N: 1_000_000, Per: time.Second}} {
			p := newPacer(t, pace.Options{Rate: rate})
			take(t, p).Done(pace.Feedback{})
			time.Sleep(2 * time.Second)
			for range pace.MaxSpent + pace.MaxSpent/10 {
				take(t, p).Done(pace.Feedback{})
			}
			time.Sleep(2 * time.Second)
			latest := time.Now()
			take(t, p).Done(pace.Feedback{})
			ends, _ := p.Spent()
			if len(ends) != pace.MaxSpent || ends[len(ends)-1] != latest {
				t.Errorf("%v: %d remembered, the latest from %v ago", rate, len(ends), time.Since(ends[len(ends)-1]))
			}
			next := newPacer(t, pace.Options{Rate: pace.Rate{N: 50_000, Per: time.Minute}})
			next.Prime(ends, time.Time{})
			if s := next.State(); s.Used != 50_000 || s.Waiting.Until != latest.Add(time.Minute-2*time.Second) {
				t.Errorf("%v: a larger allowance has %d used, and waits until %v", rate, s.Used, s.Waiting.Until)
			}
		}
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		take(t, p).Done(pace.Feedback{})
		time.Sleep(pace.MaxWindow)
		if ends, _ := p.Spent(); len(ends) != 0 {
			t.Errorf("an answer of an hour ago is remembered: %v", ends)
		}
	})
}

// What is under way counts as of now, and what was lost as of when it can last
// have been counted.
func TestSpentCountsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, pace.Options{Rate: pace.Unlimited})
		answered, lost, long := take(t, p), take(t, p), take(t, p)
		take(t, p)
		time.Sleep(30 * time.Second)
		lost.Done(pace.Feedback{Lost: true})
		answered.Done(pace.Feedback{})
		want := []time.Time{time.Now(), time.Now().Add(30 * time.Second)}
		time.Sleep(time.Hour - 31*time.Second)
		long.Done(pace.Feedback{Lost: true})
		want = append(want, time.Now(), time.Now().Add(pace.MaxLate))
		got, _ := p.Spent()
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// A lost request holds its own slot, and no other's.
func TestALostRequestHoldsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, perMinute(2))
		p.Prime([]time.Time{time.Now().Add(-50 * time.Second)}, time.Time{})
		lost := take(t, p)
		time.Sleep(30 * time.Second)
		lost.Done(pace.Feedback{Lost: true})
		start := time.Now()
		take(t, p).Done(pace.Feedback{})
		var got []time.Duration
		for range 2 {
			take(t, p).Done(pace.Feedback{})
			got = append(got, time.Since(start))
		}
		if want := []time.Duration{60 * time.Second, 90 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// A server that stalls counts a request after its attempt was over, up to as
// long after it as the attempt took. It never counts more than the allowance.
func TestAStallingServer(t *testing.T) {
	const timeout = 5 * time.Second
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 11))
			p := newPacer(t, pace.Options{Rate: pace.Rate{N: 10, Per: 20 * time.Second}})
			var mu sync.Mutex
			var w world
			var pool, server sync.WaitGroup
			for range 10 {
				pool.Go(func() {
					for range 30 {
						slot := take(t, p)
						mu.Lock()
						stalls, counted := rng.IntN(3) == 0, time.Duration(rng.Int64N(int64(2*timeout)))
						mu.Unlock()
						if !stalls {
							counted /= 50
						}
						server.Go(func() {
							time.Sleep(counted)
							mu.Lock()
							defer mu.Unlock()
							w.counted = append(w.counted, time.Now())
						})
						if !stalls {
							time.Sleep(counted)
							slot.Done(pace.Feedback{})
							continue
						}
						time.Sleep(timeout)
						slot.Done(pace.Feedback{Lost: true})
					}
				})
			}
			pool.Wait()
			server.Wait()
			if got := w.busiest(20 * time.Second); got > 10 {
				t.Fatalf("seed %d: %d requests in a window, allowed are 10", seed, got)
			}
		})
	}
}

func TestPrimeCountsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := newPacer(t, perMinute(3))
		p.Prime([]time.Time{start, start.Add(-50 * time.Second), start.Add(-20 * time.Second), start.Add(-2 * time.Minute)}, time.Time{})
		var got []time.Duration
		for range 3 {
			take(t, p).Done(pace.Feedback{})
			got = append(got, time.Since(start))
		}
		if want := []time.Duration{10 * time.Second, 40 * time.Second, 60 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		q := newPacer(t, perMinute(3))
		q.Prime(nil, time.Now().Add(time.Minute))
		if s := q.State(); s.Waiting.Reason != pace.Held {
			t.Errorf("%+v", s)
		}
		many := newPacer(t, perMinute(50)) // more than it allows, from another rate
		many.Prime(slices.Repeat([]time.Time{time.Now()}, 62), time.Time{})
		if s := many.State(); s.Used != 50 || s.Waiting.Reason != pace.Allowance {
			t.Errorf("%+v", s)
		}
		late := newPacer(t, perMinute(1)) // what may be counted yet, but not for ever
		late.Prime([]time.Time{time.Now().Add(time.Hour)}, time.Time{})
		if got := time.Until(late.State().Waiting.Until); got != pace.MaxLate+time.Minute {
			t.Errorf("primed with the future: waits %v", got)
		}
	})
}

package pace_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

// A world is a server in virtual time: a limiter, perhaps with headers, and
// perhaps with others who send to it, too.
type world struct {
	limit   exoteltest.Limit
	headers exoteltest.HeaderMode
	skew    time.Duration // of the server's clock
	wait    time.Duration // what Retry-After says, if not the truth
	latency time.Duration
	jitter  time.Duration
	inFront bool    // the limiter counts a request when it arrives, and the rest of latency comes after it
	foreign float64 // share of the allowance that others ask for
	workers int
	seed    uint64

	mu      sync.Mutex
	limiter exoteltest.Limiter
	rng     *rand.Rand
	counted []time.Time // our requests that were granted
	others  int         // requests of others that were granted
	refused int
}

// minute is a world as the vendor's: 50 a minute, answers after 300 ms on average.
func minute(kind exoteltest.Kind, seed uint64) *world {
	return newWorld(&world{
		limit: exoteltest.Limit{N: 50, Per: time.Minute, Kind: kind}, seed: seed,
		latency: 200 * time.Millisecond, jitter: 200 * time.Millisecond, workers: 8,
	})
}

func newWorld(w *world) *world {
	w.limiter = w.limit.Limiter()
	w.rng = rand.New(rand.NewPCG(w.seed, 1))
	return w
}

var autoRate = pace.Options{Rate: pace.Rate{N: 50, Per: time.Minute}, Learn: true}

// request sends one request, which is counted at a random instant before its
// answer, and returns what the answer says.
func (w *world) request() pace.Feedback {
	w.mu.Lock()
	latency := w.latency + time.Duration(w.rng.Int64N(int64(w.jitter)+1))
	before := time.Duration(w.rng.Int64N(int64(latency) + 1))
	if w.inFront {
		before /= 10
	}
	w.mu.Unlock()
	time.Sleep(before)
	w.mu.Lock()
	now := time.Now()
	ok, remaining, reset := w.limiter.Allow(now)
	if ok {
		w.counted = append(w.counted, now)
	} else {
		w.refused++
	}
	w.mu.Unlock()
	time.Sleep(latency - before)
	return w.feedback(now, ok, remaining, reset)
}

func (w *world) feedback(now time.Time, ok bool, remaining int, reset time.Time) pace.Feedback {
	feedback := pace.Feedback{Throttled: !ok}
	if w.headers == exoteltest.AllHeaders {
		feedback.Limit, feedback.Remaining, feedback.HasRemaining = w.limit.N, remaining, true
		feedback.Reset = time.Unix(int64(math.Ceil(float64(reset.Add(w.skew).UnixNano())/1e9)), 0)
		feedback.Date = time.Now().Add(w.skew).Truncate(time.Second)
	}
	if !ok && w.headers != exoteltest.NoHeaders {
		feedback.HasRetryAfter = true
		feedback.RetryAfter = time.Duration(math.Ceil(reset.Sub(now).Seconds())) * time.Second
	}
	if !ok && w.wait > 0 {
		feedback.HasRetryAfter, feedback.RetryAfter = true, w.wait
	}
	return feedback
}

// sendOthers sends the requests of others, at random moments, until ctx is done.
func (w *world) sendOthers(ctx context.Context) {
	perSecond := w.foreign * float64(w.limit.N) / w.limit.Per.Seconds()
	rng := rand.New(rand.NewPCG(w.seed, 7))
	for {
		select {
		case <-time.After(time.Duration(rng.ExpFloat64() / perSecond * float64(time.Second))):
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		if ok, _, _ := w.limiter.Allow(time.Now()); ok {
			w.others++
		}
		w.mu.Unlock()
	}
}

// send sends n requests through p, each again until it is granted, and returns
// how long that took.
func (w *world) send(t *testing.T, p *pace.Pacer, n int) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var others, pool sync.WaitGroup
	if w.foreign > 0 {
		others.Go(func() { w.sendOthers(ctx) })
	}
	jobs := make(chan struct{}, n)
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	start := time.Now()
	for range w.workers {
		pool.Go(func() {
			for range jobs {
				for w.once(t, p) {
				}
			}
		})
	}
	pool.Wait()
	took := time.Since(start)
	cancel()
	others.Wait()
	return took
}

// once sends one request and reports whether it was refused.
func (w *world) once(t *testing.T, p *pace.Pacer) (refused bool) {
	slot, err := p.Take(t.Context())
	if err != nil {
		t.Error(err)
		return false
	}
	feedback := w.request()
	slot.Done(feedback)
	return feedback.Throttled
}

// least returns the shortest time in which anybody gets n requests granted, of
// all clients together, from an idle allowance and with the world's workers.
func (w *world) least(n int) time.Duration {
	rounds := (min(n, w.limit.N)-1)/w.workers + 1
	atOnce := time.Duration(rounds) * (w.latency + w.jitter/2)
	if w.limit.Kind == exoteltest.TokenBucket {
		return max(atOnce, time.Duration(float64(n-w.limit.N)/float64(w.limit.N)*float64(w.limit.Per)))
	}
	return max(atOnce, time.Duration((n-1)/w.limit.N)*w.limit.Per)
}

// busiest returns the most requests of ours that were counted in any window.
func (w *world) busiest(window time.Duration) int {
	slices.SortFunc(w.counted, time.Time.Compare)
	most, first := 0, 0
	for i, at := range w.counted {
		for at.Sub(w.counted[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

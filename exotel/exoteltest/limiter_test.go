package exoteltest

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epochStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return epochStart.Add(d) }

// A question asks a limiter at an instant, and says what it must answer.
type question struct {
	at        time.Duration
	ok        bool
	remaining int
	reset     time.Duration
}

func TestLimiters(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name  string
		limit Limit
		ask   []question
	}{
		{"fixed window", Limit{2, 10 * s, FixedWindow}, []question{
			{3 * s, true, 1, 13 * s},
			{4 * s, true, 0, 13 * s},
			{13*s - 1, false, 0, 13 * s},
			{13 * s, true, 1, 23 * s},
			{30 * s, true, 1, 40 * s}, // anchored anew after a pause
		}},
		{"sliding window", Limit{2, 10 * s, SlidingWindow}, []question{
			{0, true, 1, 10 * s},
			{4 * s, true, 0, 10 * s},
			{10*s - 1, false, 0, 10 * s},
			{10 * s, true, 0, 14 * s},
			{11 * s, false, 0, 14 * s},
			{40 * s, true, 1, 50 * s},
		}},
		{"token bucket", Limit{2, 10 * s, TokenBucket}, []question{
			{0, true, 1, 5 * s},
			{0, true, 0, 5 * s},
			{5*s - 2, false, 0, 5 * s},
			{5 * s, true, 0, 10 * s},
			{12 * s, true, 0, 15 * s},
			{60 * s, true, 1, 65 * s},
		}},
		{"token bucket whose floats are a little less", Limit{2, 49 * s, TokenBucket}, []question{
			{0, true, 1, 24*s + s/2}, {0, true, 0, 24*s + s/2}, {49 * s, true, 1, 73*s + s/2},
		}},
		{"token bucket that does not divide", Limit{3, 10 * time.Microsecond, TokenBucket}, []question{
			{0, true, 2, 3333}, {0, true, 1, 3333}, {0, true, 0, 3333}, // a token each 3333⅓ ns
			{3331, false, 0, 3333}, {3334, true, 0, 6667}, {6667, true, 0, 10_000}, {10_000, true, 0, 13_333},
			{13_331, false, 0, 13_333}, {13_334, true, 0, 16_667},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := tt.limit.Limiter()
			for _, q := range tt.ask {
				ok, remaining, reset := l.Allow(at(q.at))
				if ok != q.ok || remaining != q.remaining || !reset.Equal(at(q.reset)) {
					t.Errorf("at %v: %v, %d, %v; want %v, %d, %v",
						q.at, ok, remaining, reset.Sub(epochStart), q.ok, q.remaining, q.reset)
				}
			}
		})
	}
}

func TestLimiterRefusesNonsense(t *testing.T) {
	for _, l := range []Limit{{0, time.Second, FixedWindow}, {1, 0, SlidingWindow}, {-1, 1, TokenBucket}, {1, -1, TokenBucket}, {1, 1, 9}} {
		if l.validate() == nil {
			t.Errorf("%+v is valid", l)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v did not panic", l)
				}
			}()
			l.Limiter()
		}()
	}
}

// drawLimit draws limits that divide evenly and limits that do not. A token bucket
// is exact to the nanosecond, so that everything is in microseconds.
func drawLimit(t *rapid.T, kind Kind) Limit {
	return Limit{
		N:    rapid.IntRange(1, 60).Draw(t, "n"),
		Per:  time.Duration(rapid.Int64Range(1, 1000).Draw(t, "per")) * time.Microsecond,
		Kind: kind,
	}
}

// drawInstants draws an ascending sequence with crowds and pauses in it.
func drawInstants(t *rapid.T, per time.Duration) []time.Duration {
	gaps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) int64 {
		widest := rapid.SampledFrom([]int64{0, 1, 10, 2 * int64(per/time.Microsecond)}).Draw(t, "widest")
		return rapid.Int64Range(0, widest).Draw(t, "gap")
	}), 1, 200).Draw(t, "gaps")
	instants := make([]time.Duration, len(gaps))
	now := time.Duration(0)
	for i, gap := range gaps {
		now += time.Duration(gap) * time.Microsecond
		instants[i] = now
	}
	return instants
}

func TestLimitersNeverAdmitTooMuch(t *testing.T) {
	for _, kind := range []Kind{FixedWindow, SlidingWindow, TokenBucket} {
		t.Run(kind.String(), rapid.MakeCheck(func(t *rapid.T) {
			limit := drawLimit(t, kind)
			l := limit.Limiter()
			var granted []time.Duration
			for _, now := range drawInstants(t, limit.Per) {
				if ok, _, _ := l.Allow(at(now)); ok {
					granted = append(granted, now)
				}
			}
			checkGranted(t, limit, granted)
		}))
	}
}

func checkGranted(t *rapid.T, limit Limit, granted []time.Duration) {
	for i, from := range granted {
		for j, to := range granted[i:] {
			if most := mostBetween(limit, to-from); j+1 > most {
				t.Fatalf("%+v: %d granted within [%v, %v], at most %d may be", limit, j+1, from, to, most)
			}
		}
	}
}

// mostBetween returns how many requests two granted ones may have from the first
// to the last if they are that far apart.
func mostBetween(limit Limit, apart time.Duration) int {
	windows := int(apart / limit.Per)
	switch limit.Kind {
	case FixedWindow: // one begun before the first, and each that begins later
		return (windows + 2) * limit.N
	case SlidingWindow:
		return (windows + 1) * limit.N
	}
	return limit.N + int(int64(apart)*int64(limit.N)/int64(limit.Per))
}

// TestFixedWindowsHoldTheLimit looks at the windows themselves: from the first
// granted request that is not in the last window.
func TestFixedWindowsHoldTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := drawLimit(t, FixedWindow)
		l := limit.Limiter()
		begin, used := time.Duration(-1), 0
		for _, now := range drawInstants(t, limit.Per) {
			if begin < 0 || now >= begin+limit.Per {
				begin, used = now, 0
			}
			ok, remaining, _ := l.Allow(at(now))
			if ok != (used < limit.N) {
				t.Fatalf("%+v at %v, after %d in its window: %v", limit, now, used, ok)
			}
			if ok {
				used++
			}
			if remaining != limit.N-used {
				t.Fatalf("%+v at %v: %d remain, not %d", limit, now, remaining, limit.N-used)
			}
		}
	})
}

// TestTokenBucketIsExact compares with a bucket of rational numbers.
func TestTokenBucketIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := drawLimit(t, TokenBucket)
		l := limit.Limiter()
		level, last := new(big.Rat).SetInt64(int64(limit.N)), time.Duration(0)
		for _, now := range drawInstants(t, limit.Per) {
			level.Add(level, big.NewRat(int64(now-last)*int64(limit.N), int64(limit.Per)))
			if full := new(big.Rat).SetInt64(int64(limit.N)); level.Cmp(full) > 0 {
				level = full
			}
			last = now
			one := big.NewRat(1, 1)
			ok, remaining, _ := l.Allow(at(now))
			if want := level.Cmp(one) >= 0; ok != want {
				t.Fatalf("%+v at %v with %v tokens: %v", limit, now, level, ok)
			}
			if ok {
				level.Sub(level, one)
			}
			whole := new(big.Int).Quo(level.Num(), level.Denom())
			if int64(remaining) != whole.Int64() {
				t.Fatalf("%+v at %v: %d remain of %v", limit, now, remaining, level)
			}
		}
	})
}

// TestResetIsWhenTheAllowanceGrows asks as many more times as were said to
// remain, and then right before and at the reset.
func TestResetIsWhenTheAllowanceGrows(t *testing.T) {
	for _, kind := range []Kind{FixedWindow, SlidingWindow, TokenBucket} {
		t.Run(kind.String(), rapid.MakeCheck(func(t *rapid.T) {
			limit := drawLimit(t, kind)
			l := limit.Limiter()
			var now, reset time.Time
			var remaining int
			for _, d := range drawInstants(t, limit.Per) {
				now = at(d)
				_, remaining, reset = l.Allow(now)
			}
			for range remaining {
				if ok, _, _ := l.Allow(now); !ok {
					t.Fatalf("%+v: %d should remain", limit, remaining)
				}
			}
			for _, step := range []struct {
				at time.Time
				ok bool
			}{{now, false}, {reset.Add(-2), false}, {reset, true}} {
				if ok, _, _ := l.Allow(step.at); ok != step.ok {
					t.Fatalf("%+v: %v at the reset %v", limit, ok, step.at.Sub(reset))
				}
			}
		}))
	}
}

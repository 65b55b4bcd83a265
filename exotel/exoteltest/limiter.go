package exoteltest

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// A Kind is a way of counting requests against an allowance. Which of them the
// vendor uses is not documented, so a client has to do well under each.
type Kind uint8

const (
	FixedWindow   Kind = iota // windows one after another, each begun by the first request after the last one
	SlidingWindow             // the requests of the last window, looked at anew for each request
	TokenBucket               // a bucket that holds the allowance and is refilled continuously
)

// String returns the kind's name, such as "fixed window".
func (k Kind) String() string {
	return [...]string{"fixed window", "sliding window", "token bucket"}[k]
}

// A Limit is an allowance: N requests, at least 1, per duration Per, more than
// zero, counted the way that Kind says. The zero Limit means no limit.
type Limit struct {
	N    int
	Per  time.Duration
	Kind Kind
}

// Limiter returns a fresh limiter for the limit, or nil for the zero Limit. It
// panics if the limit is neither zero nor valid.
func (l Limit) Limiter() Limiter {
	if err := l.validate(); err != nil {
		panic("exoteltest: " + err.Error())
	}
	if l == (Limit{}) {
		return nil
	}
	switch l.Kind {
	case FixedWindow:
		return &fixedWindow{Limit: l}
	case SlidingWindow:
		return &slidingWindow{Limit: l}
	}
	return tokenBucket{rate.NewLimiter(rate.Limit(float64(l.N)/l.Per.Seconds()), l.N)}
}

func (l Limit) validate() error {
	switch {
	case l == (Limit{}):
		return nil
	case l.N < 1:
		return fmt.Errorf("a limit of %d requests", l.N)
	case l.Per <= 0:
		return fmt.Errorf("a limit per %v", l.Per)
	case l.Kind > TokenBucket:
		return fmt.Errorf("no such kind of limit: %d", l.Kind)
	}
	return nil
}

// A Limiter counts requests against an allowance. It is a function of the
// instants it is given and reads no clock. It is not safe for concurrent use.
type Limiter interface {
	// Allow says whether a request at now is within the allowance, and counts
	// it if so; a refused request does not count. The instants of successive
	// calls must not go backwards.
	//
	// Remaining is how many more requests would be granted at now. Reset is the
	// earliest instant at which that number grows by itself: for a refused
	// request, the earliest at which it would have been granted.
	Allow(now time.Time) (ok bool, remaining int, reset time.Time)
}

// A fixedWindow begins a window with the first request after the last window
// ended; the end belongs to the next one.
type fixedWindow struct {
	Limit
	used int
	end  time.Time
}

func (w *fixedWindow) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	if !now.Before(w.end) {
		w.used, w.end = 0, now.Add(w.Per)
	}
	if w.used == w.N {
		return false, 0, w.end
	}
	w.used++
	return true, w.N - w.used, w.end
}

// A slidingWindow grants a request if fewer than N were granted within the last
// Per; one granted exactly Per ago has left.
type slidingWindow struct {
	Limit
	granted []time.Time // within the window, oldest first
}

func (w *slidingWindow) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	for len(w.granted) > 0 && now.Sub(w.granted[0]) >= w.Per {
		w.granted = w.granted[1:]
	}
	if len(w.granted) == w.N {
		return false, 0, w.granted[0].Add(w.Per)
	}
	w.granted = append(w.granted, now)
	return true, w.N - len(w.granted), w.granted[0].Add(w.Per)
}

// A tokenBucket holds N tokens, is full at first, and is refilled continuously
// with N tokens per Per. Each granted request takes one, at most a nanosecond
// before it is there: so exact is [rate.Limiter].
type tokenBucket struct{ *rate.Limiter }

func (b tokenBucket) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	ok = b.AllowN(now, 1)
	perNanosecond := float64(b.Limit()) / 1e9
	tokens := b.TokensAt(now)
	whole := max(0, math.Floor(tokens+perNanosecond/2))
	next := math.Round((whole + 1 - tokens) / perNanosecond)
	return ok, int(whole), now.Add(time.Duration(next))
}

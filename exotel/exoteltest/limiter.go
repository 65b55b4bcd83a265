package exoteltest

import (
	"fmt"
	"math/bits"
	"time"
)

// A Kind is a way of counting requests against an allowance. Which of them the
// vendor uses is not documented, so a client has to do well under each.
type Kind uint8

const (
	FixedWindow   Kind = iota // windows one after another, each begun by the first request after the last one
	SlidingWindow             // the requests of the last window, looked at anew for each request
	TokenBucket               // a bucket that holds the allowance and is refilled continuously
)

var kindNames = [...]string{"fixed window", "sliding window", "token bucket"}

// String returns the kind's name, such as "fixed window".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
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
	if l == (Limit{}) {
		return nil
	}
	switch l.Kind {
	case FixedWindow:
		return NewFixedWindow(l.N, l.Per)
	case SlidingWindow:
		return NewSlidingWindow(l.N, l.Per)
	case TokenBucket:
		return NewTokenBucket(l.N, l.Per)
	}
	panic("exoteltest: no such kind of limit: " + l.Kind.String())
}

func (l Limit) validate() error {
	switch {
	case l == (Limit{}):
		return nil
	case l.N < 1:
		return fmt.Errorf("a limit of %d requests", l.N)
	case l.Per <= 0:
		return fmt.Errorf("a limit per %v", l.Per)
	case int(l.Kind) >= len(kindNames):
		return fmt.Errorf("no such kind of limit: %v", l.Kind)
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

// NewFixedWindow returns a limiter that grants n requests in each window of
// length per. A window begins with the first request after the last one ended,
// and its end belongs to the next. It panics if n or per is less than 1.
func NewFixedWindow(n int, per time.Duration) Limiter {
	mustBeValid(n, per)
	return &fixedWindow{n: n, per: per}
}

// NewSlidingWindow returns a limiter that grants a request if fewer than n were
// granted within the last per; one granted exactly per ago has left. It holds
// the instants of the last window. It panics if n or per is less than 1.
func NewSlidingWindow(n int, per time.Duration) Limiter {
	mustBeValid(n, per)
	return &slidingWindow{n: n, per: per}
}

// NewTokenBucket returns a limiter whose bucket holds n tokens, is full at
// first, and is refilled continuously with n tokens per duration per. Each
// granted request takes one. The arithmetic is exact. It panics if n or per is
// less than 1.
func NewTokenBucket(n int, per time.Duration) Limiter {
	mustBeValid(n, per)
	return &tokenBucket{n: n, per: per}
}

func mustBeValid(n int, per time.Duration) {
	if n < 1 || per < 1 {
		panic(fmt.Sprintf("exoteltest: a limit of %d requests per %v", n, per))
	}
}

type fixedWindow struct {
	n    int
	per  time.Duration
	used int
	end  time.Time
}

func (w *fixedWindow) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	if !now.Before(w.end) {
		w.used, w.end = 0, now.Add(w.per)
	}
	if w.used == w.n {
		return false, 0, w.end
	}
	w.used++
	return true, w.n - w.used, w.end
}

type slidingWindow struct {
	n    int
	per  time.Duration
	log  []time.Time // granted, oldest first; those before head have left the window
	head int
}

func (w *slidingWindow) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	w.forget(now)
	used := len(w.log) - w.head
	if used == w.n {
		return false, 0, w.log[w.head].Add(w.per)
	}
	w.log = append(w.log, now)
	return true, w.n - used - 1, w.log[w.head].Add(w.per)
}

// forget drops the instants that have left the window. Moving the rest down
// only once most have left costs a constant time per request.
func (w *slidingWindow) forget(now time.Time) {
	for w.head < len(w.log) && now.Sub(w.log[w.head]) >= w.per {
		w.head++
	}
	if w.head > len(w.log)/2 {
		w.log = w.log[:copy(w.log, w.log[w.head:])]
		w.head = 0
	}
}

// A tokenBucket keeps one instant instead of a level: the one at which it is
// full again. A token moves it later by per/n, and there is a token as long as
// it stays within per from now. The fraction of a nanosecond that per/n leaves
// over is kept, in n-ths, so no rounding adds up.
type tokenBucket struct {
	n    int
	per  time.Duration
	full time.Time
	frac time.Duration // in 1/n ns, less than n
}

func (b *tokenBucket) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	full, frac := b.afterOne(now)
	ahead := full.Sub(now)
	if ahead > b.per || ahead == b.per && frac > 0 {
		return false, 0, roundUp(full, frac).Add(-b.per)
	}
	b.full, b.frac = full, frac
	remaining, next := b.level(b.per-ahead, frac)
	return true, remaining, now.Add(next)
}

// afterOne returns the instant at which the bucket would be full again if a
// token were taken now.
func (b *tokenBucket) afterOne(now time.Time) (full time.Time, frac time.Duration) {
	n := time.Duration(b.n)
	full, frac = b.full, b.frac
	if full.Before(now) {
		full, frac = now, 0
	}
	full, frac = full.Add(b.per/n), frac+b.per%n
	if frac >= n {
		full, frac = full.Add(1), frac-n
	}
	return full, frac
}

// level returns how many whole tokens refilling for spare less frac n-ths of a
// nanosecond makes, and how long the next one takes.
func (b *tokenBucket) level(spare, frac time.Duration) (tokens int, next time.Duration) {
	n := uint64(b.n)
	hi, lo := bits.Mul64(uint64(spare), n)
	lo, borrow := bits.Sub64(lo, uint64(frac), 0)
	quo, rem := bits.Div64(hi-borrow, lo, uint64(b.per))
	return int(quo), time.Duration((uint64(b.per) - rem + n - 1) / n)
}

func roundUp(t time.Time, frac time.Duration) time.Time {
	if frac > 0 {
		return t.Add(1)
	}
	return t
}

package pace_test

import (
	"math/rand/v2"
	"time"

	"siprotate/exotel/exoteltest"
)

// A limitReq counts as nginx's limit_req with nodelay does: a bucket that leaks
// at a pace, in thousandths of a request and whole milliseconds, rounded as
// nginx rounds. See ngx_http_limit_req_lookup.
type limitReq struct {
	rate   int64 // thousandths of a request per second
	burst  int64 // thousandths of a request
	excess int64
	last   time.Time // zero before the first request
}

func newLimitReq(perMinute, burst int) *limitReq {
	return &limitReq{rate: int64(perMinute) * 1000 / 60, burst: int64(burst) * 1000}
}

func (l *limitReq) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	now = now.Truncate(time.Millisecond)
	excess := int64(0)
	if !l.last.IsZero() {
		excess = max(0, l.excess-l.rate*now.Sub(l.last).Milliseconds()/1000+1000)
	}
	if excess > l.burst {
		return false, 0, now
	}
	l.excess, l.last = excess, now
	return true, 0, now
}

// A reqRate counts as haproxy's http_req_rate does: the requests of this period
// and, in the proportion in which it still overlaps with the window, of the one
// before. Refused requests count, too. See update_freq_ctr_period_slow and
// freq_ctr_total.
type reqRate struct {
	n                 int64
	period            time.Duration
	start             time.Time // of this period
	current, previous int64
}

func (r *reqRate) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	now = now.Truncate(time.Millisecond)
	if now.Sub(r.start) >= r.period {
		r.previous, r.current, r.start = r.current, 0, r.start.Add(r.period)
		if now.Sub(r.start) >= r.period {
			r.previous, r.start = 0, now
		}
	}
	r.current++
	left := r.start.Add(r.period).Sub(now)
	rate := r.current + r.previous*left.Milliseconds()/r.period.Milliseconds()
	return rate <= r.n, 0, now
}

// A fickle limiter refuses besides, whatever the pace: a gateway whose nodes count
// apart, or one that sheds load.
type fickle struct {
	exoteltest.Limiter
	refuses float64
	rng     *rand.Rand
}

func (f *fickle) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	if f.rng.Float64() < f.refuses {
		return false, 1, now
	}
	return f.Limiter.Allow(now)
}

// A dropping limiter is another one from a moment on.
type dropping struct {
	before, after exoteltest.Limiter
	at            time.Time
}

func (d *dropping) Allow(now time.Time) (ok bool, remaining int, reset time.Time) {
	if now.Before(d.at) {
		return d.before.Allow(now)
	}
	return d.after.Allow(now)
}

package exotel

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A RateLimit is what an answer's headers say of the allowance. The vendor
// documents them all, and promises none; absent and absurd values read as not
// said. It is what a server claims: bound every value before acting on it.
type RateLimit struct {
	Limit int // requests a window, from X-RateLimit-Limit; 0 if not said

	Remaining    int // requests left in the window, from X-RateLimit-Remaining
	HasRemaining bool

	// Reset is when the window ends, on the server's clock, from
	// X-RateLimit-Reset in whole epoch seconds; zero if not said. Seconds too
	// few for a date of our days count from Date, or from now without it.
	Reset time.Time

	// RetryAfter is how long to wait, from 0 to [MaxRetryAfter]. The header's
	// date form counts from Date, or from now without it.
	RetryAfter    time.Duration
	HasRetryAfter bool

	// Date is the server's clock when it answered; zero if not said. It is read
	// only beside one of the other headers, to which it gives their meaning.
	Date time.Time
}

// MaxRetryAfter is the longest [RateLimit.RetryAfter]; a longer one reads as
// this. It keeps arithmetic with it clear of overflow.
const MaxRetryAfter = 365 * 24 * time.Hour

// The bounds of what X-RateLimit-Reset may mean, in seconds.
const (
	maxDelta = uint64(MaxRetryAfter / time.Second) // up to here: seconds to go
	minEpoch = 1_000_000_000                       // 2001-09-09; from here on: a date
	maxEpoch = 253_402_300_799                     // 9999-12-31, the last one RFC 3339 can write
)

// The headers, as net/http spells them.
const (
	limitHeader      = "X-Ratelimit-Limit"
	remainingHeader  = "X-Ratelimit-Remaining"
	resetHeader      = "X-Ratelimit-Reset"
	retryAfterHeader = "Retry-After"
	dateHeader       = "Date"
)

func parseRateLimit(h http.Header) RateLimit {
	var (
		limit      = h.Get(limitHeader)
		remaining  = h.Get(remainingHeader)
		reset      = h.Get(resetHeader)
		retryAfter = h.Get(retryAfterHeader)
	)
	var r RateLimit
	if limit == "" && remaining == "" && reset == "" && retryAfter == "" {
		return r // every answer has a date, and to read one takes long
	}
	r.Date, _ = http.ParseTime(h.Get(dateHeader))
	r.Limit, _ = parseCount(limit)
	r.Remaining, r.HasRemaining = parseCount(remaining)
	r.Reset = parseReset(reset, r.Date)
	r.RetryAfter, r.HasRetryAfter = parseRetryAfter(retryAfter, r.Date)
	return r
}

// parseCount reads a number from 0 to the greatest 32-bit one: a server that
// allows more has no limit worth the name.
func parseCount(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, false
	}
	return int(n), true
}

func parseReset(text string, date time.Time) time.Time {
	seconds, err := strconv.ParseUint(text, 10, 63)
	switch {
	case err != nil || seconds > maxEpoch:
	case seconds >= minEpoch:
		return time.Unix(int64(seconds), 0)
	case seconds <= maxDelta:
		return cmp.Or(date, time.Now()).Add(time.Duration(seconds) * time.Second)
	}
	return time.Time{}
}

// parseRetryAfter reads both forms of the header (RFC 9110, section 10.2.3).
func parseRetryAfter(text string, date time.Time) (time.Duration, bool) {
	if strings.IndexAny(text, "0123456789") == 0 {
		return parseWait(text)
	}
	until, _ := http.ParseTime(text)
	if until.IsZero() {
		return 0, false
	}
	return min(max(until.Sub(cmp.Or(date, time.Now())), 0), MaxRetryAfter), true
}

// parseWait reads seconds. A fraction is against the RFC, but is understood and
// rounded up, since waiting is the safe side.
func parseWait(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range: infinity
		return 0, false
	}
	return time.Duration(math.Ceil(min(seconds, MaxRetryAfter.Seconds()))) * time.Second, true
}

package rotation

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"siprotate/exotel"
)

// Somebody is told once so many requests in a row have failed, or fewer over some
// time, which is what a run of a few rows has; and of another outage after a while at
// the earliest.
const (
	outageRequests = 10
	outageFewer    = 3
	outageTime     = 3 * time.Second
	outageSilence  = time.Minute
)

// An outage notices that no request gets an answer that counts, and when one does
// again. All are tried again meanwhile, so that nothing else tells of it for
// minutes. Safe for concurrent use.
type outage struct {
	events func(Event)

	mu      sync.Mutex
	failed  int       // requests in a row
	first   int       // the row of the first of them
	several bool      // not all were of one row, which may have a trouble of its own
	since   time.Time // when the first of them had failed
	told    time.Time
	open    bool // told, and not over
}

// note takes in what a request for a row ended with; 0 is one for the account's
// users.
func (o *outage) note(row int, err error, now time.Time) {
	var failure *exotel.Error
	failed := errors.As(err, &failure)
	down := failed && failure.Retryable()
	answered := err == nil || failed && failure.Answer.HTTPCode != 0
	if !down && !answered || down && failure.Throttled() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !down:
		if o.open {
			o.events(Answering{now.Sub(o.since)})
		}
		o.failed, o.several, o.open = 0, false, false
		return
	case o.failed == 0:
		o.first, o.since = row, now
	}
	o.failed++
	o.several = o.several || row == 0 || row != o.first
	down = o.failed >= outageRequests || o.failed >= outageFewer && now.Sub(o.since) >= outageTime
	if down && o.several && !o.open && now.Sub(o.told) >= outageSilence {
		o.open, o.told = true, now
		o.events(Unanswered{o.since, cmp.Or(failure.Reason(), failure.Error())})
	}
}

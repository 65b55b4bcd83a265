package rotation

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"siprotate/exotel"
)

// So many requests in a row fail before somebody is told, or fewer over some time:
// of a few rows none fails often, and many at once spend the allowance and wait. One
// outage after the other is told of once in a while.
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

	mu     sync.Mutex
	failed int       // requests in a row
	since  time.Time // when the first of them had failed
	told   time.Time
	open   bool // told, and not over
}

// note takes in what a request ended with.
func (o *outage) note(err error, now time.Time) {
	var failure *exotel.Error
	down := errors.As(err, &failure) && failure.Retryable()
	if down && failure.Throttled() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !down:
		if o.open {
			o.events(Answering{now.Sub(o.since)})
		}
		o.failed, o.open = 0, false
		return
	case o.failed == 0:
		o.since = now
	}
	o.failed++
	down = o.failed >= outageRequests || o.failed >= outageFewer && now.Sub(o.since) >= outageTime
	if down && !o.open && now.Sub(o.told) >= outageSilence {
		o.open, o.told = true, now
		o.events(Unanswered{o.since, cmp.Or(failure.Reason(), failure.Error())})
	}
}

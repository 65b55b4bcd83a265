// Package pace keeps the requests of one program within an allowance: at most
// N requests in any window of length Per, whichever way the far side counts.
//
// A request takes a [Slot] before it is sent and gives it back when its answer
// came. A slot is free while fewer than N requests are under way or were
// answered less than one window ago. The far side counted each of them between
// its sending and its answer. So take any window there and, of the requests
// counted in it, the one that took its slot last: at that moment each of the
// others was still under way or had been answered less than a window ago, and
// they were fewer than N. Fixed windows, sliding windows and token buckets of
// the same allowance are all satisfied, at the cost of one round trip a window.
//
// The package knows nothing of rows, HTTP or any vendor.
package pace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// MaxHold is the longest wait that a far side may ask for. A longer one makes
// [Pacer.Take] fail with [HoldError].
const MaxHold = 2 * time.Hour

// A HoldError says that the far side asked for a wait longer than [MaxHold].
type HoldError struct{ Until time.Time }

func (e *HoldError) Error() string {
	return fmt.Sprintf("the far side asks to wait until %s, which is longer than %v",
		e.Until.Local().Format("2006-01-02 15:04:05"), MaxHold)
}

// Fatal reports true: no request can be sent for a long time.
func (e *HoldError) Fatal() bool { return true }

// The wait after a refusal that does not say how long to wait: doubled with
// each further one, as the vendor advises (1, 2, 4, 8, 16 s).
const (
	firstBackoff = time.Second
	lastBackoff  = 16 * time.Second
)

// A Pacer hands out slots. Make one with [New]. It is safe for concurrent use.
type Pacer struct {
	rate Rate

	turn chan struct{} // held by the one caller that waits for the next slot

	mu      sync.Mutex
	flying  int // slots taken and not given back
	ends    queue
	gate    time.Time     // nothing is sent before
	backoff time.Duration // the last wait that was chosen here
	changed chan struct{} // closed and replaced when a slot may have come free earlier
	stats   Stats
}

// A Wait says why nothing may be sent now. The zero Wait: something may.
type Wait struct {
	Reason Reason
	Until  time.Time // zero if only an answer can tell
}

// A Reason is why nothing may be sent.
type Reason string

const (
	Free      Reason = ""
	Allowance Reason = "the allowance is used up"
	Held      Reason = "the API asked to wait"
)

// Stats count what a Pacer did.
type Stats struct {
	Requests  int           // slots taken
	Throttled int           // requests refused for exceeding the allowance
	Waited    time.Duration // time in which at least one caller wanted a slot and there was none
}

// State is a moment's view of a Pacer.
type State struct {
	Stats
	Rate    Rate
	Used    int // requests that count against the allowance now
	Waiting Wait
}

// New returns a Pacer for the allowance. The error is [ErrRate].
func New(rate Rate) (*Pacer, error) {
	if err := rate.check(); err != nil {
		return nil, err
	}
	return &Pacer{rate: rate, turn: make(chan struct{}, 1), changed: make(chan struct{})}, nil
}

// Prime counts requests that were sent before this Pacer was made, each by the
// time of its answer; where that is not known, by the latest time at which it
// can have come. Times in the future count as now.
func (p *Pacer) Prime(ends []time.Time) {
	now := time.Now()
	sorted := sortedUpTo(ends, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range sorted {
		p.ends.push(end)
	}
}

// Take waits until a request may be sent and takes its slot. The caller sends
// at once and calls [Slot.Done] when the answer came or the attempt is over.
// It fails with the context's error, or with a [*HoldError].
func (p *Pacer) Take(ctx context.Context) (Slot, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return Slot{}, context.Cause(ctx)
	}
	defer func() { <-p.turn }()

	var since time.Time
	for {
		now := time.Now()
		p.mu.Lock()
		wait := p.next(now)
		if wait.Reason == Free {
			p.flying++
			p.stats.Requests++
			if !since.IsZero() {
				p.stats.Waited += now.Sub(since)
			}
			p.mu.Unlock()
			return Slot{p}, nil
		}
		changed := p.changed
		p.mu.Unlock()
		if wait.Until.Sub(now) > MaxHold && wait.Reason == Held {
			return Slot{}, &HoldError{wait.Until}
		}
		if since.IsZero() {
			since = now
		}
		if err := p.sleep(ctx, wait.Until, now, changed); err != nil {
			p.mu.Lock()
			p.stats.Waited += time.Since(since)
			p.mu.Unlock()
			return Slot{}, err
		}
	}
}

func (p *Pacer) sleep(ctx context.Context, until, now time.Time, changed <-chan struct{}) error {
	var timer <-chan time.Time
	if !until.IsZero() {
		timer = time.After(until.Sub(now))
	}
	select {
	case <-timer:
		return nil
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// next says whether a slot is free at now, and what to wait for if not.
func (p *Pacer) next(now time.Time) Wait {
	if now.Before(p.gate) {
		return Wait{Held, p.gate}
	}
	if p.rate.IsUnlimited() {
		return Wait{}
	}
	p.expire(now)
	if p.flying+p.ends.len() < p.rate.N {
		return Wait{}
	}
	if p.ends.len() == 0 {
		return Wait{Reason: Allowance}
	}
	return Wait{Allowance, p.ends.at(0).Add(p.rate.Per)}
}

// expire forgets the answers that came a window ago or earlier.
func (p *Pacer) expire(now time.Time) {
	for p.ends.len() > 0 && !p.ends.at(0).Add(p.rate.Per).After(now) {
		p.ends.pop()
	}
}

// A Slot is the right to send one request.
type Slot struct{ p *Pacer }

// Done gives the slot back: the answer came now, and said hint of the
// allowance, or the attempt is over without one. Call it once.
func (s Slot) Done(hint Hint) {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.flying--
	if !p.rate.IsUnlimited() {
		p.ends.push(now)
	}
	p.heed(hint, now)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Pacer) heed(hint Hint, now time.Time) {
	if !hint.Throttled {
		p.backoff = 0
	} else {
		p.stats.Throttled++
	}
	switch {
	case hint.HasRetryAfter:
		p.hold(now.Add(hint.RetryAfter))
	case hint.Throttled && !now.Before(p.gate):
		p.backoff = min(max(2*p.backoff, firstBackoff), lastBackoff)
		p.hold(now.Add(p.backoff + rand.N(p.backoff/2)))
	}
}

// hold closes the gate for all until the later of until and what holds now.
func (p *Pacer) hold(until time.Time) {
	if until.After(p.gate) {
		p.gate = until
	}
}

// State returns how the allowance stands.
func (p *Pacer) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.next(time.Now())
	return State{p.stats, p.rate, p.flying + p.ends.len(), wait}
}

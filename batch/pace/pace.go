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
// What answers say of the allowance only refines this: it can hold requests
// back, and it can raise N where the caller asked for that (see [Options]).
//
// The package knows nothing of rows, HTTP or any vendor.
package pace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
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

// Options say how to spend an allowance.
type Options struct {
	Rate Rate
	// Learn lets a limit that the far side advertises take the place of Rate.N,
	// also a higher one. Without it, Rate is a ceiling.
	Learn bool
	// Even spreads requests evenly over the window. Without it, an idle
	// allowance is spent as fast as slots are taken.
	Even bool
}

// A Pacer hands out slots. Make one with [New]. It is safe for concurrent use.
type Pacer struct {
	options Options
	turn    chan struct{} // held by the one caller that waits for the next slot

	mu      sync.Mutex
	limit   int // requests a window
	flying  int // slots taken and not given back
	ends    queue
	far     far
	even    *rate.Limiter
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

// A Reason is why nothing may be sent, in words for people.
type Reason string

const (
	Free      Reason = ""
	Allowance Reason = "waiting for the allowance"
	Shared    Reason = "waiting, since others use the allowance too"
	Held      Reason = "waiting as the API asked"
	Spread    Reason = "spreading requests evenly"
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
	Rate    Rate // as it is now, learned or given
	Used    int  // requests that count against the allowance now
	Others  int  // requests of others that seem to count against it
	Waiting Wait
}

// New returns a Pacer. The error is [ErrRate].
func New(o Options) (*Pacer, error) {
	if err := o.Rate.check(); err != nil {
		return nil, err
	}
	p := &Pacer{
		options: o, limit: o.Rate.N, turn: make(chan struct{}, 1), changed: make(chan struct{}),
		far: far{trial: time.Now().Add(trialWindows * o.Rate.Per)},
	}
	if o.Even && !o.Rate.IsUnlimited() {
		p.even = rate.NewLimiter(p.perSecond(), 1)
	}
	return p, nil
}

func (p *Pacer) perSecond() rate.Limit {
	return rate.Limit(float64(p.limit) / p.options.Rate.Per.Seconds())
}

// Prime counts requests that were sent before this Pacer was made, each by the
// time of its answer; where that is not known, by the latest time at which it
// can have come. Times in the future count as now. Nothing is sent before held.
func (p *Pacer) Prime(ends []time.Time, held time.Time) {
	now := time.Now()
	sorted := sortedUpTo(ends, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range sorted {
		p.ends.push(end)
	}
	if most := now.Add(MaxHold); held.After(most) {
		held = most
	}
	p.hold(held)
}

// Spent returns what a successor has to be primed with: when the answers came
// that still count, requests under way among them as of now, and until when
// nothing may be sent.
func (p *Pacer) Spent() (ends []time.Time, held time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.expire(now)
	for i := range p.ends.len() {
		ends = append(ends, p.ends.at(i))
	}
	for range p.flying {
		ends = append(ends, now)
	}
	return ends, p.gate
}

// Take waits until a request may be sent and takes its slot. The caller sends
// at once and calls [Slot.Done] when the answer came or the attempt is over.
// It fails with the context's cause, or with a [*HoldError].
func (p *Pacer) Take(ctx context.Context) (Slot, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return Slot{}, context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	began := time.Now()
	for now := began; ; now = time.Now() {
		if ctx.Err() != nil {
			return Slot{}, context.Cause(ctx)
		}
		slot, wait, changed := p.tryTake(now)
		if wait.Reason == Free {
			p.waited(now.Sub(began))
			return slot, nil
		}
		if wait.Reason == Held && wait.Until.Sub(now) > MaxHold {
			return Slot{}, &HoldError{wait.Until}
		}
		if err := sleep(ctx, wait.Until, now, changed); err != nil {
			p.waited(time.Since(began))
			return Slot{}, err
		}
	}
}

func (p *Pacer) waited(d time.Duration) {
	if d == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Waited += d
}

func (p *Pacer) tryTake(now time.Time) (Slot, Wait, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.next(now); wait.Reason != Free {
		return Slot{}, wait, p.changed
	}
	if p.even != nil {
		p.even.AllowN(now, 1)
	}
	p.flying++
	p.stats.Requests++
	return Slot{p, p.far.take(p.used())}, Wait{}, nil
}

func sleep(ctx context.Context, until, now time.Time, changed <-chan struct{}) error {
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
	if p.options.Rate.IsUnlimited() {
		return Wait{}
	}
	p.expire(now)
	if p.used() >= p.limit {
		return Wait{Allowance, p.nextEnd()}
	}
	if wait := p.far.next(p.limit, p.used(), p.flying); wait.Reason != Free {
		if end := p.nextEnd(); wait.Until.IsZero() || !end.IsZero() && end.Before(wait.Until) {
			wait.Until = end
		}
		return wait
	}
	if p.even != nil {
		if missing := 1 - p.even.TokensAt(now); missing > 0 {
			return Wait{Spread, now.Add(max(1, time.Duration(missing/float64(p.even.Limit())*float64(time.Second))))}
		}
	}
	return Wait{}
}

func (p *Pacer) used() int { return p.flying + p.ends.len() }

// nextEnd returns when the oldest answer is a window ago; zero if there is none.
func (p *Pacer) nextEnd() time.Time {
	if p.ends.len() == 0 {
		return time.Time{}
	}
	return p.ends.at(0).Add(p.options.Rate.Per)
}

// expire forgets what is a window ago.
func (p *Pacer) expire(now time.Time) {
	for p.ends.len() > 0 && !p.nextEnd().After(now) {
		p.ends.pop()
	}
	p.far.expire(now)
}

// A Slot is the right to send one request.
type Slot struct {
	p     *Pacer
	place place
}

// Done gives the slot back: the answer came now, and said feedback of the
// allowance, or the attempt is over without one. Call it once.
func (s Slot) Done(feedback Feedback) {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.flying--
	p.far.ended++
	if !p.options.Rate.IsUnlimited() {
		p.expire(now)
		p.ends.push(now)
		if p.options.Rate.Per == advertisedWindow {
			p.learn(feedback, now)
			p.far.heed(feedback, s.place, p.limit, p.options.Rate.Per, now)
		}
	}
	p.heed(feedback, now)
	close(p.changed)
	p.changed = make(chan struct{})
}

const (
	// The window of an advertised limit, as the vendor documents it.
	advertisedWindow = time.Minute
	// The highest advertised limit that is believed: 200 times what the vendor
	// grants every account.
	maxAdvertised = 10_000
)

// learn takes over an advertised limit: any under Options.Learn, else a lower
// one.
func (p *Pacer) learn(feedback Feedback, now time.Time) {
	if feedback.Limit < 1 || feedback.Limit > maxAdvertised {
		return
	}
	p.far.limit = feedback.Limit
	limit := p.options.Rate.N
	switch {
	case p.options.Learn:
		limit = feedback.Limit
	case p.options.Rate.Per == advertisedWindow:
		limit = min(limit, feedback.Limit)
	}
	if limit == p.limit {
		return
	}
	p.limit = limit
	if p.even != nil {
		p.even.SetLimitAt(now, p.perSecond())
	}
}

// The wait after a refusal that does not say how long to wait: doubled with
// each further one, as the vendor advises (1, 2, 4, 8, 16 s).
const (
	firstBackoff = time.Second
	lastBackoff  = 16 * time.Second
)

// heed closes the gate for all where the far side asks for it.
func (p *Pacer) heed(feedback Feedback, now time.Time) {
	if feedback.Throttled {
		p.stats.Throttled++
	}
	switch {
	case feedback.HasRetryAfter && (feedback.RetryAfter > 0 || !feedback.Throttled):
		p.hold(now.Add(feedback.RetryAfter))
	case feedback.Throttled && !now.Before(p.gate):
		p.backoff = min(max(2*p.backoff, firstBackoff), lastBackoff)
		p.hold(now.Add(p.backoff + rand.N(p.backoff/2)))
	case !feedback.Throttled:
		p.backoff = 0
	}
}

// hold closes the gate until the later of until and what holds now.
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
	rate := p.options.Rate
	if !rate.IsUnlimited() {
		rate.N = p.limit
	}
	return State{p.stats, rate, p.used(), len(p.far.others), wait}
}

// Package pace keeps the requests of one program within an allowance: at most
// N requests in any window of length Per, whichever way the server counts.
//
// A request takes a [Slot] before it is sent and gives it back when its answer
// came. A slot is free while fewer than N requests are under way or were
// answered less than one window ago. The server counted each of them between
// its sending and its answer. So take any window there and, of the requests
// counted in it, the one that took its slot last: at that moment each of the
// others was still under way or had been answered less than a window ago, and
// they were fewer than N. Fixed windows, sliding windows and token buckets of
// the same allowance are all satisfied, at the cost of one round trip a window.
//
// What answers say only refines this: it can hold requests back, and it can
// raise N where the caller asked for that (see [Options]). A refusal holds all
// requests back for as long as the server asks, or else for a short wait that
// doubles, and teaches how many requests the limiter takes in a burst, and at
// which pace after that.
//
// The package knows nothing of rows, HTTP or any vendor.
package pace

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// MaxHold is the longest wait that a server may ask for. A longer one makes
// [Pacer.Take] fail with [HoldError].
const MaxHold = 2 * time.Hour

// A HoldError says that the server asked for a wait longer than [MaxHold].
type HoldError struct{ Until time.Time }

func (e *HoldError) Error() string {
	return fmt.Sprintf("the server asks to wait until %s, which is longer than %v",
		e.Until.Local().Format("2006-01-02 15:04:05"), MaxHold)
}

// Fatal reports true: no request can be sent for a long time.
func (e *HoldError) Fatal() bool { return true }

// Options say how to spend an allowance. The zero Options allow nothing, and
// are refused by [New].
type Options struct {
	Rate Rate
	// Learn lets a limit that the server advertises take the place of Rate.N,
	// also a higher one. Without it, Rate is a ceiling.
	Learn bool
	// Even spreads requests evenly over the window. Without it, an idle
	// allowance is spent as fast as slots are taken.
	Even bool
}

// A Pacer hands out slots. Make one with [New]; the zero Pacer cannot be used.
// It is safe for concurrent use.
type Pacer struct {
	options Options
	turn    chan struct{} // held by the one caller that waits for the next slot

	mu       sync.Mutex
	limit    int         // requests a window
	flying   int         // slots taken and not given back
	ends     []time.Time // in order, when answers came: of those that count, and as [Pacer.Spent] returns them
	old      int         // so many of ends, the earliest, are more than a window ago
	others   others
	shape    shape
	gate     time.Time     // nothing is sent before
	refused  time.Time     // when the latest refusal came
	refusals int           // in a row
	changed  chan struct{} // closed and replaced when a slot may have come free earlier
	stats    Stats
}

// A Wait says why nothing may be sent now. The zero Wait: something may.
type Wait struct {
	Reason Reason
	Until  time.Time // zero if only an answer can tell
}

// A Reason is why nothing may be sent, in words for people.
type Reason string

// The reasons. Starting and Spread are short waits.
const (
	Free      Reason = ""
	Allowance Reason = "waiting for the allowance"
	Shared    Reason = "waiting, since others use the allowance too"
	Held      Reason = "waiting as the API asked"
	Slowed    Reason = "slowed down, since the API refused requests"
	Spread    Reason = "spreading requests evenly"
	Starting  Reason = "starting slowly"
)

// Stats count what a Pacer did.
type Stats struct {
	Requests  int           // slots taken
	Throttled int           // requests refused for exceeding the allowance
	Waited    time.Duration // time in which at least one caller wanted a slot and the allowance had none
}

// State is a moment's view of a Pacer.
type State struct {
	Stats
	Rate Rate // as it is now, learned or given
	// Requests that count against the allowance now, or may: those under way,
	// lost ones and those that [Pacer.Prime] was given among them. At most Rate.N;
	// 0 if that has no bound.
	Used    int
	Others  int // requests of others that count too, as answers show; never our own
	Waiting Wait
}

// New returns a Pacer. The error is [ErrRate].
func New(o Options) (*Pacer, error) {
	if err := o.Rate.check(); err != nil {
		return nil, err
	}
	p := &Pacer{
		options: o, limit: o.Rate.N, turn: make(chan struct{}, 1), changed: make(chan struct{}),
		others: others{trial: time.Now().Add(trialWindows * o.Rate.Per)},
	}
	if !o.Rate.IsUnlimited() {
		p.shape = newShape(o)
	}
	return p, nil
}

// Take waits until a request may be sent and takes its slot. The caller sends
// at once and calls [Slot.Done] when the answer came or the attempt is over: a
// slot that is never given back counts for ever. It fails with the context's cause,
// or with a [*HoldError].
func (p *Pacer) Take(ctx context.Context) (Slot, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return Slot{}, context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	var waited time.Duration
	for now := time.Now(); ; now = time.Now() {
		if ctx.Err() != nil {
			return Slot{}, context.Cause(ctx)
		}
		slot, wait, changed := p.tryTake(now)
		if wait.Reason == Free {
			p.waited(waited)
			return slot, nil
		}
		if wait.Reason == Held && wait.Until.Sub(now) > MaxHold {
			return Slot{}, &HoldError{wait.Until}
		}
		err := sleep(ctx, wait.Until, now, changed)
		if wait.Reason != Starting {
			waited += time.Since(now)
		}
		if err != nil {
			p.waited(waited)
			return Slot{}, err
		}
	}
}

func (p *Pacer) waited(d time.Duration) {
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
	p.shape.take(now)
	p.flying++
	p.stats.Requests++
	return Slot{p, now, p.others.take(p.used())}, Wait{}, nil
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
	p.expire(now)
	if now.Before(p.gate) {
		return Wait{Held, p.gate}
	}
	if p.options.Rate.IsUnlimited() {
		return Wait{}
	}
	if p.used() >= p.limit {
		return Wait{Allowance, p.nextEnd()}
	}
	if wait := p.others.next(now, p.limit, p.used(), p.flying); wait.Reason != Free {
		if end := p.nextEnd(); wait.Until.IsZero() || !end.IsZero() && end.Before(wait.Until) {
			wait.Until = end
		}
		return wait
	}
	return p.shape.next(now, p.flying, p.others.stated)
}

// A Slot is the right to send one request. The zero Slot is none.
type Slot struct {
	p     *Pacer
	taken time.Time
	place place
}

// Done gives the slot back: the answer came now, and said feedback of the
// allowance, or the attempt is over without one. Call it once.
//
// Where the request may have left and no answer came in time, set
// [Feedback.Lost]. The server may read such a request later, from a connection
// on which nobody listens any more. It counts as if it had been answered as long
// from now as the attempt took, at most [MaxLate]. One that the server reads even
// later is counted in a window that knows nothing of it.
func (s Slot) Done(feedback Feedback) {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.flying--
	p.others.ended++
	end := now
	if feedback.Lost {
		end = now.Add(min(now.Sub(s.taken), MaxLate))
	}
	p.count(end)
	p.expire(now)
	if p.options.Rate.Per == advertisedWindow {
		p.learn(feedback, now)
		p.others.learn(feedback, s.place, p.limit, advertisedWindow, now)
	}
	switch {
	case feedback.Throttled:
		p.refuse(feedback, s.taken, now)
	case !feedback.Lost:
		p.grant(feedback, s.taken, now)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// MaxAdvertised is the highest advertised limit that is believed: 200 times what
// the vendor grants every account.
const MaxAdvertised = 10_000

// The window of an advertised limit, as the vendor documents it.
const advertisedWindow = time.Minute

// learn takes over an advertised limit: any under Options.Learn, else a lower
// one.
func (p *Pacer) learn(feedback Feedback, now time.Time) {
	if feedback.Limit < 1 || feedback.Limit > MaxAdvertised {
		return
	}
	p.others.limit = feedback.Limit
	limit := feedback.Limit
	if !p.options.Learn {
		limit = min(limit, p.options.Rate.N)
	}
	if limit != p.limit {
		p.limit = limit
		p.shape.setLimit(limit, now)
	}
}

// grant takes in an answer that is no refusal, to the request that left at sent.
func (p *Pacer) grant(feedback Feedback, sent, now time.Time) {
	if feedback.HasRetryAfter {
		p.hold(now.Add(feedback.RetryAfter))
	}
	if sent.After(p.refused) {
		p.refusals = 0
	}
	if !p.options.Rate.IsUnlimited() {
		p.shape.grant(sent, now)
	}
}

// refuse holds everybody back after a refusal of the request that left at sent.
// Those that were under way together and are refused together count once.
func (p *Pacer) refuse(feedback Feedback, sent, now time.Time) {
	p.stats.Throttled++
	wait := feedback.RetryAfter
	if now.Before(p.gate) && !sent.After(p.refused) {
		p.hold(now.Add(wait))
		return
	}
	p.refusals++
	p.refused = now
	if p.refusals > 1 || wait <= 0 {
		wait = max(wait, Backoff(p.refusals))
	}
	p.hold(now.Add(wait))
	usedUp := feedback.HasRemaining && feedback.Remaining <= 0
	if !p.options.Rate.IsUnlimited() && !usedUp {
		p.shape.refuse(now, p.gate)
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
	state := State{Stats: p.stats, Rate: p.options.Rate, Waiting: p.next(time.Now()), Others: len(p.others.ends)}
	if !state.Rate.IsUnlimited() {
		state.Rate.N, state.Used = p.limit, min(p.used(), p.limit)
	}
	return state
}

package pace

import (
	"cmp"
	"slices"
	"time"
)

// A Feedback is what became of a request, and what its answer says of the
// allowance. The zero Feedback: it was answered, and the answer says nothing.
// Nothing in it is trusted: a Pacer bounds every value before it acts on it.
type Feedback struct {
	Throttled bool // the request was refused for exceeding the allowance
	// No answer came in time, and the server may not have read the request yet: see
	// [Slot.Done]. Leave it false where the request cannot have left.
	Lost bool

	RetryAfter    time.Duration // how long to wait; meaningful if HasRetryAfter
	HasRetryAfter bool

	Limit        int // requests a window, as advertised; 0 if not said
	Remaining    int // requests left in the window; meaningful if HasRemaining
	HasRemaining bool

	Reset time.Time // when the window ends, on the server's clock; zero if not said
	Date  time.Time // the server's clock when it answered; zero if not said
}

// Others are the requests of others that use the same allowance, as far as
// answers show them: an answer that says how many requests remain shows that
// what is missing beyond our own is theirs. Nothing of it is needed to stay
// within the allowance; it keeps requests from being refused because others were
// faster. Where no answer says what remains, there are no others.
//
// Our own requests that are under way may be among the missing or not. So with
// others about, a request leaves only if it must be granted whatever became of
// those under way, or if none is under way.
//
// The figures below were chosen by simulation: see TestAllowanceIsSpent.
type others struct {
	limit  int         // as advertised; 0 if it is not
	ends   []time.Time // when each of their requests stops counting, in order
	stated bool        // answers say how many requests remain
	trial  time.Time   // until when others are looked for, though there is no trace of them
	seen   time.Time   // until when others are reckoned with; zero if there is no trace of them
	rests  bool        // waits until a batch of requests is free

	taken, ended int // slots, ever
	newest       int // taken, as the request was sent that brought the latest news
	surest       int // as long as taken is no greater, every request is granted
}

const (
	// For so many windows others are looked for at first, and reckoned with after
	// each trace of them.
	trialWindows = 3
	seenWindows  = 10
	// So many requests are left to others while there are any, unless there are
	// few in all: what they may have sent since the latest answer.
	spare = 1
	few   = 10
	// With others about, nothing is sent after the allowance was used up until so
	// many requests are free. One at a time, each would race with theirs; a batch
	// learns from its own answers.
	batch = 8
	// A reset that is no farther off than this looks like the next request
	// of a sliding window: it is read to the second on two clocks.
	coarse = 2 * time.Second
	// The longest time to a reset that is believed.
	maxReset = time.Hour
)

// A place is where a request stood among the others when its slot was taken.
type place struct {
	taken int // slots taken, this one among them
	ended int // slots given back
	used  int // our requests that might count at the server, this one among them
}

func (o *others) take(used int) place {
	o.taken++
	return place{o.taken, o.ended, used}
}

func (o *others) expire(now time.Time) {
	for len(o.ends) > 0 && !o.ends[0].After(now) {
		o.ends = o.ends[1:]
	}
	if now.After(o.seen) {
		o.seen = time.Time{}
	}
}

func (o *others) areSeen() bool { return !o.seen.IsZero() }

// next says whether one more request would be granted, as far as answers tell.
// limit is what a window allows, used are our own requests that may count.
func (o *others) next(now time.Time, limit, used, flying int) Wait {
	if !o.areSeen() && !(o.stated && now.Before(o.trial)) {
		return Wait{}
	}
	reason, ceiling, left := Allowance, o.ceiling(limit), 0
	if o.areSeen() {
		reason = Shared
		if ceiling >= few {
			left = spare
		}
	}
	free := ceiling - left - used - len(o.ends)
	if o.rests = o.areSeen() && (free <= 0 || o.rests && free < min(batch, ceiling/2)); o.rests {
		return Wait{reason, o.nextEnd()}
	}
	if flying == 0 && free > 0 || !o.stated || o.surest-o.taken > left {
		return Wait{}
	}
	return Wait{Reason: reason}
}

// ceiling returns what a window allows all clients together.
func (o *others) ceiling(limit int) int { return cmp.Or(o.limit, limit) }

func (o *others) nextEnd() time.Time {
	if len(o.ends) == 0 {
		return time.Time{}
	}
	return o.ends[0]
}

// learn takes in the answer to the request at a place.
func (o *others) learn(feedback Feedback, at place, limit int, window time.Duration, now time.Time) {
	ceiling := o.ceiling(limit)
	remaining, counts := feedback.Remaining, 1
	if feedback.Throttled {
		counts = 0
	}
	if !feedback.HasRemaining || remaining < 0 || remaining >= ceiling || at.taken < o.newest {
		return
	}
	o.newest, o.stated = at.taken, true
	// All that were not answered when this one was sent may be missing from what
	// remains, and so may all that were sent since.
	o.surest = remaining + at.ended + 1
	// Our own that the server had counted are no more than what might have counted
	// when this one was sent, and all that were sent since.
	ours := at.used - 1 + counts + o.taken - at.taken
	theirs := ceiling - remaining - ours - len(o.ends)
	surplus := len(o.ends) - (ceiling - remaining - counts)
	o.ends = slices.Delete(o.ends, 0, max(0, surplus)) // those first that stop counting first
	o.add(theirs, feedback, window, now)
}

// add enters n requests of others that an answer has shown.
func (o *others) add(n int, feedback Feedback, window time.Duration, now time.Time) {
	if n <= 0 {
		return
	}
	o.seen = now.Add(seenWindows * window)
	life, reset := window, feedback.Reset.Sub(feedback.Date)
	if !feedback.Reset.IsZero() && !feedback.Date.IsZero() && reset > coarse && reset <= maxReset {
		life = reset
	}
	o.ends = append(o.ends, slices.Repeat([]time.Time{now.Add(life)}, n)...)
	slices.SortFunc(o.ends, time.Time.Compare)
}

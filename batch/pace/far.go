package pace

import (
	"slices"
	"time"
)

// A far is what the far side lets on of the allowance: how much of it others
// use. Nothing of it is needed to stay within the allowance; it keeps requests
// from being refused because others were faster.
//
// Requests of others are only ever inferred. An answer says how many requests
// remain; what is missing beyond our own is theirs. A refusal says that none
// remain. Our own that are under way may be among the missing or not. So with
// others about, a request leaves only if it must be granted whatever became of
// those under way, or if none is under way.
//
// The figures below were chosen by simulation: see TestAllowanceIsSpent.
type far struct {
	limit  int         // as advertised; 0 if it is not
	others []time.Time // requests of others, by the time at which each stops counting, in order
	trial  time.Time   // until when others are looked for, though there is no trace of them
	shared time.Time   // until when others are reckoned with; zero if there is no trace of them
	wary   bool        // trial or shared, as of now
	rests  bool        // wait until a batch of requests is free

	taken, ended int  // slots, ever
	newest       int  // taken, as the request was sent that brought the latest news
	told         bool // answers say how many requests remain
	surest       int  // as long as taken is no greater, every request is granted
}

const (
	// For so many windows others are looked for at first, where answers say what
	// remains, and reckoned with after each trace of them.
	trialWindows  = 3
	sharedWindows = 10
	// So many requests are left to others while there are any, unless there are
	// few in all: what they may have sent since the latest answer.
	spare = 1
	few   = 10
	// With others about, nothing is sent after the allowance was used up until so
	// many requests are free. One at a time, each would race with theirs; a batch
	// learns from its own answers.
	batch = 8
	// Where answers do not say what remains: for each of so many free requests,
	// one may be under way.
	gentle = 5
	// A refusal there takes away one in so many requests of the allowance, beside
	// those that it shows others to have made, ...
	shy = 7
	// ... and they come back bit by bit, over so many windows.
	growBack = 10
	// A reset that is no farther off than this is not told from the next request
	// of a sliding window: it is read to the second on two clocks.
	coarse = 2 * time.Second
	// The longest time to a reset that is believed.
	maxReset = time.Hour
)

// A place is where a request stood among the others when its slot was taken.
type place struct {
	taken int // slots taken, this one among them
	ended int // slots given back
	used  int // our requests that might count at the far side, this one among them
}

func (f *far) take(used int) place {
	f.taken++
	return place{f.taken, f.ended, used}
}

func (f *far) expire(now time.Time) {
	for len(f.others) > 0 && !f.others[0].After(now) {
		f.others = f.others[1:]
	}
	if now.After(f.shared) {
		f.shared = time.Time{}
	}
	f.wary = f.isShared() || f.told && now.Before(f.trial)
}

func (f *far) isShared() bool { return !f.shared.IsZero() }

// left returns how many requests are left to others.
func (f *far) left(ceiling int) int {
	if f.isShared() && ceiling >= few {
		return spare
	}
	return 0
}

// next says whether one more request would be granted, as far as can be told.
// limit is what a window allows, used are our own requests that may count.
func (f *far) next(limit, used, flying int) Wait {
	if !f.wary {
		return Wait{}
	}
	ceiling := f.ceiling(limit)
	left := f.left(ceiling)
	free := ceiling - left - used - len(f.others)
	if f.rests = f.isShared() && (free <= 0 || f.rests && free < min(batch, ceiling/2)); f.rests {
		return Wait{Shared, f.nextExpiry()}
	}
	switch {
	case flying == 0 && free > 0:
		return Wait{}
	case f.told && f.surest-f.taken <= left:
		return Wait{Reason: Shared}
	case !f.told && flying > (free-1)/gentle:
		return Wait{Reason: Shared}
	}
	return Wait{}
}

// ceiling returns what a window allows all clients together.
func (f *far) ceiling(limit int) int {
	if f.limit > 0 {
		return f.limit
	}
	return limit
}

func (f *far) nextExpiry() time.Time {
	if len(f.others) == 0 {
		return time.Time{}
	}
	return f.others[0]
}

// heed takes in the answer to the request at a place.
func (f *far) heed(feedback Feedback, at place, limit int, window time.Duration, now time.Time) {
	ceiling := f.ceiling(limit)
	remaining, counts := feedback.Remaining, 1
	if feedback.Throttled {
		remaining, counts = 0, 0
	} else if !feedback.HasRemaining || remaining < 0 || remaining >= ceiling {
		return
	}
	if at.taken < f.newest {
		return
	}
	f.newest, f.told = at.taken, feedback.HasRemaining
	// All that were not answered when this one was sent may be missing from what
	// remains, and so may all that were sent since.
	f.surest = remaining + at.ended + 1
	// Our own that the far side had counted are no more than what might have
	// counted when this one was sent, and all that were sent since.
	ours := at.used - 1 + counts + f.taken - at.taken
	theirs := ceiling - remaining - ours - len(f.others)
	if feedback.Throttled && !feedback.HasRemaining {
		theirs = max(0, theirs) + ceiling/shy
	}
	f.forget(len(f.others) - (ceiling - remaining - counts))
	f.add(theirs, feedback, window, now)
}

// forget drops n requests of others, those first that stop counting first.
func (f *far) forget(n int) {
	if n > 0 {
		f.others = slices.Delete(f.others, 0, n)
	}
}

// add enters n requests of others that an answer has shown.
func (f *far) add(n int, feedback Feedback, window time.Duration, now time.Time) {
	if n <= 0 {
		return
	}
	f.shared = now.Add(sharedWindows * window)
	reset := feedback.Reset.Sub(feedback.Date)
	believed := !feedback.Reset.IsZero() && !feedback.Date.IsZero() && reset > coarse && reset <= maxReset
	for i := range n {
		life := window
		switch {
		case !feedback.HasRemaining:
			life += time.Duration(i) * (growBack - 1) * window / time.Duration(n)
		case believed:
			life = reset
		}
		f.others = append(f.others, now.Add(life))
	}
	slices.SortFunc(f.others, time.Time.Compare)
}

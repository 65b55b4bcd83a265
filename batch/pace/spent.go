package pace

import (
	"slices"
	"time"
)

// MaxSpent is how many requests a Pacer remembers beyond its window, and how
// many it hands to a successor: the latest. See [Pacer.Prime].
const MaxSpent = MaxAdvertised

// MaxLate is the longest time for which a lost request is taken to be counted
// after its attempt was over.
const MaxLate = 10 * time.Minute

// Spent returns what a successor has to be primed with, whatever its rate: when
// the answers of the last [MaxWindow] came, in order, requests under way among
// them as of now, lost ones as of when they can last have been counted, in the
// future; and until when nothing may be sent. Of more than [MaxSpent] the
// latest are returned.
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
	slices.SortFunc(ends, time.Time.Compare)
	return ends[max(0, len(ends)-MaxSpent):], p.gate
}

// Prime counts requests that were sent before this Pacer was made, each by the
// time of its answer; where that is not known, by the latest time at which it
// can have been counted, which may be up to [MaxLate] in the future. As many as
// [MaxSpent] are taken for the latest of more: so many as a window allows count,
// as of the earliest of them. Nothing is sent before held, which may be up to
// [MaxHold] away.
func (p *Pacer) Prime(ends []time.Time, held time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	sorted := slices.SortedFunc(slices.Values(ends), time.Time.Compare)
	if missing := p.limit - len(sorted); len(sorted) >= MaxSpent && missing > 0 {
		sorted = append(slices.Repeat(sorted[:1], missing), sorted...)
	}
	for _, end := range sorted {
		if latest := now.Add(MaxLate); end.After(latest) {
			end = latest
		}
		p.ends.insert(end)
	}
	p.old = 0
	p.expire(now)
	if most := now.Add(MaxHold); held.After(most) {
		held = most
	}
	p.hold(held)
}

// used returns how many requests count against the allowance.
func (p *Pacer) used() int { return p.flying + p.ends.len() - p.old }

// nextEnd returns when the oldest request that counts stops counting; zero if
// only an answer can tell.
func (p *Pacer) nextEnd() time.Time {
	if p.ends.len() == p.old {
		return time.Time{}
	}
	return p.ends.at(p.old).Add(p.options.Rate.Per)
}

// expire stops counting what is a window ago, and forgets what no successor's
// window can reach, or is not among the latest.
func (p *Pacer) expire(now time.Time) {
	for p.old < p.ends.len() && !p.nextEnd().After(now) {
		p.old++
	}
	for p.old > 0 && (p.ends.len() > MaxSpent || !p.ends.at(0).Add(MaxWindow).After(now)) {
		p.ends.pop()
		p.old--
	}
	p.others.expire(now)
	p.shape.expire(now)
}

// A queue holds times in order. Its memory follows the most it ever held.
type queue struct {
	ring  []time.Time
	head  int
	count int
}

func (q *queue) len() int { return q.count }

func (q *queue) slot(i int) *time.Time { return &q.ring[(q.head+i)%len(q.ring)] }

// at returns the i-th time, from 0 for the earliest.
func (q *queue) at(i int) time.Time { return *q.slot(i) }

// pop removes the earliest time.
func (q *queue) pop() {
	q.head = (q.head + 1) % len(q.ring)
	q.count--
}

// push appends t, which is not before any other.
func (q *queue) push(t time.Time) {
	if q.count == len(q.ring) {
		grown := make([]time.Time, max(16, 2*q.count))
		n := copy(grown, q.ring[q.head:])
		copy(grown[n:], q.ring[:q.head])
		q.ring, q.head = grown, 0
	}
	q.count++
	*q.slot(q.count - 1) = t
}

// insert puts t in its place. It is quick if t is among the latest.
func (q *queue) insert(t time.Time) {
	q.push(t)
	for i := q.count - 1; i > 0 && q.at(i-1).After(t); i-- {
		*q.slot(i), *q.slot(i - 1) = q.at(i-1), t
	}
}

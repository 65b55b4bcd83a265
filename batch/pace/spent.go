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
	ends = slices.Concat(p.ends, slices.Repeat([]time.Time{now}, p.flying))
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
		p.count(end)
	}
	p.old = 0
	p.expire(now)
	if most := now.Add(MaxHold); held.After(most) {
		held = most
	}
	p.hold(held)
}

// count enters when an answer came. Hardly any is to stand far from the end.
func (p *Pacer) count(end time.Time) {
	i, _ := slices.BinarySearchFunc(p.ends, end, time.Time.Compare)
	p.ends = slices.Insert(p.ends, i, end)
}

// used returns how many requests count against the allowance.
func (p *Pacer) used() int { return p.flying + len(p.ends) - p.old }

// nextEnd returns when the oldest request that counts stops counting; zero if
// only an answer can tell.
func (p *Pacer) nextEnd() time.Time {
	if len(p.ends) == p.old {
		return time.Time{}
	}
	return p.ends[p.old].Add(p.options.Rate.Per)
}

// expire stops counting what is a window ago, and forgets what no successor's
// window can reach, or is not among the latest.
func (p *Pacer) expire(now time.Time) {
	for p.old < len(p.ends) && !p.nextEnd().After(now) {
		p.old++
	}
	for p.old > 0 && (len(p.ends) > MaxSpent || !p.ends[0].Add(MaxWindow).After(now)) {
		p.ends = p.ends[1:]
		p.old--
	}
	p.others.expire(now)
	p.shape.expire(now)
}

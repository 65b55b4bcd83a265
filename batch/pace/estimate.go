package pace

import "time"

// Estimate returns about how long it takes until n more requests are sent, if
// their answers take no time and none is refused, from how the allowance stands
// now: with the wait that is in force, and at the pace that refusals have taught.
func (p *Pacer) Estimate(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n <= 0 {
		return 0
	}
	now := time.Now()
	start := max(0, p.next(now).Until.Sub(now))
	if p.options.Rate.IsUnlimited() {
		return start
	}
	return max(start+p.shape.estimate(n), p.estimateSlots(n, start, now))
}

// estimateSlots returns when the n-th slot from now can be taken, where none is
// taken before start.
func (p *Pacer) estimateSlots(n int, start time.Duration, now time.Time) time.Duration {
	waiting := n - (p.limit - p.used())
	if waiting <= 0 {
		return start
	}
	rounds, place := (waiting-1)/p.limit, (waiting-1)%p.limit
	first := start + p.options.Rate.Per
	if i := p.old + place; i < len(p.ends) {
		first = max(start, p.ends[i].Add(p.options.Rate.Per).Sub(now))
	}
	return first + time.Duration(rounds)*p.options.Rate.Per
}

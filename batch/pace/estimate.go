package pace

import "time"

// Estimate returns how long n requests take at least, sent one after the other
// as soon as the allowance permits, from an allowance of which nothing is used.
func (r Rate) Estimate(n int) time.Duration {
	if r.IsUnlimited() || n <= 0 {
		return 0
	}
	return time.Duration((n-1)/r.N) * r.Per
}

// Estimate returns how long it takes at least until n more requests are sent,
// from how the allowance stands now.
func (p *Pacer) Estimate(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.expire(now)
	held := max(0, p.gate.Sub(now))
	per := p.options.Rate.Per
	if p.options.Rate.IsUnlimited() || n <= 0 {
		return held
	}
	waiting := n - (p.limit - p.used())
	if waiting <= 0 {
		return held
	}
	rounds, place := (waiting-1)/p.limit, (waiting-1)%p.limit
	first := per
	if place < p.ends.len() {
		first = p.ends.at(place).Add(per).Sub(now)
	}
	return max(held, first) + time.Duration(rounds)*per
}

package account

import "time"

// A ledger is what the next holder has to know. The zero ledger says that
// nobody has sent anything.
type ledger struct {
	Taker  string      `json:"taker"`  // who took the lease last, for people
	Holder string      `json:"holder"` // of whom the rest speaks
	Open   bool        `json:"open"`   // it has not given the lease back: it works, or it died
	Ends   []time.Time `json:"ends"`   // when the latest answers came, by the wall clock as it was then
	Held   time.Time   `json:"held_until,omitzero"`

	// When this was written, by both clocks.
	At   time.Time     `json:"at,omitzero"`
	Boot string        `json:"boot,omitempty"`
	Up   time.Duration `json:"up_ns,omitzero"`
}

// A reading is the time, by the wall clock, which may be set, and by the
// machine's clock since boot, which may not.
type reading struct {
	before time.Time     // by the wall clock, before the other one was read
	boot   string        // tells this machine and its boot from others; empty if up is not known
	up     time.Duration // since boot, sleep included
	wall   time.Time     // by the wall clock, after that
}

func readClock() reading {
	before := time.Now()
	boot, up := sinceBoot()
	return reading{before, boot, up, time.Now()}
}

// since returns how much time has passed since the ledger was written, if that
// is known.
func (l *ledger) since(now reading) (passed time.Duration, known bool) {
	return now.up - l.Up, now.boot != "" && now.boot == l.Boot && now.up >= l.Up
}

// spent returns when the ledger's requests count, and until when nothing may be
// sent, by the wall clock as it is now. Where nobody knows how long ago the ledger
// was written, that was now.
func (l *ledger) spent(now reading) (ends []time.Time, held time.Time) {
	passed, known := l.since(now)
	written := now.wall.Add(-passed)
	if !known {
		written = now.wall
	}
	for _, end := range l.Ends {
		if !known && end.Before(l.At) {
			end = l.At
		}
		ends = append(ends, written.Add(end.Sub(l.At)))
	}
	if !l.Held.IsZero() {
		held = written.Add(l.Held.Sub(l.At))
	}
	return ends, held
}

// missing returns when those of the answers count that a holder remembers and
// the ledger has not: they came after it was written. A wall clock that has gone
// ahead since makes them look older than they are, and one that has gone back,
// like others that the ledger has. Those of another machine, or from before a boot,
// count as of now.
func (l *ledger) missing(own []time.Time, now reading) (ends []time.Time) {
	passed, known := l.since(now)
	ahead := now.wall.Sub(l.At) - passed
	for _, end := range own {
		switch {
		case l.Open && !known: // nobody knows which they are
			end = now.wall
		case !end.After(l.At.Add(min(ahead, 0))) || !known && !end.After(l.At):
			continue
		case !l.Open:
			end = now.wall
		default:
			end = end.Add(max(ahead, 0))
		}
		if end.After(now.wall) {
			end = now.wall
		}
		ends = append(ends, end)
	}
	return ends
}

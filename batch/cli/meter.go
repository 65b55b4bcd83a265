package cli

import "time"

// A meter tells how many requests a minute went out of late. It is fed with
// the total now and then.
type meter struct{ samples []sample }

type sample struct {
	at    time.Time
	total int
}

const (
	meterSpan = time.Minute
	meterBeat = time.Second // no samples closer than that are kept
)

func (m *meter) add(now time.Time, total int) {
	if n := len(m.samples); n > 1 && now.Sub(m.samples[n-2].at) < meterBeat {
		m.samples = m.samples[:n-1]
	}
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) > meterSpan {
		m.samples = m.samples[1:]
	}
	m.samples = append(m.samples, sample{now, total})
}

func (m *meter) perMinute() float64 {
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	span := last.at.Sub(first.at)
	if span <= 0 {
		return 0
	}
	return float64(last.total-first.total) / span.Minutes()
}

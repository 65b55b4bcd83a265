package journal

import (
	"maps"
	"slices"
	"time"

	"siprotate/batch"
)

// waits is how long no request leaves before it counts as a wait.
const waits = time.Second

// A traffic is the minutes by when they start, in seconds since 1970. It has one
// for each minute with a request, however many rows there are.
type traffic struct {
	minutes map[int64]*batch.Minute
	latest  time.Time // when a request left last; zero before a session's first
}

func (t *traffic) minute(at time.Time) *batch.Minute {
	start := at.UTC().Truncate(time.Minute)
	m := t.minutes[start.Unix()]
	if m == nil {
		m = &batch.Minute{Start: start}
		t.minutes[start.Unix()] = m
	}
	return m
}

func (t *traffic) sent(r sendRecord) {
	if !t.latest.IsZero() && r.At.Sub(t.latest) >= waits {
		t.wait(t.latest, r.At)
	}
	t.latest = later(t.latest, r.At)
	if m := t.minute(r.At); r.Attempts == 1 {
		m.First++
	} else {
		m.Again++
	}
}

// wait counts a wait for the minutes in which it began and ended: there is none for
// a whole minute without a request.
func (t *traffic) wait(from, to time.Time) {
	first, last := t.minute(from), t.minute(to)
	if first == last {
		first.Waited += to.Sub(from)
		return
	}
	first.Waited += time.Minute - from.Sub(first.Start)
	last.Waited += to.Sub(last.Start)
}

// sorted returns copies, in order.
func (t *traffic) sorted() []batch.Minute {
	minutes := make([]batch.Minute, 0, len(t.minutes))
	for _, start := range slices.Sorted(maps.Keys(t.minutes)) {
		minutes = append(minutes, *t.minutes[start])
	}
	return minutes
}

package journal

import (
	"maps"
	"slices"
	"time"

	"siprotate/batch"
)

// A traffic is the minutes by when they start, in seconds since 1970. It has one
// for each minute at work, however many rows there are.
type traffic map[int64]*batch.Minute

func (t traffic) minute(at time.Time) *batch.Minute {
	start := at.UTC().Truncate(time.Minute)
	m := t[start.Unix()]
	if m == nil {
		m = &batch.Minute{Start: start}
		t[start.Unix()] = m
	}
	return m
}

func (t traffic) sent(r sendRecord) {
	if m := t.minute(r.At); r.Attempts == 1 {
		m.First++
	} else {
		m.Again++
	}
}

func (t traffic) throttled(at time.Time) { t.minute(at).Throttled++ }

// sorted returns copies, in order.
func (t traffic) sorted() []batch.Minute {
	minutes := make([]batch.Minute, 0, len(t))
	for _, start := range slices.Sorted(maps.Keys(t)) {
		minutes = append(minutes, *t[start])
	}
	return minutes
}

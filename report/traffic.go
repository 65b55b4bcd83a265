package report

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

// A Minute is what the rows tell of the requests in one minute. A row knows when
// its first request left and when its last answer came, and how many requests
// there were: so those between stand in the minute of the last answer. Of the
// requests refused for exceeding the allowance only those are seen whose answer
// was a row's last.
type Minute struct {
	Start     time.Time // in UTC
	First     int       // first requests of rows
	Again     int       // further requests of rows
	Throttled int       // rows whose last answer, 429, came then
}

// A traffic is the minutes by their number since 1970. It has at most one for
// each minute at work, however many rows there are.
type traffic map[int64]*Minute

func (t traffic) add(e *Entry) {
	result := &e.Result
	if result.Attempts.Count == 0 || result.Attempts.FirstSent.IsZero() {
		return
	}
	first := t.minute(result.Attempts.FirstSent)
	first.First++
	last := first
	if !result.Finished.IsZero() {
		last = t.minute(result.Finished)
	}
	last.Again += result.Attempts.Count - 1
	if result.Receipt.HTTPCode == http.StatusTooManyRequests {
		last.Throttled++
	}
}

func (t traffic) minute(at time.Time) *Minute {
	start := at.UTC().Truncate(time.Minute)
	key := start.Unix()
	m := t[key]
	if m == nil {
		m = &Minute{Start: start}
		t[key] = m
	}
	return m
}

// sorted returns the minutes in which there was a request, in order.
func (t traffic) sorted() []Minute {
	var minutes []Minute
	for m := range maps.Values(t) {
		if m.First+m.Again+m.Throttled > 0 {
			minutes = append(minutes, *m)
		}
	}
	slices.SortFunc(minutes, func(a, b Minute) int { return cmp.Compare(a.Start.Unix(), b.Start.Unix()) })
	return minutes
}

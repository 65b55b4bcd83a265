package report

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"siprotate/batch"
)

// A Summary holds the counts and the times of a run, as summary.json spells
// them.
type Summary struct {
	Run        string  `json:"run"`
	Account    string  `json:"account"`
	Host       string  `json:"host"`
	StartedAt  Stamp   `json:"started_at"`
	FinishedAt Stamp   `json:"finished_at"` // null for a run that is live or crashed
	DurationS  float64 `json:"duration_s"`  // time at work, to the millisecond
	Counts
	Requests  int     `json:"requests"`
	Throttled int     `json:"throttled"`
	WaitedS   float64 `json:"waited_s"`            // waited for the allowance, to the millisecond
	Stopped   *string `json:"stopped"`             // why the run stopped early; null if it did not
	Proved    int     `json:"proved"`              // rows whose password the registrar accepted
	Refused   int     `json:"refused"`             // or refused
	Unproved  int     `json:"unproved"`            // rows that are rotated or unknown, and neither
	PerMinute float64 `json:"requests_per_minute"` // over the time at work, a minute at least; 0 if that is not known

	By *BySummary `json:"by,omitempty"` // how the rows stand by a column, where that was asked for
}

// A BySummary holds the counts by the values of one of the input's columns.
type BySummary struct {
	Column string `json:"column"`
	Values []Part `json:"values"` // most rows left first, the rest last; empty if the input has no such column
}

// Counts are how many rows there are, and how many of them stand how: the five
// outcomes add up to Rows.
type Counts struct {
	Rows         int `json:"rows"`
	Rotated      int `json:"rotated"`
	Failed       int `json:"failed"`
	Unknown      int `json:"unknown"`
	Invalid      int `json:"invalid"`
	NotAttempted int `json:"not_attempted"`
}

// readingOrder is the order in which people read how rows stand.
var readingOrder = []batch.Outcome{batch.Rotated, batch.Failed, batch.Unknown, batch.Invalid, batch.NotAttempted}

// Count returns how many rows have an outcome.
func (c Counts) Count(o batch.Outcome) int { return *c.of(o) }

// add counts so many rows that have an outcome.
func (c *Counts) add(o batch.Outcome, rows int) {
	c.Rows += rows
	*c.of(o) += rows
}

func (c *Counts) of(o batch.Outcome) *int {
	return [...]*int{
		batch.Rotated:      &c.Rotated,
		batch.Failed:       &c.Failed,
		batch.Unknown:      &c.Unknown,
		batch.Invalid:      &c.Invalid,
		batch.NotAttempted: &c.NotAttempted,
	}[o]
}

// newSummary returns the summary of a run whose rows are yet to be counted.
func newSummary(run Run) Summary {
	s := Summary{
		Run:        run.ID,
		Account:    run.Account,
		Host:       run.Host,
		StartedAt:  Stamp{run.StartedAt},
		FinishedAt: Stamp{run.FinishedAt},
		DurationS:  seconds(run.Took),
		Requests:   run.Requests,
		Throttled:  run.Throttled,
		WaitedS:    seconds(run.Waited),
		PerMinute:  perMinute(run.Requests, run.Took),
	}
	if run.Stopped != "" {
		s.Stopped = new(Sanitize(run.Stopped)) // it may quote the API
	}
	return s
}

func writeSummary(w io.Writer, d Digest) error { return d.Summary.Encode(w) }

// Encode writes the summary to w as one indented JSON object and a line end.
func (s Summary) Encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// A Stamp is a time that marshals as RFC 3339 in UTC with milliseconds, and as
// null if it is zero.
type Stamp struct{ time.Time }

// MarshalJSON returns the time as summary.json spells it.
func (s Stamp) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(stamp(s.Time))
}

// perMinute returns how many requests were sent a minute. A shorter time counts as
// a minute: no more than those were sent in any.
func perMinute(requests int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return math.Round(float64(requests)/max(d, averageFrom).Minutes()*10) / 10
}

func seconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1000) / 1000
}

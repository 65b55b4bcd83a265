package batch

import (
	"errors"
	"strconv"
	"strings"
)

// A Threshold says how many rows may fail before a run stops. The zero value
// means ten in a row.
type Threshold struct {
	Rows    int     // stop once so many rows failed; 0: no such bound
	Percent float64 // stop once this share of the finished rows failed; 0: no such bound
}

const (
	failuresInARow = 10 // stop a run that has no threshold of its own
	percentFrom    = 20 // finished rows before a percentage says anything
)

// ErrThreshold is the error for a text that is no threshold.
var ErrThreshold = errors.New("not a threshold: want a number of rows from 1, or a percentage above 0 up to 100 such as 5%")

// ParseThreshold reads "25" or "5%". Its error is [ErrThreshold].
func ParseThreshold(text string) (Threshold, error) {
	if number, ok := strings.CutSuffix(text, "%"); ok {
		percent, err := strconv.ParseFloat(number, 64)
		if err != nil || !(percent > 0 && percent <= 100) {
			return Threshold{}, ErrThreshold
		}
		return Threshold{Percent: percent}, nil
	}
	rows, err := strconv.Atoi(text)
	if err != nil || rows < 1 {
		return Threshold{}, ErrThreshold
	}
	return Threshold{Rows: rows}, nil
}

// stopRules decide from the outcomes, in the order in which rows end, when a run
// has to stop.
type stopRules struct {
	canary    int
	threshold Threshold

	finished int
	failed   int
	streak   int // failures since the last row that was rotated
}

// add counts an outcome and returns why the run has to stop, or "".
func (r *stopRules) add(o Outcome) StopReason {
	r.finished++
	if o == Rotated {
		r.streak = 0
		return ""
	}
	r.failed++
	r.streak++
	switch {
	case r.finished <= r.canary:
		return CanaryFailed
	case r.tooMany():
		return TooManyFailures
	}
	return ""
}

func (r *stopRules) tooMany() bool {
	switch t := r.threshold; {
	case t.Rows > 0:
		return r.failed >= t.Rows
	case t.Percent > 0:
		return r.finished >= percentFrom && float64(r.failed)*100 >= t.Percent*float64(r.finished)
	}
	return r.streak >= failuresInARow
}

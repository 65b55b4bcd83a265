package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Status is how far a run is.
type Status struct {
	What   string // what goes on, such as "listing the account"; empty while rows are rotated
	Total  int    // rows of the run, or whatever What counts; 0 if not known yet
	Done   int    // of these, the ones that need no more work in this session
	Failed int    // of those, the ones that failed, or have no verdict

	Requests int           // sent so far
	Took     time.Duration // at work for them
	ETA      time.Duration // until the run is done; below 0 if not known

	Used      int // requests used in the allowance's present window
	Allowance int // requests that a window allows; 0 if unlimited

	Waiting string    // such as "waiting for the allowance"; empty unless everything waits
	Until   time.Time // when the wait ends; zero if not known
}

const (
	// countdownBelow is where a wait is told in seconds, and no more by the clock.
	countdownBelow = 2 * time.Minute
	// averageFrom is after which time requests a minute mean something: a free
	// allowance is spent in the first seconds.
	averageFrom = time.Minute
)

// percent returns how much is done, in whole per cents.
func (s Status) percent() int {
	if s.Total <= 0 {
		return 0
	}
	return 100 * min(max(0, s.Done), s.Total) / s.Total
}

// average returns the requests a minute in words, and nothing while they mean
// nothing.
func (s Status) average(unit string) string {
	if s.Took < averageFrom {
		return ""
	}
	return fmt.Sprintf("%.0f%s", float64(s.Requests)/s.Took.Minutes(), unit)
}

// used returns how much of the allowance is used, and nothing if there is none.
func (s Status) used() string {
	switch {
	case s.Allowance <= 0:
		return ""
	case s.Used > s.Allowance: // an earlier session's, or from before it shrank
		return "allowance used up"
	}
	return fmt.Sprintf("%d/%d used", s.Used, s.Allowance)
}

// waiting returns why everything waits, and how long: as a countdown if that is
// short, and by the clock if it is not. It is empty if nothing waits.
func (s Status) waiting(now time.Time) string {
	if s.Waiting == "" {
		return ""
	}
	text := Sanitize(s.Waiting)
	left := s.Until.Sub(now)
	switch {
	case s.Until.IsZero():
		return text
	case left < countdownBelow:
		return text + ", " + FormatDuration(left)
	case left < 24*time.Hour:
		return text + ", until " + s.Until.Local().Format("15:04:05")
	}
	return text + ", until " + s.Until.Local().Format("Jan 2 15:04")
}

// line returns the status as one line for a log, which begins with the time of
// day.
func (s Status) line(now time.Time) string {
	counts := fmt.Sprintf("%d/%d rows (%d%%)", s.Done, s.Total, s.percent())
	switch {
	case s.Total <= 0:
		counts = s.what()
	case s.What != "":
		counts = fmt.Sprintf("%s: %d/%d (%d%%)", s.what(), s.Done, s.Total, s.percent())
	}
	failed, left := "", ""
	if s.counts() {
		failed = fmt.Sprintf("%d failed", s.Failed)
	}
	if s.ETA >= 0 {
		left = "about " + FormatDuration(s.ETA) + " left"
	}
	return now.Local().Format(time.TimeOnly) + " " + join(", ", counts, failed, left, s.average(" requests/min"), s.waiting(now))
}

// counts reports whether there are rows to count: not before they are known, and
// not while something else goes on.
func (s Status) counts() bool { return s.What == "" && s.Total > 0 }

// what returns what goes on.
func (s Status) what() string {
	if s.What == "" {
		return "starting"
	}
	return Sanitize(s.What)
}

// join joins the parts that are not empty.
func join(separator string, parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(parts, separator)
}

// FormatDuration returns a duration as people say it, in one or two units: "42 s",
// "58 min", "3 h 20 min", "2 d 4 h". Parts of a second count as a whole one;
// a negative duration is none.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(0, d)
	if s := (d + time.Second - 1) / time.Second; s < 60 {
		return fmt.Sprintf("%d s", s)
	}
	if m := d.Round(time.Minute); m < time.Hour {
		return fmt.Sprintf("%d min", m/time.Minute)
	} else if m < day {
		return fmt.Sprintf("%d h %d min", m/time.Hour, m%time.Hour/time.Minute)
	}
	h := d.Round(time.Hour)
	return fmt.Sprintf("%d d %d h", h/day, h%day/time.Hour)
}

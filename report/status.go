package report

import (
	"fmt"
	"strings"
	"time"
)

// A Status is how far a run is.
type Status struct {
	Total  int // rows of the run
	Done   int // rows that need no more work in this session
	Failed int // of these, the ones that were not rotated

	PerMinute float64       // requests a minute, of late
	ETA       time.Duration // until the run is done; below 0 if not known

	Used      int // requests used in the allowance's present window
	Allowance int // requests that a window allows; 0 if unlimited

	Waiting string    // such as "waiting for the allowance"; empty unless everything waits
	Until   time.Time // when the wait ends; zero if not known
}

// countdownBelow is where a wait is told in seconds, and no more by the clock.
const countdownBelow = 2 * time.Minute

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

// line returns the status as one line for a log.
func (s Status) line(now time.Time) string {
	parts := []string{
		fmt.Sprintf("%d/%d rows", s.Done, s.Total),
		fmt.Sprintf("%d failed", s.Failed),
		fmt.Sprintf("%.0f requests/min", s.PerMinute),
	}
	if s.ETA >= 0 {
		parts = append(parts, "about "+FormatDuration(s.ETA)+" left")
	}
	if waiting := s.waiting(now); waiting != "" {
		parts = append(parts, waiting)
	}
	return strings.Join(parts, ", ")
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

package report

import (
	"fmt"
	"time"
)

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

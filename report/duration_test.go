package report

import (
	"testing"
	"time"
)

func TestFormatDuration(t *testing.T) {
	for _, c := range []struct {
		in   time.Duration
		want string
	}{
		{-time.Hour, "0 s"},
		{0, "0 s"},
		{time.Millisecond, "1 s"},
		{42 * time.Second, "42 s"},
		{59*time.Second + time.Millisecond, "1 min"},
		{time.Minute, "1 min"},
		{58*time.Minute + 20*time.Second, "58 min"},
		{59*time.Minute + 40*time.Second, "1 h 0 min"},
		{200 * time.Minute, "3 h 20 min"},
		{24*time.Hour - time.Second, "1 d 0 h"},
		{52 * time.Hour, "2 d 4 h"},
	} {
		if got := FormatDuration(c.in); got != c.want {
			t.Errorf("FormatDuration(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}

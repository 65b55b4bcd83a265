package report

import (
	"testing"
	"time"
)

// A run of a few milliseconds was not fast: it sent few requests, and no more in
// any minute.
func TestPerMinute(t *testing.T) {
	for _, test := range []struct {
		requests int
		took     time.Duration
		want     float64
	}{
		{5, 4 * time.Millisecond, 5},
		{40, 59 * time.Second, 40},
		{40, time.Minute, 40},
		{100, 90 * time.Second, 66.7},
		{11, 58 * time.Minute, 0.2},
		{0, time.Hour, 0},
		{5, 0, 0}, // not known
		{5, -time.Second, 0},
	} {
		if got := perMinute(test.requests, test.took); got != test.want {
			t.Errorf("%d requests in %v: %v a minute, want %v", test.requests, test.took, got, test.want)
		}
	}
}

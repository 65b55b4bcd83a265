package pace_test

import (
	"testing"
	"testing/synctest"

	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

// TestAllowanceIsSpent shows how much of an allowance is used, and how much is
// asked in vain, under each way of counting. Its figures are printed with -v.
func TestAllowanceIsSpent(t *testing.T) {
	for _, c := range []struct {
		name       string
		foreign    float64
		headers    exoteltest.HeaderMode
		maxRefused float64 // share of the requests
		maxTime    float64 // of the least possible time, and a second
	}{
		{"alone, all headers", 0, exoteltest.AllHeaders, 0, 1.01},
		{"alone, no headers", 0, exoteltest.NoHeaders, 0, 1.01},
		{"others take 30%, all headers", 0.3, exoteltest.AllHeaders, 0.002, 1.05},
		{"others take 30%, Retry-After", 0.3, exoteltest.RetryAfter, 0.02, 1.15},
		{"others take 30%, no headers", 0.3, exoteltest.NoHeaders, 0.04, 1.25},
	} {
		for _, kind := range []exoteltest.Kind{exoteltest.FixedWindow, exoteltest.SlidingWindow, exoteltest.TokenBucket} {
			for _, rows := range []int{40, 500, 5000} {
				var took, least float64 // seconds, over all seeds
				refused, sent := 0, 0
				for seed := range uint64(min(20, max(3, 10_000/rows))) {
					synctest.Test(t, func(t *testing.T) {
						w := minute(kind, seed)
						w.headers, w.foreign = c.headers, c.foreign
						p, err := pace.New(autoRate)
						if err != nil {
							t.Fatal(err)
						}
						took += w.send(t, p, rows).Seconds() - 1
						least += w.least(rows + w.others).Seconds()
						refused += w.refused
						sent += rows + w.refused
					})
				}
				time, share := took/least, float64(refused)/float64(sent)
				t.Logf("%-29s %-14v %5d rows: %.4f of the least time, %.3f%% refused", c.name, kind, rows, time, 100*share)
				if time > c.maxTime || share > c.maxRefused {
					t.Errorf("want at most %.2f of the least time, %.3f%% refused", c.maxTime, 100*c.maxRefused)
				}
			}
		}
	}
}

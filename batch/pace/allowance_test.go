package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

// TestAllowanceIsSpent shows how much of an allowance is used, and how much is
// asked in vain, under each way of counting. Its figures are printed with -v.
func TestAllowanceIsSpent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		foreign    float64
		headers    exoteltest.HeaderMode
		maxRefused float64 // share of the requests
		maxTime    float64 // of the least possible time, and what starting takes
	}{
		{"alone, all headers", 0, exoteltest.AllHeaders, 0, 1.01},
		{"alone, no headers", 0, exoteltest.NoHeaders, 0, 1.01},
		{"others take 30%, all headers", 0.3, exoteltest.AllHeaders, 0.002, 1.05},
		{"others take 30%, Retry-After", 0.3, exoteltest.RetryAfter, 0.025, 1.15},
		{"others take 30%, no headers", 0.3, exoteltest.NoHeaders, 0.025, 1.15},
	} {
		for _, kind := range []exoteltest.Kind{exoteltest.FixedWindow, exoteltest.SlidingWindow, exoteltest.TokenBucket} {
			for _, rows := range []int{40, 500, 5000} {
				var took, least float64 // seconds, over all seeds
				refused, sent := 0, 0
				for seed := range uint64(min(20, max(2, 5_000/rows))) {
					synctest.Test(t, func(t *testing.T) {
						w := minute(kind, seed)
						w.headers, w.foreign = c.headers, c.foreign
						p, err := pace.New(autoRate)
						if err != nil {
							t.Fatal(err)
						}
						took += (w.send(t, p, rows) - starting(c.headers)).Seconds()
						least += w.least(rows + w.others).Seconds()
						refused += w.refused
						sent += rows + w.refused
					})
				}
				spent, share := took/least, float64(refused)/float64(sent)
				t.Logf("%-29s %-14v %5d rows: %.4f of the least time, %.3f%% refused", c.name, kind, rows, spent, 100*share)
				if spent > c.maxTime || share > c.maxRefused {
					t.Errorf("want at most %.2f of the least time, %.3f%% refused", c.maxTime, 100*c.maxRefused)
				}
			}
		}
	}
}

// TestEvenIsNeverRefused: spread evenly, n requests take as long as n slots do one
// after the other, and none is refused.
func TestEvenIsNeverRefused(t *testing.T) {
	for _, headers := range []exoteltest.HeaderMode{exoteltest.AllHeaders, exoteltest.NoHeaders} {
		for _, kind := range []exoteltest.Kind{exoteltest.FixedWindow, exoteltest.SlidingWindow, exoteltest.TokenBucket} {
			synctest.Test(t, func(t *testing.T) {
				const rows = 500
				w := minute(kind, 1)
				w.headers = headers
				o := autoRate
				o.Even = true
				took, least := w.send(t, newPacer(t, o), rows), rows*time.Minute/50
				if took > least*101/100 || w.refused > 0 {
					t.Errorf("%v, headers %v: took %v of %v, %d refused", kind, headers, took, least, w.refused)
				}
			})
		}
	}
}

// starting is how long the first burst may take more than with eight workers that
// know what they are allowed: one answer with headers tells it; without, more
// requests are under way only as some are granted.
func starting(headers exoteltest.HeaderMode) time.Duration {
	if headers == exoteltest.AllHeaders {
		return 1400 * time.Millisecond
	}
	return 3500 * time.Millisecond
}

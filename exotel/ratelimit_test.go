package exotel

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testDate = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func TestParseRateLimit(t *testing.T) {
	const date = "Sun, 01 Jun 2025 12:00:00 GMT"
	tests := []struct {
		name                                      string
		limit, remaining, reset, retryAfter, date string
		want                                      RateLimit
	}{
		{name: "nothing"},
		{name: "a date alone", date: date},
		{name: "a limit", limit: "50", date: date, want: RateLimit{Limit: 50, Date: testDate}},
		{name: "what remains", remaining: "7", date: date, want: RateLimit{Remaining: 7, HasRemaining: true, Date: testDate}},
		{
			name: "a wait", retryAfter: "30", date: date,
			want: RateLimit{RetryAfter: 30 * time.Second, HasRetryAfter: true, Date: testDate},
		},
		{
			name:  "everything",
			limit: "50", remaining: "0", reset: "1748779230", retryAfter: "30", date: date,
			want: RateLimit{
				Limit: 50, HasRemaining: true, Reset: testDate.Add(30 * time.Second),
				RetryAfter: 30 * time.Second, HasRetryAfter: true, Date: testDate,
			},
		},
		{name: "negative", limit: "-1", remaining: "-1", reset: "-1", retryAfter: "-1"},
		{name: "words", limit: "many", remaining: "some", reset: "soon", retryAfter: "later", date: "today"},
		{name: "infinities", limit: "Inf", remaining: "+Inf", reset: "Infinity", retryAfter: "Inf"},
		{name: "not a number", retryAfter: "NaN"},
		{name: "huge counts", limit: "99999999999", remaining: "99999999999999999999999"},
		{name: "huge reset", reset: "99999999999999999999999"},
		{name: "reset in milliseconds", reset: "1748779230000"},
		{name: "reset neither a date nor a delay", reset: "999999999"},
		{name: "reset with a tail", reset: "30;w=60"},
		{
			name: "reset as a delay", reset: "30", date: date,
			want: RateLimit{Reset: testDate.Add(30 * time.Second), Date: testDate},
		},
		{
			name: "reset at the end of time", reset: "253402300799",
			want: RateLimit{Reset: time.Unix(253402300799, 0)},
		},
		{name: "no wait", retryAfter: "0", want: RateLimit{HasRetryAfter: true}},
		{name: "fraction", retryAfter: "0.2", want: RateLimit{RetryAfter: time.Second, HasRetryAfter: true}},
		{name: "an hour", retryAfter: "3600", want: RateLimit{RetryAfter: time.Hour, HasRetryAfter: true}},
		{name: "huge wait", retryAfter: "99999999999999999999999", want: RateLimit{RetryAfter: MaxRetryAfter, HasRetryAfter: true}},
		{name: "wait beyond floats", retryAfter: "1e999", want: RateLimit{RetryAfter: MaxRetryAfter, HasRetryAfter: true}},
		{name: "wait with a tail", retryAfter: "30s"},
		{
			name: "until a date", retryAfter: "Sun, 01 Jun 2025 12:01:30 GMT", date: date,
			want: RateLimit{RetryAfter: 90 * time.Second, HasRetryAfter: true, Date: testDate},
		},
		{
			name: "until a date gone by", retryAfter: "Sun, 01 Jun 2025 11:00:00 GMT", date: date,
			want: RateLimit{HasRetryAfter: true, Date: testDate},
		},
		{
			name: "until a date far off", retryAfter: "Fri, 31 Dec 9999 23:59:59 GMT", date: "Mon, 01 Jan 0001 00:00:01 GMT",
			want: RateLimit{RetryAfter: MaxRetryAfter, HasRetryAfter: true, Date: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range map[string]string{
				"X-RateLimit-Limit": test.limit, "X-RateLimit-Remaining": test.remaining, "X-RateLimit-Reset": test.reset,
				"Retry-After": test.retryAfter, "Date": test.date,
			} {
				if value != "" {
					h.Set(name, value)
				}
			}
			if diff := cmp.Diff(test.want, parseRateLimit(h)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseRateLimitWithoutDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := parseRateLimit(http.Header{
			resetHeader:      {"45"},
			retryAfterHeader: {time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)},
		})
		if want := time.Now().Add(45 * time.Second); !r.Reset.Equal(want) {
			t.Errorf("reset at %v, want %v", r.Reset, want)
		}
		if r.RetryAfter != 90*time.Second {
			t.Errorf("retry after %v, want 90s", r.RetryAfter)
		}
	})
}

func FuzzRateLimit(f *testing.F) {
	f.Add("50", "49", "1748779230", "30", "Sun, 01 Jun 2025 12:00:00 GMT")
	f.Add("-1", "1e9", "30", "Sun, 01 Jun 2025 12:00:00 GMT", "Monday, 02-Jan-06 15:04:05 MST")
	f.Add("99999999999999999999", "", "253402300800", "1e999", "Mon Jan  2 15:04:05 2006")
	f.Fuzz(func(t *testing.T, limit, remaining, reset, retryAfter, date string) {
		r := parseRateLimit(http.Header{
			limitHeader: {limit}, remainingHeader: {remaining}, resetHeader: {reset},
			retryAfterHeader: {retryAfter}, dateHeader: {date},
		})
		if r.Limit < 0 || r.Remaining < 0 || r.RetryAfter < 0 || r.RetryAfter > MaxRetryAfter {
			t.Errorf("out of range: %+v", r)
		}
		if !r.HasRemaining && r.Remaining != 0 || !r.HasRetryAfter && r.RetryAfter != 0 {
			t.Errorf("a value that was not said: %+v", r)
		}
		if r.Reset.Year() > 10000 {
			t.Errorf("reset at %v", r.Reset)
		}
	})
}

package batch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTry(t *testing.T) {
	for _, c := range []struct {
		name    string
		ends    []error // of the tries, of which the last one goes on
		tries   int
		want    error
		atLeast time.Duration
	}{
		{"success", []error{nil}, 1, nil, 0},
		{"success after an outage", []error{offline, offline, nil}, 3, nil, time.Second},
		{"an outage without an end", []error{offline}, 3, offline, time.Second},
		{"a refusal", []error{policy}, 1, policy, 0},
		{"a fatal error", []error{denied}, 1, denied, 0},
		{"throttled often", []error{throttle, throttle, throttle, throttle, nil}, 5, nil, 0},
		{"throttled often, and then an outage", []error{throttle, throttle, throttle, offline, nil}, 5, nil, time.Second / 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, began := 0, time.Now()
				err := Try(t.Context(), 3, func() error {
					tries++
					return c.ends[min(tries, len(c.ends))-1]
				})
				if !errors.Is(err, c.want) || tries != c.tries {
					t.Errorf("%d tries: %v", tries, err)
				}
				if took := time.Since(began); took < c.atLeast || c.atLeast == 0 && took > 0 {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

func TestTryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		err := Try(ctx, 3, func() error {
			cancel(why)
			return offline
		})
		if !errors.Is(err, why) {
			t.Error(err)
		}
	})
}

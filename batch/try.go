package batch

import (
	"context"
	"math/rand/v2"
	"time"
)

// Try calls try until it succeeds, its error is not retryable, or it was called
// attempts times. The methods of the error decide, as they do for a row: being
// turned away for exceeding the allowance does not count as an attempt, and the
// allowance makes its own wait. Try returns the last error, or the cause of ctx if
// that ended a wait.
func Try(ctx context.Context, attempts int, try func() error) error {
	for tries := 1; ; tries++ {
		err := try()
		wait, again := nextTry(tries, attempts, err)
		if !again {
			return err
		}
		if isThrottled(err) {
			tries--
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// nextTry says whether what ended with err is tried again, after so many tries
// of those allowed, and after which wait.
func nextTry(tries, attempts int, err error) (wait time.Duration, again bool) {
	switch {
	case err == nil || IsFatal(err):
		return 0, false
	case isThrottled(err):
		return 0, true
	case tries >= attempts:
		return 0, false
	}
	return backoff(tries), isRetryable(err)
}

// The wait before another try: doubled from one to the next, and spread by
// half of itself to either side so that workers do not retry in step. The
// steps are those that the vendor advises: 1, 2, 4, 8, 16 s.
const (
	firstBackoff = time.Second
	lastBackoff  = 16 * time.Second
)

func backoff(tries int) time.Duration {
	step := min(firstBackoff<<min(tries-1, 10), lastBackoff)
	return step/2 + rand.N(step)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

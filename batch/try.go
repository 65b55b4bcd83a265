package batch

import (
	"context"
	"time"

	"siprotate/batch/pace"
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
	return pace.Backoff(tries), isRetryable(err)
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

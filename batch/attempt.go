package batch

import (
	"cmp"
	"context"
	"runtime/debug"
	"time"

	"siprotate/batch/pace"
)

const (
	// maxReissues is how many times a row may get another generated password
	// because the API refused the one it had.
	maxReissues = 3
	// A password that may be in force is replaced only once the API was seen to
	// refuse it so many times.
	refusalsInDoubt = 2
)

// attempts sends a row until it has a verdict, or its attempts are used up. It
// returns the last answer, and what the last attempt ended with.
func (r *run) attempts(row *Row) (last Receipt, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = panicked(thrown)
			row.Attempts.Doubt = cmp.Or(row.Attempts.Doubt, note(err))
			r.Logger.Error("internal error", "row", row.Number, "err", err, "stack", string(debug.Stack()))
		}
	}()
	admit := r.taking // a row's first request leaves only while rows are taken up
	var failed error  // what the last request ended with
	for n := 1; ; n++ {
		sent := row.Attempts.Count
		receipt, err := r.attempt(admit, row)
		if row.Attempts.Count == sent {
			return last, cut(err, failed)
		}
		last, failed, admit = receipt, err, r.sending
		row.Attempts.add(err)
		wait, again, reissue := r.next(row, n, err)
		if !again {
			return last, err
		}
		if err := r.goOn(row, last, err, reissue); err != nil {
			return last, &Stop{Broken, err}
		}
		if isThrottled(err) {
			n--
			admit = r.taking
		}
		if err := sleep(r.sending, wait); err != nil {
			return last, cut(err, failed)
		}
	}
}

// A cutError is what ended the wait for a row's next request. The reason why the
// row has no verdict is what its last one ended with.
type cutError struct {
	error
	failed error
}

func (e *cutError) Unwrap() error  { return e.error }
func (e *cutError) Reason() string { return note(e.failed) }

// cut returns the error of a row whose wait for another request ended with err. A
// fatal one is a better reason than that of the last request.
func cut(err, failed error) error {
	if failed == nil || IsFatal(err) {
		return err
	}
	return &cutError{err, failed}
}

// attempt waits for a slot, records the request and sends it. A request whose
// record fails does not leave, and row.Attempts does not count it. The end of ctx
// ends the wait, but no request that has left.
func (r *run) attempt(ctx context.Context, row *Row) (receipt Receipt, err error) {
	slot, err := r.Pacer.Take(ctx)
	if err != nil {
		return Receipt{}, err
	}
	defer func() { slot.Done(receipt.Feedback) }()
	before, now := row.Attempts, time.Now()
	row.Attempts.Count++
	if before.FirstSent.IsZero() {
		row.Attempts.FirstSent = now
	}
	if err := r.log.Sending(row, now); err != nil {
		row.Attempts = before
		return Receipt{}, &Stop{Broken, err}
	}
	flight, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Timeout)
	defer cancel()
	receipt, err = r.set.SetPassword(flight, *row)
	// Whoever reads the request later counts it later.
	receipt.Feedback.Lost = receipt.HTTPCode == 0 && flight.Err() != nil && isAmbiguous(err)
	r.Logger.Debug("request", "row", row.Number, "attempt", row.Attempts.Count, "http_code", receipt.HTTPCode,
		"error_code", receipt.ErrorCode, "request_id", receipt.RequestID, "took", time.Since(now), "err", err)
	return receipt, err
}

// add takes in what a request ended with.
func (a *Attempts) add(err error) {
	switch {
	case err == nil:
	case isAmbiguous(err):
		if a.Doubt == "" {
			a.Doubt = note(err)
		}
	case a.Doubt != "" && refusesPassword(err):
		a.Refused++
	}
}

// next says whether a row whose n-th attempt ended with err has another one, and
// after which wait. It gets another password only for a definite refusal of a
// generated one; one that may be in force is replaced only if the refusal was seen
// twice, and failed rows are to be retried.
func (r *run) next(row *Row, n int, err error) (wait time.Duration, again, reissue bool) {
	if n < r.MaxAttempts && refusesPassword(err) && row.PasswordSource == Generated {
		a := row.Attempts
		switch {
		case a.Reissued < maxReissues && (a.Doubt == "" || r.RetryFailed && a.Refused >= refusalsInDoubt):
			return 0, true, true
		case a.Doubt != "" && a.Refused < refusalsInDoubt:
			return pace.Backoff(n), true, false
		}
	}
	wait, again = nextTry(n, r.MaxAttempts, err)
	return wait, again, false
}

// goOn records that the row has another attempt before it, with another
// password if it is reissued.
func (r *run) goOn(row *Row, receipt Receipt, err error, reissue bool) error {
	tried := Result{Row: row.Number, Attempts: row.Attempts, Receipt: receipt, Note: note(err), Finished: time.Now()}
	if err := r.log.Tried(tried); err != nil || !reissue {
		return err
	}
	password, err := r.Redraw()
	if err != nil {
		return err
	}
	row.Password = password
	row.Attempts.Reissued++
	row.Attempts.Refused = 0
	return r.log.Reissue(row)
}

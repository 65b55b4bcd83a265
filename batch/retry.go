package batch

import (
	"context"
	"time"
)

// MaxReissues is how many times a row may get another generated password
// because the far side refused the one it had.
const MaxReissues = 3

// A retry tries a row until it has a verdict, or its tries are used up.
type retry struct {
	next   Setter
	log    Log
	config Config
	taking context.Context // a row's first request leaves only while this goes on
}

func (r *retry) SetPassword(ctx context.Context, row *Row) (last Receipt, err error) {
	admit := r.taking
	for tries := 1; ; tries++ {
		sent := row.Attempts.Count
		receipt, err := r.next.SetPassword(admit, row)
		if row.Attempts.Count == sent {
			return last, err
		}
		last, admit = receipt, ctx
		if err != nil && isAmbiguous(err) {
			row.Attempts.Doubt = true
		}
		wait, again := r.again(row, tries, err)
		if !again {
			return last, err
		}
		if err := r.goOn(row, last, err); err != nil {
			return last, err
		}
		if isThrottled(err) {
			tries--
			admit = r.taking
		}
		if err := sleep(ctx, wait); err != nil {
			return last, err
		}
	}
}

// again says whether a row whose try ended with err shall have another one,
// and after which wait.
func (r *retry) again(row *Row, tries int, err error) (wait time.Duration, again bool) {
	if tries < r.config.MaxAttempts && reissues(row, err) {
		return 0, true
	}
	return nextTry(tries, r.config.MaxAttempts, err)
}

// reissues reports whether the row may get another password: only for a
// definite refusal of a generated one. A password that may be in force is
// never replaced.
func reissues(row *Row, err error) bool {
	return refusesPassword(err) && row.PasswordSource == Generated && !row.Attempts.Doubt && row.Attempts.Reissued < MaxReissues
}

// goOn records that the row has another try before it, with another password
// where it needs one.
func (r *retry) goOn(row *Row, receipt Receipt, err error) error {
	tried := Result{Row: row.Number, Attempts: row.Attempts, Receipt: receipt, Note: note(err), Finished: time.Now()}
	if err := r.log.Tried(tried); err != nil {
		return &brokenError{err}
	}
	if !reissues(row, err) {
		return nil
	}
	password, err := r.config.Redraw()
	if err != nil {
		return &brokenError{err}
	}
	row.Password = password
	row.Attempts.Reissued++
	if err := r.log.Reissue(row); err != nil {
		return &brokenError{err}
	}
	return nil
}

package batch

import (
	"context"
	"log/slog"
	"time"

	"siprotate/batch/pace"
)

// A Limit is a [Setter] that sends within an allowance. Each request waits for
// its slot, and only then does its time run.
type Limit struct {
	Next    Setter
	Pacer   *pace.Pacer
	Timeout time.Duration // for one request
}

// SetPassword waits for a slot and sends. A cancelled ctx ends the wait, but
// not a request that has left.
func (l *Limit) SetPassword(ctx context.Context, row *Row) (receipt Receipt, err error) {
	slot, err := l.Pacer.Take(ctx)
	if err != nil {
		return Receipt{}, err
	}
	defer func() { slot.Done(receipt.Feedback) }()
	flight, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Timeout)
	defer cancel()
	return l.Next.SetPassword(flight, row)
}

// A WriteAhead is a [Setter] that records each request in a [Log] before it
// leaves, and counts it in the row's History. A request whose record fails does
// not leave.
type WriteAhead struct {
	Next   Setter
	Log    Log
	Logger *slog.Logger // is told of each request
}

// SetPassword records the request and sends it.
func (w *WriteAhead) SetPassword(ctx context.Context, row *Row) (Receipt, error) {
	now := time.Now()
	before := row.Attempts
	row.Attempts.Count++
	if before.FirstSent.IsZero() {
		row.Attempts.FirstSent = now
	}
	if err := w.Log.Sending(row, now); err != nil {
		row.Attempts = before
		return Receipt{}, &brokenError{err}
	}
	receipt, err := w.Next.SetPassword(ctx, row)
	w.Logger.Debug("request", "row", row.Number, "attempt", row.Attempts.Count, "http_code", receipt.HTTPCode,
		"error_code", receipt.ErrorCode, "request_id", receipt.RequestID, "took", time.Since(now), "err", err)
	return receipt, err
}

package rotation

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"siprotate/batch"
	"siprotate/batch/pace"
	"siprotate/exotel"
)

// A setter sets passwords through the vendor's client, and gives its answers in
// the engine's terms.
type setter struct {
	client *exotel.Client
	outage *outage
}

// SetPassword sends one request for the row.
func (s setter) SetPassword(ctx context.Context, row batch.Row) (batch.Receipt, error) {
	answer, err := s.client.SetPassword(ctx, row.UserID, row.DeviceID, row.Password.Reveal())
	s.outage.note(row.Number, err, time.Now())
	if err == nil {
		return receipt(answer, false), nil
	}
	var failure *exotel.Error
	if !errors.As(err, &failure) {
		return batch.Receipt{}, err
	}
	return receipt(&failure.Answer, failure.Throttled()), err
}

func receipt(a *exotel.Answer, throttled bool) batch.Receipt {
	return batch.Receipt{
		HTTPCode: a.HTTPCode, Code: a.Code, Status: a.Status, RequestID: a.RequestID,
		ErrorCode: a.ErrorCode, ErrorMessage: a.ErrorMessage, ErrorDescription: a.ErrorDescription,
		Feedback: feedback(a.RateLimit, throttled),
	}
}

func feedback(r exotel.RateLimit, throttled bool) pace.Feedback {
	return pace.Feedback{
		Throttled: throttled, RetryAfter: r.RetryAfter, HasRetryAfter: r.HasRetryAfter,
		Limit: r.Limit, Remaining: r.Remaining, HasRemaining: r.HasRemaining, Reset: r.Reset, Date: r.Date,
	}
}

// A lister is the account's users as the vendor's client lists them, within the
// allowance and with the attempts that rows have.
type lister struct {
	client   *exotel.Client
	pacer    *pace.Pacer
	outage   *outage
	timeout  time.Duration
	attempts int
	logger   *slog.Logger

	requests    atomic.Int64 // sent so far
	seen, total atomic.Int64 // users, on the pages up to the latest one
}

// Users returns a page of a listing.
func (l *lister) Users(ctx context.Context, q exotel.Query) (*exotel.Page, error) {
	page, err := l.retry(ctx, func(ctx context.Context) (*exotel.Page, error) { return l.client.Users(ctx, q) })
	if err == nil {
		l.seen.Store(int64(q.Offset + page.Count))
		l.total.Store(int64(page.Total))
	}
	return page, err
}

// User returns a page with one user.
func (l *lister) User(ctx context.Context, id string) (*exotel.Page, error) {
	return l.retry(ctx, func(ctx context.Context) (*exotel.Page, error) { return l.client.User(ctx, id) })
}

// retry asks until there is an answer that counts.
func (l *lister) retry(ctx context.Context, ask func(context.Context) (*exotel.Page, error)) (page *exotel.Page, err error) {
	err = batch.Try(ctx, l.attempts, func() (err error) {
		page, err = l.send(ctx, ask)
		return err
	})
	return page, err
}

// send sends one request. It changes nothing, so that it may be broken off.
func (l *lister) send(ctx context.Context, ask func(context.Context) (*exotel.Page, error)) (*exotel.Page, error) {
	slot, err := l.pacer.Take(ctx)
	if err != nil {
		return nil, err
	}
	l.requests.Add(1)
	began := time.Now()
	flight, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	page, err := ask(flight)
	l.outage.note(0, err, time.Now())
	var answer exotel.Answer
	var failure *exotel.Error
	if errors.As(err, &failure) {
		answer = failure.Answer
	} else if page != nil {
		answer = page.Answer
	}
	slot.Done(feedback(answer.RateLimit, failure != nil && failure.Throttled()))
	l.logger.Debug("list users", "http_code", answer.HTTPCode, "request_id", answer.RequestID, "took", time.Since(began), "err", err)
	return page, err
}

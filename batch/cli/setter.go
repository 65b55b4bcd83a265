package cli

import (
	"context"
	"errors"

	"siprotate/batch"
	"siprotate/batch/pace"
	"siprotate/exotel"
)

// A setter sends rows through the vendor's client, and tells its answers in the
// engine's words.
type setter struct{ client *exotel.Client }

func (s setter) SetPassword(ctx context.Context, row *batch.Row) (batch.Receipt, error) {
	answer, err := s.client.SetPassword(ctx, row.UserID, row.DeviceID, row.Password.Reveal())
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

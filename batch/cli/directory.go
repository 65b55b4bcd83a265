package cli

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/batch/pace"
	"siprotate/exotel"
	"siprotate/report"
)

// A directory is the account's users as the vendor's client lists them, within
// the allowance and with the tries that rows have.
type apiDirectory struct {
	client   *exotel.Client
	pacer    *pace.Pacer
	timeout  time.Duration
	attempts int
	logger   *slog.Logger

	requests    atomic.Int64 // sent so far
	seen, total atomic.Int64 // users, on the pages up to the latest one
	meter       meter        // for status, which one goroutine calls
}

func (a *app) directory(client *exotel.Client, al *allowance, s settings, o *options) *apiDirectory {
	return &apiDirectory{
		client: client, pacer: al.Pacer, timeout: s.timeout, attempts: s.config.MaxAttempts, logger: a.logger(o),
	}
}

// Page asks for a page until there is an answer that counts.
func (d *apiDirectory) Page(ctx context.Context, q directory.Query) (page directory.Page, err error) {
	query := exotel.Query{Offset: q.Offset, Emails: q.Emails}
	for _, id := range q.SIPIDs {
		query.ContactURIs = append(query.ContactURIs, "sip:"+id)
	}
	err = batch.Try(ctx, d.attempts, func() error {
		answer, err := d.send(ctx, query)
		if err == nil {
			page = toPage(answer)
		}
		return err
	})
	d.seen.Store(int64(q.Offset + page.Entries))
	d.total.Store(int64(page.Total))
	return page, err
}

// send sends one request. A listing changes nothing, so that it may be broken
// off.
func (d *apiDirectory) send(ctx context.Context, query exotel.Query) (page *exotel.Page, err error) {
	slot, err := d.pacer.Take(ctx)
	if err != nil {
		return nil, err
	}
	d.requests.Add(1)
	began := time.Now()
	flight, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	page, err = d.client.Users(flight, query)
	var answer exotel.Answer
	var failure *exotel.Error
	if errors.As(err, &failure) {
		answer = failure.Answer
	} else if page != nil {
		answer = page.Answer
	}
	slot.Done(feedback(answer.RateLimit, failure != nil && failure.Throttled()))
	d.logger.Debug("list users", "offset", query.Offset, "http_code", answer.HTTPCode,
		"request_id", answer.RequestID, "took", time.Since(began), "err", err)
	return page, err
}

func toPage(p *exotel.Page) directory.Page {
	page := directory.Page{Entries: p.Count, Limit: p.Limit, Total: p.Total, HasTotal: p.HasTotal}
	for _, u := range p.Users {
		user := directory.User{ID: u.ID, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Role: u.Role}
		for _, d := range u.Devices {
			if d.SIP() {
				user.Devices = append(user.Devices, directory.Device{
					ID: d.ID, SIPID: exotel.SIPID(d.ContactURI), Available: d.Available, Verified: d.Verified,
				})
			}
		}
		page.Users = append(page.Users, user)
	}
	return page
}

// spent says how many requests the directory took.
func (d *apiDirectory) spent() string { return count(int(d.requests.Load()), "request") }

// status says how far the listing is.
func (d *apiDirectory) status() report.Status {
	seen, total := int(d.seen.Load()), int(d.total.Load())
	state := d.pacer.State()
	d.meter.add(time.Now(), state.Requests)
	s := report.Status{Done: min(seen, total), Total: total, PerMinute: d.meter.perMinute(), ETA: -1}
	pages := (max(0, total-seen) + exotel.MaxPageSize - 1) / exotel.MaxPageSize
	if pages > 0 {
		s.ETA = d.pacer.Estimate(pages)
	}
	showAllowance(&s, state)
	return s
}

// listError turns what ended a listing into an error for the user.
func listError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	var advice interface{ Hint() string }
	text := "nothing was sent"
	if errors.As(err, &advice) && advice.Hint() != "" {
		text = advice.Hint() + "\n" + text
	}
	if batch.IsFatal(err) {
		return &exitError{exitStopped, err, text}
	}
	return &exitError{exitFailure, err, text}
}

package rotation

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/exotel"
)

// A ListError says that the account's users could not be listed. No password was
// sent.
type ListError struct{ Err error }

func (e *ListError) Error() string { return e.Err.Error() }
func (e *ListError) Unwrap() error { return e.Err }

// Users lists the users of the account, or, if there are any emails, those who
// have one of them. An email that nobody has is a [batch.Fault]. It takes the
// account's lease while it lasts, and needs no Dir.
func (r Rotation) Users(ctx context.Context, emails []string) ([]exotel.User, error) {
	r = r.complete()
	a, err := r.toAsk(ctx)
	if err != nil {
		return nil, err
	}
	defer a.close()
	if len(emails) == 0 {
		return r.everybody(ctx, a)
	}
	var wanted directory.Wanted
	for _, email := range emails {
		wanted.Add(directory.Reference{Email: email})
	}
	index, err := r.find(ctx, a, &wanted)
	if err != nil {
		return nil, err
	}
	return usersOf(index, emails)
}

// Ask sends one query within the allowance, with the attempts that rows have. It
// takes the account's lease while it lasts, and needs no Dir.
func (r Rotation) Ask(ctx context.Context, q exotel.Query) (*exotel.Page, error) {
	r = r.complete()
	a, err := r.toAsk(ctx)
	if err != nil {
		return nil, err
	}
	defer a.close()
	page, _, err := ask(ctx, r, a, func(l *lister) (*exotel.Page, error) { return l.Users(ctx, q) })
	return page, err
}

// toAsk returns the account's allowance, with what was spent of it before.
func (r Rotation) toAsk(ctx context.Context) (*allowance, error) {
	a, err := r.allowance(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.prime(nil, time.Time{}); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// usersOf returns the users that have one of the emails, each once.
func usersOf(index *directory.Index, emails []string) (users []exotel.User, err error) {
	known := map[*exotel.User]bool{}
	for _, email := range emails {
		found, fault := index.Users(directory.Reference{Email: email})
		if fault != nil {
			return nil, *fault
		}
		for _, user := range found {
			if !known[user] {
				known[user] = true
				users = append(users, *user)
			}
		}
	}
	return users, nil
}

func (r Rotation) everybody(ctx context.Context, a *allowance) ([]exotel.User, error) {
	listing, requests, err := ask(ctx, r, a, func(l *lister) (directory.Listing, error) { return directory.List(ctx, l) })
	if err != nil {
		return nil, err
	}
	r.Events(Listed{listing, requests})
	return listing.Users, nil
}

func (r Rotation) find(ctx context.Context, a *allowance, wanted *directory.Wanted) (*directory.Index, error) {
	result, requests, err := ask(ctx, r, a, func(l *lister) (directory.Result, error) { return directory.Resolve(ctx, l, wanted) })
	if err != nil {
		return nil, err
	}
	r.Events(LookedUp{result, wanted.Cost().Wanted, requests})
	return result.Index, nil
}

// ask gets an answer from the account's users, and tells how far that is.
func ask[T any](ctx context.Context, r Rotation, a *allowance, get func(*lister) (T, error)) (answer T, requests int, err error) {
	l := &lister{
		client: r.Client, pacer: a.Pacer, outage: a.outage,
		timeout: cmp.Or(r.Engine.Timeout, batch.DefaultTimeout), attempts: cmp.Or(r.Engine.MaxAttempts, batch.DefaultAttempts),
		logger: cmp.Or(r.Engine.Logger, slog.New(slog.DiscardHandler)),
	}
	r.Events(Working{l.progress})
	answer, err = get(l)
	r.Events(Rested{})
	switch {
	case err != nil && ctx.Err() != nil:
		err = batch.InterruptedBy(ctx)
	case err != nil:
		err = &ListError{err}
	}
	return answer, int(l.requests.Load()), err
}

// lookUp completes the rows that lacked their ids, if there are any.
func (r Rotation) lookUp(ctx context.Context, a *allowance, c *checked) error {
	if len(c.named) == 0 {
		return nil
	}
	index, err := aside(a, func() (*directory.Index, error) { return r.find(ctx, a, &c.wanted) })
	if err != nil {
		return err
	}
	return c.resolve(index)
}

func (l *lister) progress() Progress {
	seen, total := int(l.seen.Load()), int(l.total.Load())
	return Progress{
		Listing: true, Total: total, Done: min(seen, total),
		Pages: (max(0, total-seen) + exotel.MaxPageSize - 1) / exotel.MaxPageSize, Allowance: l.pacer,
	}
}

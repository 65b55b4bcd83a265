package cli

import (
	"context"
	"fmt"
	"time"

	"siprotate/batch/directory"
)

// withDirectory calls use with the account's directory. It has the account's
// lease while that lasts and no longer, so that whoever reads what the command
// writes next may have it.
func (a *app) withDirectory(ctx context.Context, command string, o *options, use func(*apiDirectory) error) error {
	s, err := o.pacing()
	if err != nil {
		return err
	}
	acc, err := a.account(o)
	if err != nil {
		return err
	}
	client, err := a.client(acc, 1)
	if err != nil {
		return err
	}
	al, err := a.allowance(ctx, acc, s, unique("siprotate "+command), o.wait)
	if err != nil {
		return err
	}
	defer al.done()
	if err := al.prime(nil, time.Time{}); err != nil {
		return err
	}
	return use(a.directory(client, al, s, o))
}

// unique makes the name of a holder one that no other process has had: a
// journal tells what a run spent before it died, and nothing tells that of a
// listing, so that its successor must not take it for itself.
func unique(holder string) string { return fmt.Sprintf("%s (%s)", holder, newRunID()) }

// everybody lists the account.
func (a *app) everybody(ctx context.Context, d *apiDirectory) ([]directory.User, error) {
	stop := a.watch(d.status)
	l, err := directory.List(ctx, d)
	stop()
	if err != nil {
		return nil, listError(ctx, err)
	}
	a.sayListing(l)
	a.say("listed %s with %s: %s", count(len(l.Users), "user"), count(devices(l.Users), "SIP device"), d.spent())
	return l.Users, nil
}

// lookUp finds what is wanted, and says how that went.
func (a *app) lookUp(ctx context.Context, d *apiDirectory, wanted *directory.Wanted) (*directory.Index, error) {
	stop := a.watch(d.status)
	result, err := directory.Resolve(ctx, d, wanted)
	stop()
	if err != nil {
		return nil, listError(ctx, err)
	}
	a.sayListing(result.Listing)
	how := string(result.Way)
	if result.Because != "" {
		how += ", since " + result.Because
	}
	a.say("looked up %s: %s, %s", count(wanted.Cost().Wanted, "name"), how, d.spent())
	return result.Index, nil
}

// sayListing warns where a listing may not be all there is.
func (a *app) sayListing(l directory.Listing) {
	if l.Changed {
		a.say("warning: the account changed each time it was listed; users added or removed just now may be missing, or gone")
	}
	if l.Missing > 0 {
		a.say("warning: the API tells of %s more than it lists", count(l.Missing, "user"))
	}
	if l.Untold > 0 {
		a.say("warning: the API failed to tell %s", count(l.Untold, "user"))
	}
}

func devices(users []directory.User) (n int) {
	for _, u := range users {
		n += len(u.Devices)
	}
	return n
}

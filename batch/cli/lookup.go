package cli

import (
	"context"
	"fmt"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/batch/roster"
	"siprotate/exotel"
)

// Lookups are the rows of an input that do not name their device by both ids,
// as a first reading finds them.
type lookups struct {
	wanted directory.Wanted
	also   func(*batch.Row) // sees each of them, too
}

// collect takes up a row, and leaves it as it is.
func (l *lookups) collect(row *batch.Row) *batch.Fault {
	ref := reference(row)
	if ref.SIPID == "" && row.SIPID != "" {
		return &batch.Fault{Column: "sip_id", Text: fmt.Sprintf("%.80q holds no SIP id", row.SIPID)}
	}
	l.wanted.Add(ref)
	l.also(row)
	return nil
}

func reference(row *batch.Row) directory.Reference {
	return directory.Reference{UserID: row.UserID, DeviceID: row.DeviceID, SIPID: exotel.SIPID(row.SIPID), Email: row.Email}
}

// completion returns what completes the rows of a second reading.
func completion(x *directory.Index) func(*batch.Row) *batch.Fault {
	return func(row *batch.Row) *batch.Fault {
		match, problem := x.One(reference(row))
		if problem != nil {
			return &batch.Fault{Column: problem.Column, Text: problem.Text, Hint: problem.Hint}
		}
		row.UserID, row.DeviceID = match.User.ID, match.Device.ID
		if row.SIPID == "" {
			row.SIPID = match.Device.SIPID
		}
		if row.Email == "" {
			row.Email = match.User.Email
		}
		return nil
	}
}

// A checked input is one without a fault, and what completes its rows.
type checked struct {
	roster.Summary
	find func(*batch.Row) *batch.Fault
}

// check checks the whole input: by itself first, so that no request is spent on
// one that is no good, and then with what the account says of it, if the
// input leaves anything to be looked up.
func (r *rotation) check(ctx context.Context) (checked, error) {
	standIn := newMadeUp()
	l := lookups{also: func(*batch.Row) {}}
	if r.o.sandbox {
		l.also = standIn.add
	}
	sum, err := r.src.check(r.o, l.collect)
	if err != nil || l.wanted.Empty() {
		return checked{sum, l.collect}, err
	}
	client, err := r.lookupClient(standIn)
	if err != nil {
		return checked{}, err
	}
	var index *directory.Index
	err = r.aside(func() (err error) {
		index, err = r.lookUp(ctx, r.directory(client, r.al, r.s, r.o), &l.wanted)
		return err
	})
	if err != nil {
		return checked{}, err
	}
	find := completion(index)
	sum, err = r.src.check(r.o, find)
	return checked{sum, find}, err
}

// lookupClient returns the client that look-ups go through.
func (r *rotation) lookupClient(standIn *madeUp) (*exotel.Client, error) {
	if r.o.sandbox {
		return sandboxClient(r.acc, standIn.Server)
	}
	return r.client(r.acc, 1)
}

// aside renames the lease while ask sends requests that no journal tells of.
func (r *rotation) aside(ask func() error) error {
	holder := runHolder(r.o.out)
	if err := r.al.rename(unique(holder + ", looking up users")); err != nil {
		return &exitError{exitFailure, err, "nothing was sent"}
	}
	err := ask()
	if renaming := r.al.rename(holder); err == nil && renaming != nil {
		err = &exitError{exitFailure, renaming, "nothing was sent"}
	}
	return err
}

// sayCost says what looking up takes, as far as that is known without a request.
func (a *app) sayCost(w *directory.Wanted) {
	cost := w.Cost()
	what := "to be looked up: " + count(cost.Wanted, "name") + ", "
	switch {
	case cost.List:
		what += "by listing the account, one request for 50 users, since nothing else finds a user id alone"
	case cost.Probes():
		what += fmt.Sprintf("%s in groups, or fewer by listing the account if it is small, and one to find that out", count(cost.Groups, "request"))
	default:
		what += count(cost.Groups, "request") + " in groups"
	}
	a.say("%s; more if some are not found at once", what)
}

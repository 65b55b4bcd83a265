package directory

import (
	"context"

	"siprotate/batch"
	"siprotate/exotel"
)

// A Way is how the wanted was found, in words that follow "looked up".
type Way string

const (
	InGroups  Way = "in groups"
	OneByOne  Way = "one by one"
	ByListing Way = "by listing the account"
)

// Why look-ups are given up for the listing; notFound is followed by a Way.
const (
	refused    = "the API refused to look users up in groups"
	ignored    = "the API ignored the filter"
	incomplete = "the API could not return all users that it found"
	notFound   = "not all were found "
)

// A Result is what resolving found, and how.
type Result struct {
	*Index
	Way     Way
	Because string  // why look-ups were given up for the listing; empty if they were not
	Listing Listing // what there is to know of the listing, if there was one; without its Users
}

// Resolve finds what is wanted: by look-ups, or by listing the whole account,
// whichever takes fewer requests. SIP ids and emails are looked up in groups,
// user ids one by one. Where a look-up is refused, is ignored, or may not have
// found all, the listing decides. So all users that share an email are found,
// also if the API compares letters' case.
//
// Errors are those of the Lister, and one for a listing without an end.
func Resolve(ctx context.Context, l Lister, w *Wanted) (Result, error) {
	listing := newPass(l, exotel.Query{})
	cost := w.Cost()
	list := cost.List
	if cost.Probes() {
		if err := listing.next(ctx); err != nil {
			return Result{}, err
		}
		left, known := listing.pagesLeft()
		list = known && left <= cost.Requests()
	}
	because := ""
	if !list {
		var err error
		index := NewIndex(w, nil)
		because, err = index.lookUp(ctx, l)
		if err != nil || because == "" {
			return Result{Index: index, Way: cost.Way()}, err
		}
	}
	found, err := settle(ctx, listing)
	if err != nil {
		return Result{}, err
	}
	index := NewIndex(w, found.Users)
	found.Users = nil
	return Result{index, ByListing, because, found}, nil
}

// lookUp looks up all that is wanted, or says why it gave that up.
func (x *Index) lookUp(ctx context.Context, l Lister) (because string, err error) {
	lookups, _ := x.wanted.lookups()
	for _, q := range lookups {
		because, err := x.ask(ctx, l, q)
		if err != nil || because != "" {
			return because, err
		}
	}
	return "", nil
}

// ask makes one look-up, and says why it is no use if it is none.
func (x *Index) ask(ctx context.Context, l Lister, q lookup) (because string, err error) {
	p, missing := newPass(l, q.query), notFound+string(InGroups)
	refusal, stranger := refused, ignored
	if q.userID != "" {
		p.userID, missing = q.userID, notFound+string(OneByOne)
		refusal, stranger = missing, missing // an unknown id is refused, too
	}
	for entered := 0; !p.done; entered = len(p.users) {
		err := p.next(ctx)
		switch {
		case batch.IsRefusal(err):
			return refusal, nil
		case err != nil:
			return "", err
		case p.failedEntries > 0:
			return incomplete, nil
		}
		for i := range p.users[entered:] {
			if !x.add(&p.users[entered+i]) {
				return stranger, nil
			}
		}
	}
	for _, k := range q.keys {
		if !k.settledBy(p.users) {
			return missing, nil
		}
	}
	return "", nil
}

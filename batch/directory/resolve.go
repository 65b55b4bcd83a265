package directory

import (
	"context"

	"siprotate/batch"
)

// A Way is how the wanted was found.
type Way string

const (
	ByGroups  Way = "in groups"
	ByListing Way = "by listing the account"
)

// A Result is what resolving found, and how.
type Result struct {
	*Index
	Way     Way
	Because string  // why look-ups in groups were given up for the listing; empty if they were not
	Listing Listing // by which way that went, if it went by the listing; its Users are left out
}

// Resolve looks up what is wanted: in groups, or by listing the whole account,
// whichever takes fewer requests. Where look-ups turn out to be refused or
// ignored, or do not find something, the listing decides: an exact comparison by
// the far side, say of letters' case, shall not make a user unknown.
//
// Errors are those of the directory.
func Resolve(ctx context.Context, d Directory, w *Wanted) (Result, error) {
	first := newPass(d, Query{})
	groups, listing := w.groups()
	if !listing && len(groups) >= probeFrom {
		if err := first.next(ctx); err != nil {
			return Result{}, err
		}
		listing = first.cheaper(len(groups))
	}
	if listing {
		return byListing(ctx, w, first, "")
	}
	index, because, err := byGroups(ctx, d, w, groups)
	if err != nil || because == "" {
		return Result{Index: index, Way: ByGroups}, err
	}
	return byListing(ctx, w, first, because)
}

// cheaper reports whether the pass needs no more requests than so many.
func (p *pass) cheaper(requests int) bool {
	return p.done || p.hasTotal && (p.total-p.query.Offset+PageSize-1)/PageSize <= requests
}

func byListing(ctx context.Context, w *Wanted, first *pass, because string) (Result, error) {
	listing, err := complete(ctx, first)
	if err != nil {
		return Result{}, err
	}
	index := NewIndex(w, listing.Users)
	listing.Users = nil
	return Result{index, ByListing, because, listing}, nil
}

// Why look-ups in groups are given up.
const (
	refused  = "the API refused to look users up in groups"
	ignored  = "the API did not heed whom it was asked for"
	notFound = "not all were found in groups"
)

// byGroups looks everything up in groups, and says why if that is no use.
func byGroups(ctx context.Context, d Directory, w *Wanted, groups []Query) (*Index, string, error) {
	x := NewIndex(w, nil)
	for _, q := range groups {
		because, err := x.lookUp(ctx, newPass(d, q))
		if err != nil || because != "" {
			return nil, because, err
		}
	}
	for _, k := range w.order {
		if len(x.users[k]) == 0 {
			return nil, notFound, nil
		}
	}
	return x, "", nil
}

// lookUp takes up the users of a group.
func (x *Index) lookUp(ctx context.Context, p *pass) (because string, err error) {
	for entered := 0; !p.done; entered = len(p.users) {
		err := p.next(ctx)
		switch {
		case batch.IsRefusal(err):
			return refused, nil
		case err != nil:
			return "", err
		}
		for i := range p.users[entered:] {
			if !x.add(&p.users[entered+i]) {
				return ignored, nil
			}
		}
	}
	return "", nil
}

package directory

import (
	"context"
	"fmt"
	"maps"

	"siprotate/exotel"
)

const (
	// maxPasses is how often an account is listed at most: once, and again while
	// the users found are not as many as the API counts, or changed.
	maxPasses = 3

	// maxEntries bounds a listing. No account comes near it; an API that makes up
	// users without end does.
	maxEntries = 1_000_000
)

// A Listing is the users of an account, each once.
type Listing struct {
	Users         []exotel.User
	Missing       int  // how many more users the API counts than it lists
	FailedEntries int  // entries that the API marked as failed: users that it could not return
	Changed       bool // the account changed in every pass: Users are those of all passes
}

// List lists the account. If the pages contradict each other, or the API's
// total, it lists again until that is settled, three times at most.
//
// Errors are those of the Lister, and one for a listing without an end.
func List(ctx context.Context, l Lister) (Listing, error) {
	return settle(ctx, newPass(l, exotel.Query{}))
}

// settle finishes a pass and makes the further ones that it takes.
func settle(ctx context.Context, p *pass) (Listing, error) {
	var before *pass
	all := newPass(nil, exotel.Query{})
	for n := 1; ; n++ {
		for !p.done {
			if err := p.next(ctx); err != nil {
				return Listing{}, err
			}
		}
		if p.sound() || p.same(before) {
			return p.listing(), nil
		}
		all.enter(p.users)
		if n == maxPasses {
			return Listing{Users: all.users, FailedEntries: p.failedEntries, Changed: true}, nil
		}
		before, p = p, newPass(p.lister, exotel.Query{})
	}
}

// A pass goes through the pages of a query once.
type pass struct {
	lister        Lister
	query         exotel.Query
	userID        string        // asks for this user instead
	users         []exotel.User // each once
	seen          map[string]bool
	failedEntries int
	total         int  // on the last page
	hasTotal      bool // the last page has one
	steady        bool // every page had the same total
	pages         int
	done          bool
}

func newPass(l Lister, q exotel.Query) *pass {
	return &pass{lister: l, query: q, seen: map[string]bool{}, steady: true}
}

func (p *pass) next(ctx context.Context) error {
	if p.userID != "" {
		page, err := p.lister.User(ctx, p.userID)
		if err == nil {
			p.enter(page.Users)
			p.done = true
		}
		return err
	}
	page, err := p.lister.Users(ctx, p.query)
	if err != nil {
		return err
	}
	fresh := p.enter(page.Users)
	p.failedEntries += page.Count - len(page.Users)
	p.query.Offset += page.Count
	repeated := p.pages > 0 && p.hasTotal && page.HasTotal && page.Total == p.total
	p.steady = p.steady && (repeated || p.pages == 0)
	p.total, p.hasTotal = page.Total, page.HasTotal
	p.pages++
	p.done = p.ends(page, repeated) || fresh == 0 && len(page.Users) > 0
	if p.query.Offset > maxEntries {
		return fmt.Errorf("the listing does not end: it has more than %d entries", maxEntries)
	}
	return nil
}

// enter adds the users that are not known yet, and returns how many.
func (p *pass) enter(users []exotel.User) (fresh int) {
	for _, user := range users {
		key := userKey(user.ID)
		if p.seen[key] {
			continue
		}
		p.seen[key] = true
		p.users = append(p.users, user)
		fresh++
	}
	return fresh
}

// ends reports whether no page follows. A short page alone proves nothing, nor
// does a total that was passed already. Where a full page ends at the total, it
// may be the page's own count: it is believed if the page before had the same.
func (p *pass) ends(page *exotel.Page, repeated bool) bool {
	switch {
	case page.Count == 0:
		return true
	case !page.HasTotal || p.query.Offset != page.Total:
		return false
	}
	limit := exotel.MaxPageSize
	if page.Limit > 0 {
		limit = min(limit, page.Limit)
	}
	return repeated || page.Count < limit
}

// pagesLeft returns how many pages follow, if that is known.
func (p *pass) pagesLeft() (n int, known bool) {
	if p.done {
		return 0, true
	}
	return (p.total - p.query.Offset + exotel.MaxPageSize - 1) / exotel.MaxPageSize, p.hasTotal
}

// sound reports whether the pass found as many users as the API counts, and the
// API counted the same all the time.
func (p *pass) sound() bool {
	return p.steady && p.hasTotal && len(p.users)+p.failedEntries == p.total
}

// same reports whether another pass found the same users.
func (p *pass) same(other *pass) bool {
	return other != nil && maps.Equal(p.seen, other.seen)
}

func (p *pass) listing() Listing {
	l := Listing{Users: p.users, FailedEntries: p.failedEntries}
	if p.hasTotal {
		l.Missing = max(0, p.total-len(p.users)-p.failedEntries)
	}
	return l
}

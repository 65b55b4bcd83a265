package directory

import (
	"context"
	"fmt"

	"siprotate/batch"
)

// maxEntries bounds a listing. No account comes near it; a far side that makes
// up users without end does.
const maxEntries = 1_000_000

// A pass goes through the pages of a query once.
type pass struct {
	directory Directory
	query     Query
	users     []User // each once
	seen      map[string]bool
	untold    int  // entries that are no users
	total     int  // as the last page tells it
	hasTotal  bool // the last page tells one
	steady    bool // every page told the same total
	pages     int
	done      bool
}

func newPass(d Directory, q Query) *pass {
	return &pass{directory: d, query: q, seen: map[string]bool{}, steady: true}
}

// finish reads the pages that are left.
func (p *pass) finish(ctx context.Context) error {
	for !p.done {
		if err := p.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// next reads one page.
func (p *pass) next(ctx context.Context) error {
	page, err := p.directory.Page(ctx, p.query)
	if err != nil {
		return err
	}
	fresh := p.enter(page.Users)
	p.untold += page.Entries - len(page.Users)
	p.query.Offset += page.Entries
	told := p.pages > 0 && p.hasTotal && page.HasTotal && page.Total == p.total
	p.steady = p.steady && (told || p.pages == 0)
	p.total, p.hasTotal = page.Total, page.HasTotal
	p.pages++
	p.done = p.ends(page, told) || fresh == 0 && len(page.Users) > 0
	if p.query.Offset > maxEntries {
		return fmt.Errorf("the listing does not end: it has more than %d entries", maxEntries)
	}
	return nil
}

// enter takes up the users that are not known yet, and returns how many.
func (p *pass) enter(users []User) (fresh int) {
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
// may be the page's own count: it is believed if the page before told the same.
func (p *pass) ends(page Page, told bool) bool {
	switch {
	case page.Entries == 0:
		return true
	case !page.HasTotal || p.query.Offset != page.Total:
		return false
	}
	limit := PageSize
	if page.Limit > 0 {
		limit = min(limit, page.Limit)
	}
	return told || page.Entries < limit
}

// sound reports whether the pass found all that the far side told of, and the
// far side told the same all the time.
func (p *pass) sound() bool {
	return p.steady && p.hasTotal && len(p.users)+p.untold == p.total
}

// same reports whether another pass found the same users.
func (p *pass) same(other *pass) bool {
	if other == nil || len(p.seen) != len(other.seen) {
		return false
	}
	for key := range p.seen {
		if !other.seen[key] {
			return false
		}
	}
	return true
}

func userKey(id string) string { return string(batch.AppendUserKey(nil, id)) }

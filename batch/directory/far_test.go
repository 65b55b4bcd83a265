package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// A far is an account in memory, and how its far side behaves.
type far struct {
	users    []User
	limit    int           // of a page; 0: PageSize
	total    func(int) int // what it tells as the total; nil: the truth
	noTotal  bool
	filters  string // "", "ignored", "refused" or "exact": letters' case counts
	before   func() // is called before each page
	requests int
	listings int // those of them that asked for everybody
}

// A refusal is a definite no.
type refusal struct{}

func (refusal) Error() string   { return "invalid parameter" }
func (refusal) Ambiguous() bool { return false }

var errDown = errors.New("the far side is down")

func (f *far) Page(_ context.Context, q Query) (Page, error) {
	f.requests++
	filtered := q.SIPIDs != nil || q.Emails != nil
	if !filtered {
		f.listings++
	}
	if f.before != nil {
		f.before()
	}
	if filtered && f.filters == "refused" {
		return Page{}, refusal{}
	}
	matching := f.users
	if filtered && f.filters != "ignored" {
		matching = slices.DeleteFunc(slices.Clone(f.users), func(u User) bool { return !f.matches(u, q) })
	}
	limit := f.limit
	if limit == 0 {
		limit = PageSize
	}
	from := min(q.Offset, len(matching))
	page := Page{Users: matching[from:min(from+limit, len(matching))], Limit: f.limit, HasTotal: !f.noTotal, Total: len(matching)}
	page.Entries = len(page.Users)
	if f.total != nil {
		page.Total = f.total(page.Total)
	}
	return page, nil
}

func (f *far) matches(u User, q Query) bool {
	same := strings.EqualFold
	if f.filters == "exact" {
		same = func(a, b string) bool { return a == b }
	}
	if slices.ContainsFunc(q.Emails, func(email string) bool { return same(email, u.Email) }) {
		return true
	}
	return slices.ContainsFunc(u.Devices, func(d Device) bool { return slices.Contains(q.SIPIDs, d.SIPID) })
}

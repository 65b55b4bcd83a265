package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"siprotate/exotel"
)

// A fakeAPI is an account in memory, and how its API behaves.
type fakeAPI struct {
	users    []exotel.User
	limit    int           // of a page; 0: exotel.MaxPageSize
	total    func(int) int // changes the total; nil: the truth
	noTotal  bool
	filters  string // "", "ignored", "refused" or "exact": letters' case and the form of SIP addresses count
	byID     string // the same for User; exact: case and dashes count
	before   func() // is called before each page
	requests int
}

// A refusal is a definite no.
type refusal struct{}

func (refusal) Error() string   { return "invalid parameter" }
func (refusal) Ambiguous() bool { return false }

var errDown = errors.New("the API is down")

func (f *fakeAPI) Users(_ context.Context, q exotel.Query) (*exotel.Page, error) {
	f.requests++
	filtered := q.ContactURIs != nil || q.Emails != nil
	if f.before != nil {
		f.before()
	}
	if filtered && f.filters == "refused" {
		return nil, refusal{}
	}
	matching := f.users
	if filtered && f.filters != "ignored" {
		matching = slices.DeleteFunc(slices.Clone(f.users), func(u exotel.User) bool { return !f.matches(u, q) })
	}
	limit := f.limit
	if limit == 0 {
		limit = exotel.MaxPageSize
	}
	from := min(q.Offset, len(matching))
	page := &exotel.Page{Users: matching[from:min(from+limit, len(matching))], Limit: f.limit, HasTotal: !f.noTotal, Total: len(matching)}
	page.Count = len(page.Users)
	if f.total != nil {
		page.Total = f.total(page.Total)
	}
	if f.noTotal {
		page.Total = 0
	}
	return page, nil
}

func (f *fakeAPI) matches(u exotel.User, q exotel.Query) bool {
	exact := func(a, b string) bool { return a == b }
	email, uri := strings.EqualFold, func(a, b string) bool { return exotel.SIPID(a) == exotel.SIPID(b) }
	if f.filters == "exact" {
		email, uri = exact, exact
	}
	return slices.ContainsFunc(q.Emails, func(asked string) bool { return email(asked, u.Email) }) ||
		slices.ContainsFunc(u.Devices, func(d exotel.Device) bool {
			return slices.ContainsFunc(q.ContactURIs, func(asked string) bool { return uri(asked, d.ContactURI) })
		})
}

func (f *fakeAPI) User(_ context.Context, id string) (*exotel.Page, error) {
	f.requests++
	for _, u := range f.users {
		if f.byID == "refused" {
			break
		}
		if f.byID == "ignored" || u.ID == id || f.byID == "" && userKey(u.ID) == userKey(id) {
			return &exotel.Page{Users: []exotel.User{u}, Count: 1}, nil
		}
	}
	return nil, refusal{}
}

// down never answers.
type down struct{}

func (down) Users(context.Context, exotel.Query) (*exotel.Page, error) { return nil, errDown }
func (down) User(context.Context, string) (*exotel.Page, error)        { return nil, errDown }

// failing answers with a failed entry in place of each page's first user.
type failing struct{ fakeAPI }

func (f *failing) Users(ctx context.Context, q exotel.Query) (*exotel.Page, error) {
	page, err := f.fakeAPI.Users(ctx, q)
	if err == nil && len(page.Users) > 0 {
		page.Users = page.Users[1:]
	}
	return page, err
}

// endless makes up users for ever.
type endless struct{ down }

func (endless) Users(_ context.Context, q exotel.Query) (*exotel.Page, error) {
	page := &exotel.Page{Count: exotel.MaxPageSize, HasTotal: true}
	for i := range exotel.MaxPageSize {
		page.Users = append(page.Users, exotel.User{ID: fmt.Sprint(q.Offset + i)})
	}
	return page, nil
}

// stuck answers every query with the first page.
type stuck struct{ fakeAPI }

func (s *stuck) Users(ctx context.Context, q exotel.Query) (*exotel.Page, error) {
	q.Offset = 0
	return s.fakeAPI.Users(ctx, q)
}

package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// people returns n users with one device each.
func people(n int) (users []User) {
	for i := range n {
		users = append(users, User{
			ID: fmt.Sprintf("%032x", i+1), Email: fmt.Sprintf("user%d@example.com", i),
			Devices: []Device{{ID: fmt.Sprint(1000 + i), SIPID: fmt.Sprintf("sip%d", i)}},
		})
	}
	return users
}

func idsOf(users []User) (ids []string) {
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestAListingTakesARequestForEachPage(t *testing.T) {
	for _, c := range []struct {
		far      far
		requests int
	}{
		{far{users: people(5000)}, 100},
		{far{users: people(4999)}, 100},
		{far{users: people(51)}, 2},
		{far{users: people(50)}, 2}, // the total may be the page's own count
		{far{users: people(49)}, 1},
		{far{}, 1},
		{far{users: people(45), limit: 20}, 3},
		// A total that lies, or is not told, costs the certainty of a second pass.
		{far{users: people(120), total: func(int) int { return 50 }}, 8},
		{far{users: people(120), total: func(int) int { return 7 }}, 8},
		{far{users: people(120), total: func(int) int { return 1e6 }}, 8},
		{far{users: people(120), noTotal: true}, 8},
		{far{users: people(45), limit: 20, total: func(int) int { return 20 }}, 8},
	} {
		l, err := List(t.Context(), &c.far)
		if err != nil || !slices.Equal(idsOf(l.Users), idsOf(c.far.users)) || l.Changed {
			t.Errorf("%d users: listed %d: %v", len(c.far.users), len(l.Users), err)
		}
		if c.far.requests != c.requests {
			t.Errorf("%d users: %d requests, want %d", len(c.far.users), c.far.requests, c.requests)
		}
	}
}

func TestAListingFindsEverybodyWhateverTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		told := rapid.IntRange(0, 400).Draw(t, "told")
		f := far{
			users:   people(rapid.IntRange(0, 300).Draw(t, "users")),
			limit:   rapid.IntRange(5, PageSize).Draw(t, "limit"),
			noTotal: rapid.Bool().Draw(t, "no total"),
			total:   func(int) int { return told },
		}
		// No listing can be sure of a total that is told twice and ends a page.
		if told < len(f.users) && told%f.limit == 0 && told/f.limit > 1 {
			t.Skip()
		}
		l, err := List(context.Background(), &f)
		if err != nil || !slices.Equal(idsOf(l.Users), idsOf(f.users)) {
			t.Fatalf("listed %d of %d: %v", len(l.Users), len(f.users), err)
		}
		if pages := len(f.users)/f.limit + 2; f.requests > 2*pages {
			t.Fatalf("%d requests for %d pages", f.requests, pages)
		}
	})
}

func TestAListingMissesNobodyWhenOthersComeOrGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := people(rapid.IntRange(60, 300).Draw(t, "users"))
		f := far{users: slices.Clone(all)}
		coming := rapid.Bool().Draw(t, "coming")
		changes := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 6).Draw(t, "changes before each page")
		gone, newcomers := map[string]bool{}, 0
		f.before = func() {
			if f.requests > len(changes) {
				return
			}
			for range changes[f.requests-1] {
				if coming {
					f.users = slices.Insert(f.users, 0, User{ID: fmt.Sprintf("new%d", newcomers)})
					newcomers++
					continue
				}
				i := rapid.IntRange(0, len(f.users)-1).Draw(t, "who leaves")
				gone[f.users[i].ID] = true
				f.users = slices.Delete(f.users, i, i+1)
			}
		}
		l, err := List(context.Background(), &f)
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, u := range l.Users {
			if listed[u.ID] {
				t.Fatalf("%s is listed twice", u.ID)
			}
			listed[u.ID] = true
		}
		for _, u := range all {
			if !gone[u.ID] && !listed[u.ID] {
				t.Fatalf("%s is missing", u.ID)
			}
		}
	})
}

func TestWhatCannotBeSettledIsTold(t *testing.T) {
	n := 0
	f := far{users: people(120)}
	f.before = func() { // in every pass somebody comes
		n++
		f.users = slices.Insert(f.users, 0, User{ID: fmt.Sprint("new", n)})
	}
	l, err := List(t.Context(), &f)
	if err != nil || !l.Changed || len(l.Users) < 120 {
		t.Errorf("%d users, changed: %v: %v", len(l.Users), l.Changed, err)
	}
	l, err = List(t.Context(), &far{users: people(120), total: func(n int) int { return n + 3 }})
	if err != nil || l.Missing != 3 {
		t.Errorf("%d missing: %v", l.Missing, err)
	}
}

// endless makes up users for ever.
type endless struct{}

func (e *endless) Page(_ context.Context, q Query) (Page, error) {
	page := Page{Entries: PageSize, HasTotal: true}
	for i := range PageSize {
		page.Users = append(page.Users, User{ID: fmt.Sprint(q.Offset + i)})
	}
	return page, nil
}

// stuck answers every query with the first page.
type stuck struct{ far }

func (s *stuck) Page(ctx context.Context, q Query) (Page, error) {
	q.Offset = 0
	return s.far.Page(ctx, q)
}

// dead never answers.
type dead struct{}

func (dead) Page(context.Context, Query) (Page, error) { return Page{}, errDown }

// failed answers with entries that are no users.
type failed struct{ far }

func (f *failed) Page(ctx context.Context, q Query) (Page, error) {
	page, err := f.far.Page(ctx, q)
	if len(page.Users) > 0 {
		page.Users = page.Users[1:]
	}
	return page, err
}

func TestAListingEnds(t *testing.T) {
	if _, err := List(t.Context(), new(endless)); err == nil {
		t.Error("an endless listing ended well")
	}
	l, err := List(t.Context(), &stuck{far{users: people(120)}})
	if err != nil || len(l.Users) != PageSize || l.Missing != 70 {
		t.Errorf("the same page again and again: %d users, %d missing: %v", len(l.Users), l.Missing, err)
	}
	if _, err := List(t.Context(), dead{}); !errors.Is(err, errDown) {
		t.Error(err)
	}
	l, err = List(t.Context(), &failed{far{users: people(120)}})
	if err != nil || len(l.Users) != 117 || l.Untold != 3 || l.Missing != 0 {
		t.Errorf("failed entries: %d users, %d untold, %d missing: %v", len(l.Users), l.Untold, l.Missing, err)
	}
}

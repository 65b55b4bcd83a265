package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"siprotate/exotel"
)

// people returns n users with one SIP device and a telephone each.
func people(n int) (users []exotel.User) {
	for i := range n {
		users = append(users, exotel.User{
			ID: fmt.Sprintf("%032x", i+1), Email: fmt.Sprintf("user%d@example.com", i),
			Devices: []exotel.Device{
				{ID: fmt.Sprint(5000 + i), Type: "tel", ContactURI: "+919999999999"},
				sipDevice(fmt.Sprint(1000+i), fmt.Sprintf("sip%d", i)),
			},
		})
	}
	return users
}

func sipDevice(id, sipID string) exotel.Device {
	return exotel.Device{ID: id, Type: "sip", ContactURI: "sip:" + sipID}
}

func idsOf(users []exotel.User) (ids []string) {
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestAListingTakesARequestForEachPage(t *testing.T) {
	for _, c := range []struct {
		api      fakeAPI
		requests int
	}{
		{fakeAPI{users: people(5000)}, 100},
		{fakeAPI{users: people(4999)}, 100},
		{fakeAPI{users: people(51)}, 2},
		{fakeAPI{users: people(50)}, 2}, // the total may be the page's own count
		{fakeAPI{users: people(49)}, 1},
		{fakeAPI{}, 1},
		{fakeAPI{users: people(45), limit: 20}, 3},
		// A wrong total, or none, costs the certainty of a second pass.
		{fakeAPI{users: people(120), total: func(int) int { return 50 }}, 8},
		{fakeAPI{users: people(120), total: func(int) int { return 7 }}, 8},
		{fakeAPI{users: people(120), total: func(int) int { return 1e6 }}, 8},
		{fakeAPI{users: people(120), noTotal: true}, 8},
		{fakeAPI{users: people(45), limit: 20, total: func(int) int { return 20 }}, 8},
	} {
		l, err := List(t.Context(), &c.api)
		if err != nil || !slices.Equal(idsOf(l.Users), idsOf(c.api.users)) || l.Changed {
			t.Errorf("%d users: listed %d: %v", len(c.api.users), len(l.Users), err)
		}
		if c.api.requests != c.requests {
			t.Errorf("%d users: %d requests, want %d", len(c.api.users), c.api.requests, c.requests)
		}
	}
}

func TestAListingFindsEverybodyWhateverTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 400).Draw(t, "total")
		f := fakeAPI{
			users:   people(rapid.IntRange(0, 300).Draw(t, "users")),
			limit:   rapid.IntRange(5, exotel.MaxPageSize).Draw(t, "limit"),
			noTotal: rapid.Bool().Draw(t, "no total"),
			total:   func(int) int { return total },
		}
		// No listing can see through a total that comes twice and ends a page.
		if total < len(f.users) && total%f.limit == 0 && total/f.limit > 1 {
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
		f := fakeAPI{users: slices.Clone(all)}
		coming := rapid.Bool().Draw(t, "coming")
		changes := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 6).Draw(t, "changes before each page")
		gone, newcomers := map[string]bool{}, 0
		f.before = func() {
			if f.requests > len(changes) {
				return
			}
			for range changes[f.requests-1] {
				if coming {
					f.users = slices.Insert(f.users, 0, exotel.User{ID: fmt.Sprintf("new%d", newcomers)})
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

func TestWhatCannotBeSettledIsReported(t *testing.T) {
	n := 0
	f := fakeAPI{users: people(120)}
	f.before = func() { // in every pass somebody comes
		n++
		f.users = slices.Insert(f.users, 0, exotel.User{ID: fmt.Sprint("new", n)})
	}
	l, err := List(t.Context(), &f)
	if err != nil || !l.Changed || len(l.Users) < 120 {
		t.Errorf("%d users, changed: %v: %v", len(l.Users), l.Changed, err)
	}
	l, err = List(t.Context(), &fakeAPI{users: people(120), total: func(n int) int { return n + 3 }})
	if err != nil || l.Missing != 3 {
		t.Errorf("%d missing: %v", l.Missing, err)
	}
}

func TestAListingEnds(t *testing.T) {
	t.Parallel()
	if _, err := List(t.Context(), endless{}); err == nil {
		t.Error("an endless listing ended well")
	}
	l, err := List(t.Context(), &stuck{fakeAPI{users: people(120)}})
	if err != nil || len(l.Users) != exotel.MaxPageSize || l.Missing != 70 {
		t.Errorf("the same page again and again: %d users, %d missing: %v", len(l.Users), l.Missing, err)
	}
	if _, err := List(t.Context(), down{}); !errors.Is(err, errDown) {
		t.Error(err)
	}
	l, err = List(t.Context(), &failing{fakeAPI{users: people(120)}})
	if err != nil || len(l.Users) != 117 || l.FailedEntries != 3 || l.Missing != 0 {
		t.Errorf("failed entries: %d users, %d failed, %d missing: %v", len(l.Users), l.FailedEntries, l.Missing, err)
	}
}

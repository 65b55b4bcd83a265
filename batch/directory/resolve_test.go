package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// wantSIPs wants the SIP ids of the first n people.
func wantSIPs(n int) *Wanted {
	var w Wanted
	for i := range n {
		w.Add(Reference{SIPID: fmt.Sprintf("sip%d", i)})
	}
	return &w
}

func TestTheCheaperWay(t *testing.T) {
	with := func(r Reference) *Wanted {
		w := wantSIPs(1)
		w.Add(r)
		return w
	}
	for _, c := range []struct {
		name     string
		users    int
		wanted   *Wanted
		filters  string
		way      Way
		because  string
		requests int
	}{
		{"one", 5000, wantSIPs(1), "", ByGroups, "", 1},
		{"thirty", 5000, wantSIPs(30), "", ByGroups, "", 2},
		{"many in a large account", 5000, wantSIPs(250), "", ByGroups, "", 11},
		{"many in a small one", 500, wantSIPs(250), "", ByListing, "", 10},
		{"a few more than a page", 60, wantSIPs(60), "", ByListing, "", 2},
		{"both kinds", 5000, with(Reference{Email: "user7@example.com"}), "", ByGroups, "", 2},
		{"a user id", 200, with(Reference{UserID: fmt.Sprintf("%032x", 7)}), "", ByListing, "", 4},
		{"a comma", 200, with(Reference{Email: "a,b@example.com"}), "", ByListing, "", 4},
		{"ignored", 200, wantSIPs(30), "ignored", ByListing, ignored, 5},
		{"refused", 200, wantSIPs(30), "refused", ByListing, refused, 5},
		{"refused, after the first page", 2000, wantSIPs(250), "refused", ByListing, refused, 41},
		{"in other letters", 200, with(Reference{Email: "USER7@example.com"}), "exact", ByGroups, "", 2},
		{"somebody unknown", 200, with(Reference{Email: "nobody@example.com"}), "", ByListing, notFound, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := far{users: people(c.users), filters: c.filters}
			got, err := Resolve(t.Context(), &f, c.wanted)
			if err != nil || got.Way != c.way || got.Because != c.because || f.requests != c.requests {
				t.Fatalf("%s (%s), %d requests: %v", got.Way, got.Because, f.requests, err)
			}
			if m, problem := got.One(Reference{SIPID: "sip0"}); problem != nil || m.Device.ID != "1000" {
				t.Errorf("%+v, %+v", m, problem)
			}
		})
	}
	if _, err := Resolve(t.Context(), dead{}, wantSIPs(1)); !errors.Is(err, errDown) {
		t.Error(err)
	}
}

func TestGroupsFitIntoARequest(t *testing.T) {
	var w Wanted
	for i := range 100 {
		w.Add(Reference{Email: fmt.Sprintf("%s%d@example.com", strings.Repeat("ü", 100), i)})
	}
	groups, _ := w.groups()
	n := 0
	for _, q := range groups {
		n += len(q.Emails)
		if len(q.Emails) > maxGroup || len(q.Emails) > 1 && len(strings.Join(q.Emails, ","))*3 > maxGroupBytes {
			t.Errorf("%d emails in a request", len(q.Emails))
		}
	}
	if n != 100 || len(groups) < 10 {
		t.Errorf("%d emails in %d groups", n, len(groups))
	}
	if cost := w.Cost(); cost.Wanted != 100 || cost.Groups != len(groups) || cost.List || !cost.Probes() {
		t.Errorf("%+v", cost)
	}
}

// small draws a value from so few that they often meet.
func small(t *rapid.T, prefix, what string) string {
	if n := rapid.IntRange(0, 4).Draw(t, what); n > 0 {
		return fmt.Sprint(prefix, n)
	}
	return ""
}

// TestFindingIsComparing compares with looking at each device of the account,
// whatever the far side makes of filters.
func TestFindingIsComparing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := far{filters: rapid.SampledFrom([]string{"", "ignored", "refused", "exact"}).Draw(t, "filters")}
		for i := range rapid.IntRange(0, 8).Draw(t, "users") {
			u := User{ID: fmt.Sprint("U-", i), Email: small(t, "Mail", "email")}
			for range rapid.IntRange(0, 3).Draw(t, "devices") {
				u.Devices = append(u.Devices, Device{ID: fmt.Sprint(len(u.Devices)), SIPID: small(t, "sip", "sip")})
			}
			f.users = append(f.users, u)
		}
		refs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Reference {
			r := Reference{SIPID: small(t, "sip", "sip"), Email: small(t, "mail", "email"), DeviceID: small(t, "", "device")}
			if r.SIPID+r.Email == "" || rapid.Bool().Draw(t, "with user") {
				r.UserID = fmt.Sprint("u", rapid.IntRange(0, 8).Draw(t, "user"))
			}
			return r
		}), 1, 5).Draw(t, "references")
		var w Wanted
		for _, r := range refs {
			w.Add(r)
		}
		found, err := Resolve(context.Background(), &f, &w)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range refs {
			want := compare(f.users, r)
			m, problem := found.One(r)
			if (problem == nil) != (len(want) == 1) {
				t.Fatalf("%+v: %v, of %v", r, problem, want)
			}
			if problem == nil && m.User.ID+"/"+m.Device.ID != want[0] {
				t.Fatalf("%+v: %v/%v, want %v", r, m.User.ID, m.Device.ID, want)
			}
			if all, problem := found.All(r); problem == nil && len(all) != len(want) {
				t.Fatalf("%+v: %d devices, want %v", r, len(all), want)
			}
		}
	})
}

func compare(users []User, r Reference) (devices []string) {
	for _, u := range users {
		for _, d := range u.Devices {
			if (r.UserID == "" || strings.EqualFold(strings.ReplaceAll(u.ID, "-", ""), r.UserID)) &&
				(r.Email == "" || strings.EqualFold(u.Email, r.Email)) &&
				(r.SIPID == "" || d.SIPID == r.SIPID) && (r.DeviceID == "" || d.ID == r.DeviceID) {
				devices = append(devices, u.ID+"/"+d.ID)
			}
		}
	}
	return devices
}

func TestProblemsSayWhatWasFound(t *testing.T) {
	asha := User{ID: "a1", Email: "asha@example.com", Devices: []Device{{ID: "1", SIPID: "asha1"}, {ID: "2"}}}
	ravi := User{ID: "b2", Email: "ravi@example.com", Devices: []Device{{ID: "3", SIPID: "ravi1"}}}
	bare := User{ID: "c3"}
	for _, c := range []struct {
		ref          Reference
		column, text string
	}{
		{Reference{SIPID: "x"}, "sip_id", `"x" is unknown: no SIP device of the account has it`},
		{Reference{SIPID: "ASHA1"}, "sip_id", `"ASHA1" is unknown: no SIP device of the account has it`},
		{Reference{Email: "x@y"}, "email", `"x@y" is unknown: no user of the account has it`},
		{Reference{UserID: "d4"}, "user_id", `"d4" is unknown: the account has no such user`},
		{Reference{UserID: "c3"}, "user_id", `"c3" has no SIP device`},
		{Reference{Email: "Asha@Example.com"}, "email", `"Asha@Example.com" has 2 SIP devices: 1 (asha1), 2`},
		{Reference{SIPID: "asha1", Email: "ravi@example.com"}, "email", `"ravi@example.com" contradicts sip_id "asha1", which belongs to user a1 (asha@example.com)`},
		{Reference{Email: "asha@example.com", UserID: "B2"}, "user_id", `"B2" contradicts email "asha@example.com", which belongs to user a1 (asha@example.com)`},
		{Reference{Email: "asha@example.com", DeviceID: "3"}, "device_id", `"3" contradicts email "asha@example.com", whose SIP devices are: 1 (asha1), 2`},
		{Reference{UserID: "c3", DeviceID: "3"}, "device_id", `"3" contradicts user_id "c3", whose SIP devices are: none`},
	} {
		var w Wanted
		w.Add(c.ref)
		_, problem := NewIndex(&w, []User{asha, ravi, bare}).One(c.ref)
		if problem == nil || problem.Column != c.column || problem.Text != c.text {
			t.Errorf("%+v: %+v", c.ref, problem)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	long := User{ID: strings.Repeat("é", 1000)}
	for i := range 30 {
		long.Devices = append(long.Devices, Device{ID: fmt.Sprint(i), SIPID: strings.Repeat("s", 1000)})
	}
	var w Wanted
	w.Add(Reference{UserID: long.ID})
	_, problem := NewIndex(&w, []User{long}).One(Reference{UserID: long.ID})
	if problem == nil || len(problem.Text) > 1500 || !strings.HasSuffix(problem.Text, ", and 20 more") {
		t.Errorf("%+v", problem)
	}
}

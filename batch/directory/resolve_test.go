package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"siprotate/batch"
	"siprotate/exotel"
)

// wantSIPs wants the SIP ids of the first n people, and whatever else is given.
func wantSIPs(n int, others ...Reference) *Wanted {
	var w Wanted
	for i := range n {
		w.Add(Reference{SIPID: fmt.Sprintf("sip%d", i)})
	}
	for _, r := range others {
		w.Add(r)
	}
	return &w
}

// wantIDs wants the user ids of the first n people.
func wantIDs(n int, others ...Reference) *Wanted {
	for _, u := range people(n) {
		others = append(others, Reference{UserID: u.ID})
	}
	return wantSIPs(0, others...)
}

func TestTheCheaperWay(t *testing.T) {
	email := func(email string) Reference { return Reference{Email: email} }
	const missed = notFound + string(InGroups)
	for _, c := range []struct {
		name     string
		users    int
		wanted   *Wanted
		api      fakeAPI
		way      Way
		because  string
		requests int
	}{
		{"one", 5000, wantSIPs(1), fakeAPI{}, InGroups, "", 1},
		{"thirty", 5000, wantSIPs(30), fakeAPI{}, InGroups, "", 2},
		{"many in a large account", 5000, wantSIPs(250), fakeAPI{}, InGroups, "", 11},
		{"many in a small one", 500, wantSIPs(250), fakeAPI{}, ByListing, "", 10},
		{"a few more than a page", 60, wantSIPs(60), fakeAPI{}, ByListing, "", 2},
		{"both kinds", 5000, wantSIPs(1, email("user7@example.com")), fakeAPI{}, InGroups, "", 2},
		{"a comma", 200, wantSIPs(1, email("a,b@example.com")), fakeAPI{}, ByListing, "", 4},
		{"letters beyond ASCII", 200, wantSIPs(1, email("ünal@example.com")), fakeAPI{}, ByListing, "", 4},
		{"ignored", 200, wantSIPs(30), fakeAPI{filters: "ignored"}, ByListing, ignored, 5},
		{"refused", 200, wantSIPs(30), fakeAPI{filters: "refused"}, ByListing, refused, 5},
		{"refused, after the first page", 2000, wantSIPs(250), fakeAPI{filters: "refused"}, ByListing, refused, 41},
		{"somebody unknown", 200, wantSIPs(1, email("nobody@example.com")), fakeAPI{}, ByListing, missed, 6},
		{"one email of two unknown", 200, wantSIPs(0, email("user7@example.com"), email("nobody@example.com")), fakeAPI{}, ByListing, missed, 5},
		{"unknown in the first of two groups", 200, wantSIPs(1, Reference{SIPID: "x"}, email("user7@example.com")), fakeAPI{}, ByListing, missed, 5},

		// A filter that compares letters' case may find some of those who share an email.
		{"case ignored", 200, wantSIPs(1, email("USER7@example.com")), fakeAPI{}, InGroups, "", 2},
		{"case compared", 200, wantSIPs(1, email("user7@example.com")), fakeAPI{filters: "exact"}, ByListing, missed, 6},

		{"an email without letters", 200, wantSIPs(0, email("1@2.3")), fakeAPI{filters: "exact"}, InGroups, "", 1},

		{"as cheap either way", 200, wantSIPs(75), fakeAPI{}, ByListing, "", 4},
		{"no total", 2000, wantSIPs(75), fakeAPI{noTotal: true}, InGroups, "", 7},
		{"a group on three pages", 200, wantSIPs(25), fakeAPI{limit: 10}, InGroups, "", 3},

		{"a user id", 1250, wantIDs(1), fakeAPI{}, OneByOne, "", 1},
		{"two user ids", 5000, wantIDs(2), fakeAPI{}, OneByOne, "", 2},
		{"fewer user ids than pages", 1250, wantIDs(23), fakeAPI{}, OneByOne, "", 24},
		{"as many user ids as pages", 1250, wantIDs(25), fakeAPI{}, ByListing, "", 25},
		{"user ids and SIP ids", 1250, wantSIPs(30, Reference{UserID: people(1)[0].ID}), fakeAPI{}, InGroups + " and " + OneByOne, "", 4},
		{"a user id as it is written", 1250, wantSIPs(0, Reference{UserID: "0F3C-01"}), fakeAPI{byID: "exact"}, OneByOne, "", 1},
		{"a user id written otherwise", 200, wantSIPs(0, Reference{UserID: "0f3c01"}), fakeAPI{byID: "exact"}, ByListing, notFound + string(OneByOne), 5},
		{"ids refused", 200, wantIDs(2), fakeAPI{byID: "refused"}, ByListing, notFound + string(OneByOne), 5},
		{"somebody else returned", 200, wantIDs(0, Reference{UserID: "f"}), fakeAPI{byID: "ignored"}, ByListing, notFound + string(OneByOne), 5},
		{"another wanted user returned", 200, wantIDs(2), fakeAPI{byID: "ignored"}, ByListing, notFound + string(OneByOne), 6},
		{"an unknown user id", 200, wantIDs(0, Reference{UserID: "f"}), fakeAPI{}, ByListing, notFound + string(OneByOne), 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.api.users = people(c.users)
			last := &c.api.users[c.users-1]
			last.ID, last.Email = "0F3C-01", "1@2.3"
			got, err := Resolve(t.Context(), &c.api, c.wanted)
			if err != nil || got.Way != c.way || got.Because != c.because || c.api.requests != c.requests {
				t.Fatalf("%s (%s), %d requests: %v", got.Way, got.Because, c.api.requests, err)
			}
			if cost := c.wanted.Cost(); c.way != ByListing && (cost.Way() != c.way || cost.Requests() > c.requests) {
				t.Errorf("cost %+v", cost)
			}
			for _, r := range []Reference{{SIPID: "sip0"}, {UserID: people(1)[0].ID}} {
				if !c.wanted.keys[r.key()] {
					continue
				}
				if m, fault := got.One(r); fault != nil || m.Device.ID != "1000" {
					t.Errorf("%+v: %+v, %+v", r, m, fault)
				}
			}
		})
	}
}

func TestALookUpThatCannotReturnAllIsNoUse(t *testing.T) {
	f := &failing{fakeAPI{users: people(120)}}
	got, err := Resolve(t.Context(), f, wantSIPs(2))
	if err != nil || got.Way != ByListing || got.Because != incomplete || got.Listing.FailedEntries != 3 {
		t.Errorf("%s (%s), %+v: %v", got.Way, got.Because, got.Listing, err)
	}
}

// TestBeingReturnedForAnotherSIPIDIsNoProof has a filter that compares addresses
// exactly: it returns the first user for sip1 alone, and not the second.
func TestBeingReturnedForAnotherSIPIDIsNoProof(t *testing.T) {
	bare := exotel.Device{ID: "9", Type: "sip", ContactURI: "sip4"}
	f := fakeAPI{filters: "exact", users: people(3)}
	f.users[1].Devices = append(f.users[1].Devices, bare)
	f.users[2].Devices = append(f.users[2].Devices, bare)
	found, err := Resolve(t.Context(), &f, wantSIPs(2, Reference{SIPID: "sip4"}))
	if err != nil || found.Way != ByListing {
		t.Fatalf("%s: %v", found.Way, err)
	}
	if m, fault := found.One(Reference{SIPID: "sip4"}); fault == nil {
		t.Errorf("%+v", m)
	}
}

func TestErrorsOfTheListerEndResolving(t *testing.T) {
	for _, w := range []*Wanted{wantSIPs(1), wantIDs(1), wantSIPs(250), wantSIPs(0, Reference{Email: "a,b"})} {
		if _, err := Resolve(t.Context(), down{}, w); !errors.Is(err, errDown) {
			t.Error(err)
		}
	}
}

func TestGroupsFitIntoARequest(t *testing.T) {
	var w Wanted
	for i := range 100 {
		w.Add(Reference{Email: fmt.Sprintf("%s%d@example.com", strings.Repeat("+", 200), i)})
	}
	lookups, _ := w.lookups()
	n := 0
	for _, l := range lookups {
		emails := l.query.Emails
		n += len(emails)
		if len(emails) > maxGroup || len(emails) > 1 && len(strings.Join(emails, ","))*3 > maxGroupBytes {
			t.Errorf("%d emails in a request", len(emails))
		}
	}
	if n != 100 || len(lookups) < 10 {
		t.Errorf("%d emails in %d groups", n, len(lookups))
	}
}

func TestCost(t *testing.T) {
	if wantSIPs(0, Reference{DeviceID: "1"}).Cost().Wanted != 0 {
		t.Error("a reference that names nothing costs something")
	}
	for _, c := range []struct {
		wanted *Wanted
		cost   Cost
		way    Way
		probes bool
	}{
		{wantSIPs(26, Reference{SIPID: "sip0", DeviceID: "1"}), Cost{Wanted: 26, Groups: 2}, InGroups, false},
		{wantSIPs(51), Cost{Wanted: 51, Groups: 3}, InGroups, true},
		{wantIDs(2), Cost{Wanted: 2, Users: 2}, OneByOne, false},
		{wantSIPs(26, Reference{UserID: "f"}), Cost{Wanted: 27, Groups: 2, Users: 1}, InGroups + " and " + OneByOne, true},
		{wantSIPs(99, Reference{Email: "a,b"}), Cost{Wanted: 100, List: true}, ByListing, false},
	} {
		if cost := c.wanted.Cost(); cost != c.cost || cost.Way() != c.way || cost.Probes() != c.probes {
			t.Errorf("%+v, %s, probes: %v", cost, cost.Way(), cost.Probes())
		}
	}
}

// small draws a value from so few that they often meet.
func small(t *rapid.T, prefix, what string) string {
	if n := rapid.IntRange(0, 4).Draw(t, what); n > 0 {
		return fmt.Sprint(prefix, n)
	}
	return ""
}

// respelled draws another spelling of an email. One is that of a query.
func respelled(t *rapid.T, email string) string {
	switch rapid.IntRange(0, 3).Draw(t, "spelling") {
	case 0:
		return strings.ToUpper(email)
	case 1:
		return strings.Replace(email, "m", "M", 1)
	case 2:
		return Reference{Email: email}.key().inQuery()
	}
	return email
}

// TestFindingIsComparing compares with looking at each device of the account,
// whatever the API makes of filters and ids.
func TestFindingIsComparing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := fakeAPI{
			filters: rapid.SampledFrom([]string{"", "ignored", "refused", "exact"}).Draw(t, "filters"),
			byID:    rapid.SampledFrom([]string{"", "ignored", "refused", "exact"}).Draw(t, "by id"),
			limit:   rapid.SampledFrom([]int{1, 2, 5, exotel.MaxPageSize}).Draw(t, "limit"),
		}
		// A SIP id is the name in an address, which is written in one form.
		forms := rapid.SliceOfN(rapid.SampledFrom([]string{"sip:%s", "%s", "sip:%s@voip.exotel.com"}), 5, 5).Draw(t, "forms")
		for i := range rapid.IntRange(0, 8).Draw(t, "users") {
			u := exotel.User{ID: fmt.Sprint("U-", i), Email: respelled(t, small(t, "mail", "email"))}
			for range rapid.IntRange(0, 3).Draw(t, "devices") {
				d := exotel.Device{ID: fmt.Sprint(len(u.Devices)), Type: rapid.SampledFrom([]string{"sip", "SIP", "tel"}).Draw(t, "type")}
				if id := small(t, "sip", "sip"); id != "" {
					d.ContactURI = fmt.Sprintf(forms[id[3]-'0'], id)
				}
				u.Devices = append(u.Devices, d)
			}
			f.users = append(f.users, u)
		}
		refs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Reference {
			r := Reference{SIPID: small(t, "sip", "sip"), Email: respelled(t, small(t, "mail", "email")), DeviceID: small(t, "", "device")}
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
			m, fault := found.One(r)
			if (fault == nil) != (len(want) == 1) {
				t.Fatalf("%+v: %v, of %v", r, fault, want)
			}
			if fault == nil && m.User.ID+"/"+m.Device.ID != want[0] {
				t.Fatalf("%+v: %v/%v, want %v", r, m.User.ID, m.Device.ID, want)
			}
			all, fault := found.All(r)
			if fault == nil && len(all) != len(want) || fault != nil && len(want) > 0 {
				t.Fatalf("%+v: %d devices and %v, want %v", r, len(all), fault, want)
			}
		}
	})
}

func compare(users []exotel.User, r Reference) (devices []string) {
	for _, u := range users {
		for d := range SIPDevices(&u) {
			if (r.UserID == "" || strings.EqualFold(strings.ReplaceAll(u.ID, "-", ""), r.UserID)) &&
				(r.Email == "" || strings.EqualFold(u.Email, r.Email)) &&
				(r.SIPID == "" || exotel.SIPID(d.ContactURI) == r.SIPID) && (r.DeviceID == "" || d.ID == r.DeviceID) {
				devices = append(devices, u.ID+"/"+d.ID)
			}
		}
	}
	return devices
}

// TestWhoSharesAnEmailIsFound is what a filter that compares exactly once hid.
func TestWhoSharesAnEmailIsFound(t *testing.T) {
	for _, filters := range []string{"", "exact"} {
		f := fakeAPI{filters: filters, users: people(3)}
		f.users[0].Email, f.users[1].Email, f.users[2].Email = "mail1", "Mail1", "MaIl1" // as it is asked for
		for _, email := range []string{"mail1", "Mail1", "MAIL1", "MaIl1"} {
			found, err := Resolve(t.Context(), &f, wantSIPs(0, Reference{Email: email}))
			if err != nil {
				t.Fatal(err)
			}
			if all, fault := found.All(Reference{Email: email}); len(all) != 3 {
				t.Errorf("%s, %q: %d devices, %v", email, filters, len(all), fault)
			}
		}
	}
}

func TestFaultsSayWhatWasFound(t *testing.T) {
	asha := exotel.User{ID: "a1", Email: "asha@example.com", Devices: []exotel.Device{sipDevice("1", "asha1"), {ID: "7", Type: "tel"}, {ID: "2", Type: "sip"}}}
	ravi := exotel.User{ID: "b2", Email: "ravi@example.com", Devices: []exotel.Device{sipDevice("3", "ravi1")}}
	bare := exotel.User{ID: "c3"}
	twice := exotel.User{ID: "d5", Devices: []exotel.Device{sipDevice("4", "same"), sipDevice("5", "same")}}
	for _, c := range []struct {
		ref          Reference
		column, text string
	}{
		{Reference{SIPID: "x"}, "sip_id", `"x" is unknown: no SIP device of the account has it`},
		{Reference{SIPID: "ASHA1"}, "sip_id", `"ASHA1" is unknown: no SIP device of the account has it`},
		{Reference{Email: "x@y"}, "email", `"x@y" is unknown: no user of the account has it`},
		{Reference{UserID: "d4"}, "user_id", `"d4" is unknown: the account has no such user`},
		{Reference{DeviceID: "3"}, "", `names no user: a SIP id, an email or a user id is needed`},
		{Reference{UserID: "c3"}, "user_id", `"c3" has no SIP device`},
		{Reference{Email: "Asha@Example.com"}, "email", `"Asha@Example.com" has 2 SIP devices: 1 (asha1), 2`},
		{Reference{SIPID: "same"}, "sip_id", `"same" has 2 SIP devices: 4 (same), 5 (same)`},
		{Reference{SIPID: "asha1", Email: "ravi@example.com"}, "email", `"ravi@example.com" contradicts sip_id "asha1", which belongs to user a1 (asha@example.com)`},
		{Reference{Email: "asha@example.com", UserID: "B2"}, "user_id", `"B2" contradicts email "asha@example.com", which belongs to user a1 (asha@example.com)`},
		{Reference{Email: "asha@example.com", DeviceID: "3"}, "device_id", `"3" contradicts email "asha@example.com", whose SIP devices are: 1 (asha1), 2`},
		{Reference{UserID: "c3", DeviceID: "3"}, "device_id", `"3" contradicts user_id "c3", whose SIP devices are: none`},
	} {
		var w Wanted
		w.Add(c.ref)
		_, fault := NewIndex(&w, []exotel.User{asha, ravi, bare, twice}).One(c.ref)
		if fault == nil || fault.Column != c.column || fault.Text != c.text {
			t.Errorf("%+v: %+v", c.ref, fault)
		}
	}
}

// TestFaultsAreShortAndPrintable has an API that returns what nobody should have.
func TestFaultsAreShortAndPrintable(t *testing.T) {
	long := exotel.User{ID: "\x1b" + strings.Repeat("é", 1000), Email: "\x9b"}
	for i := range 30 {
		long.Devices = append(long.Devices, sipDevice(fmt.Sprint("\n", i), strings.Repeat("\u202e", 1000)))
	}
	var w Wanted
	w.Add(Reference{UserID: long.ID})
	x := NewIndex(&w, []exotel.User{long})
	for _, r := range []Reference{{UserID: long.ID}, {UserID: long.ID, Email: "a@example.com"}, {UserID: long.ID, DeviceID: "\x00"}} {
		_, fault := x.One(r)
		if fault == nil || len(fault.Text) > 10_000 || strings.ContainsFunc(fault.Text, func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("%+v", fault)
		}
	}
	if _, fault := x.One(Reference{UserID: long.ID}); !strings.HasSuffix(fault.Text, ", and 20 more") {
		t.Errorf("%+v", fault)
	}
}

func TestCompletingARow(t *testing.T) {
	users := []exotel.User{{ID: "a1", Email: "asha@example.com", Devices: []exotel.Device{{ID: "7", Type: "tel"}, sipDevice("1", "asha1@voip.exotel.com")}}}
	for _, c := range []struct {
		name          string
		row, want     batch.Row
		fault         string
		faultByItself bool // is seen without the account
	}{
		{"by email", batch.Row{Line: 2, Email: "Asha@Example.com"}, batch.Row{Line: 2, UserID: "a1", DeviceID: "1", SIPID: "asha1", Email: "Asha@Example.com"}, "", false},
		{"by SIP id", batch.Row{SIPID: "sip:asha1@x"}, batch.Row{UserID: "a1", DeviceID: "1", SIPID: "sip:asha1@x", Email: "asha@example.com"}, "", false},
		{"by user id", batch.Row{UserID: "A-1"}, batch.Row{UserID: "a1", DeviceID: "1", SIPID: "asha1", Email: "asha@example.com"}, "", false},
		{"by both ids", batch.Row{UserID: "x", DeviceID: "9", SIPID: "old"}, batch.Row{UserID: "x", DeviceID: "9", SIPID: "old"}, "", false},
		{"unknown", batch.Row{SIPID: "x"}, batch.Row{SIPID: "x"}, `"x" is unknown: no SIP device of the account has it`, false},
		{"no SIP id", batch.Row{SIPID: "sip:@x", UserID: "a1"}, batch.Row{SIPID: "sip:@x", UserID: "a1"}, `"sip:@x" holds no SIP id`, true},
		{"a device id alone", batch.Row{DeviceID: "1"}, batch.Row{DeviceID: "1"}, "names no user: a SIP id, an email or a user id is needed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w Wanted
			if fault := w.AddRow(&c.row); (fault != nil) != c.faultByItself {
				t.Errorf("by itself: %+v", fault)
			}
			if (w.Cost().Wanted == 0) != (c.faultByItself || c.row.UserID != "" && c.row.DeviceID != "") {
				t.Errorf("%d names are looked up", len(w.order))
			}
			fault := NewIndex(&w, users).Complete(&c.row)
			if (fault != nil) != (c.fault != "") || fault != nil && fault.Text != c.fault {
				t.Errorf("%+v", fault)
			}
			if diff := cmp.Diff(c.want, c.row, secrets); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

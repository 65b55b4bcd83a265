package exoteltest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"siprotate/exotel"
)

func TestListShape(t *testing.T) {
	s := New(Options{})
	if err := s.account.addUser(exotel.User{
		ID: "0f3c", FirstName: "Asha", LastName: `"R"`, Email: "asha@example.com",
		Role: "user", Devices: []exotel.Device{
			{ID: "490038", Name: "Phone", Type: "tel", Status: "free", ContactURI: "+910999999999", Verified: true},
			{ID: "49x", Name: "SIP", Type: "sip", Status: "free", ContactURI: "sip:asha", Available: true},
			{ID: "0123", Name: "SIP", Type: "sip", Status: "free"},
		},
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.account.addUser(exotel.User{ID: "0f3d", Role: "admin"}); err != nil {
		t.Fatal(err)
	}
	const (
		head  = `{"request_id":"id","method":"GET","http_code":200,`
		meta  = `"metadata":{"total":2,"count":2,"offset":0,"limit":20},`
		entry = `{"code":200,"error_data":null,"status":"success","data":`
		asha  = `{"id":"0f3c","first_name":"Asha","last_name":"\"R\"","email":"asha@example.com","email_verified":true,"role":"user"`
		admin = `{"id":"0f3d","first_name":"","last_name":"","role":"admin"`
		phone = `{"id":490038,"name":"Phone","contact_uri":"+910999999999","type":"tel","available":false,"verified":true,"status":"free"}`
		sip   = `{"id":"49x","name":"SIP","contact_uri":"sip:asha","type":"sip","available":true,"verified":false,"status":"free"}`
		bare  = `{"id":"0123","name":"SIP","type":"sip","available":false,"verified":false,"status":"free"}`
		all   = `,"devices":[` + phone + `,` + sip + `,` + bare + `]`
	)
	wantSaid(t, ask(t, s, newRequest(t, "GET", users, "")), 200,
		head+meta+`"response":[`+entry+asha+`}},`+entry+admin+`}}]}`)
	wantSaid(t, ask(t, s, newRequest(t, "GET", users+"?fields=x,devices", "")), 200,
		head+meta+`"response":[`+entry+asha+all+`}},`+entry+admin+`,"devices":[]}}]}`)
	wantSaid(t, ask(t, s, newRequest(t, "GET", users+"/0f3c?fields=devices", "")), 200,
		head+`"response":`+entry+asha+all+`}}}`)
	wantSaid(t, ask(t, s, newRequest(t, "GET", users+"/0f3d", "")), 200, head+`"response":`+entry+admin+`}}}`)

	s.opt.TextIDs = true
	if got := ask(t, s, newRequest(t, "GET", users+"/0f3c?fields=devices", "")); !strings.Contains(got.body, `{"id":"490038",`) {
		t.Errorf("ids are no strings: %s", got.body)
	}
}

func TestOneUserThatIsNotThere(t *testing.T) {
	got := ask(t, New(Options{}), newRequest(t, "GET", users+"/nobody", ""))
	if code := errorCode(t, got.body); got.status != 404 || code != "10801" {
		t.Errorf("%d with %s", got.status, code)
	}
}

// A listed is a list's answer, as far as these tests look.
type listed struct {
	status   int
	null     bool // the response is null
	metadata struct{ Total, Count, Offset, Limit int }
	ids      []string
}

func list(t *testing.T, s *Server, query string) listed {
	t.Helper()
	got := ask(t, s, newRequest(t, "GET", users+"?"+query, ""))
	l := listed{status: got.status}
	if l.status != 200 {
		return l
	}
	var page struct {
		Metadata struct{ Total, Count, Offset, Limit int }
		Response []struct{ Data struct{ ID string } }
	}
	if err := json.Unmarshal([]byte(got.body), &page); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	l.null = page.Response == nil
	l.metadata = page.Metadata
	for _, u := range page.Response {
		l.ids = append(l.ids, u.Data.ID)
	}
	return l
}

func idsOf(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, GeneratedUser(i).ID)
	}
	return ids
}

func TestPaging(t *testing.T) {
	s := New(Options{Users: 45})
	tests := []struct {
		query    string
		status   int
		from, to int
		limit    int
	}{
		{"", 200, 0, 20, 20},
		{"limit=50", 200, 0, 45, 50},
		{"limit=30&offset=0", 200, 0, 30, 30},
		{"limit=30&offset=30", 200, 30, 45, 30},
		{"offset=44", 200, 44, 45, 20},
		{"offset=45", 200, 0, 0, 20},
		{"offset=9999", 200, 0, 0, 20},
		{"offset=9223372036854775807", 200, 0, 0, 20},
		{"limit=51", 400, 0, 0, 0},
		{"limit=0", 400, 0, 0, 0},
		{"limit=x", 400, 0, 0, 0},
		{"offset=-1", 400, 0, 0, 0},
	}
	for _, tt := range tests {
		got := list(t, s, tt.query)
		if got.status != tt.status {
			t.Errorf("%q: status %d, want %d", tt.query, got.status, tt.status)
		}
		if diff := cmp.Diff(idsOf(tt.from, tt.to), got.ids); diff != "" {
			t.Errorf("%q: %s", tt.query, diff)
		}
		m := got.metadata
		if tt.status == 200 && (m.Total != 45 || m.Count != tt.to-tt.from || m.Limit != tt.limit) {
			t.Errorf("%q: metadata %+v", tt.query, m)
		}
	}
}

func TestFilters(t *testing.T) {
	s := New(Options{Users: 100})
	sip := func(i int) string { return GeneratedUser(i).Devices[1].ContactURI }
	mail := func(i int) string { return GeneratedUser(i).Email }
	const withPlus = 6
	tests := []struct {
		name         string
		email, uri   []string
		want         []int
		literalQuery string
	}{
		{name: "one email", email: []string{mail(3)}, want: []int{3}},
		{name: "emails in the account's order, in any case", email: []string{strings.ToUpper(mail(9)), mail(3), "no@example.com"}, want: []int{3, 9}},
		{name: "one twice, in two spellings", email: []string{mail(3), strings.ToUpper(mail(3))}, want: []int{3}},
		{name: "a plus", email: []string{mail(withPlus)}, want: []int{withPlus}},
		{name: "a plus that is not escaped is a space", literalQuery: "email=" + mail(withPlus)},
		{name: "SIP ids with and without scheme", uri: []string{sip(1), strings.TrimPrefix(sip(2), "sip:")}, want: []int{1, 2}},
		{name: "a number", uri: []string{GeneratedUser(5).Devices[0].ContactURI}, want: []int{5}},
		{name: "both filters", email: []string{mail(1), mail(2)}, uri: []string{sip(2), sip(3)}, want: []int{2}},
		{name: "half a SIP id", uri: []string{sip(1)[:8]}},
		{name: "an empty element meets nobody", email: []string{"", mail(1)}, want: []int{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := url.Values{}
			if tt.email != nil {
				q.Set("email", strings.Join(tt.email, ","))
			}
			if tt.uri != nil {
				q.Set("devices.contact_uri", strings.Join(tt.uri, ","))
			}
			query := q.Encode()
			if tt.literalQuery != "" {
				query = tt.literalQuery
			}
			var want []string
			for _, i := range tt.want {
				want = append(want, GeneratedUser(i).ID)
			}
			got := list(t, s, query)
			if diff := cmp.Diff(want, got.ids); diff != "" || got.metadata.Total != len(want) {
				t.Errorf("total %d\n%s", got.metadata.Total, diff)
			}
		})
	}
}

func TestPagesOfAFilteredList(t *testing.T) {
	s := New(Options{Users: 100})
	var uris []string
	for i := range 30 {
		uris = append(uris, GeneratedUser(3 * i).Devices[1].ContactURI)
	}
	filter := "&devices.contact_uri=" + url.QueryEscape(strings.Join(uris, ","))
	for _, tt := range []struct{ offset, count int }{{0, 10}, {10, 10}, {25, 5}} {
		got := list(t, s, fmt.Sprintf("offset=%d&limit=10%s", tt.offset, filter))
		if got.metadata.Total != 30 || got.metadata.Count != tt.count || got.ids[0] != GeneratedUser(3*tt.offset).ID {
			t.Errorf("offset %d: %+v", tt.offset, got)
		}
	}
}

func TestEmptyListMayBeNull(t *testing.T) {
	for _, null := range []bool{false, true} {
		s := New(Options{NullWhenEmpty: null})
		if got := list(t, s, "email=no@example.com"); got.null != null {
			t.Errorf("NullWhenEmpty %v: filtered list is null: %v", null, got.null)
		}
		if got := list(t, s, ""); got.null {
			t.Errorf("NullWhenEmpty %v: unfiltered list is null", null)
		}
	}
}

func TestTotalMayLie(t *testing.T) {
	s := New(Options{Users: 3, Total: func(n int) int { return n + 100 }})
	if got := list(t, s, ""); got.metadata.Total != 103 || got.metadata.Count != 3 {
		t.Errorf("%+v", got.metadata)
	}
}

func TestUsersMayComeAndGoWhilePaging(t *testing.T) {
	var s *Server
	var offsets []int
	s = New(Options{Users: 41, OnList: func(offset int) {
		offsets = append(offsets, offset)
		switch offset {
		case 20:
			s.RemoveUser(GeneratedUser(0).ID)
		case 40:
			if err := s.AddDevice("new", "1", "", ""); err != nil {
				t.Error(err)
			}
		}
	}})
	var ids []string
	for _, query := range []string{"", "offset=20", "offset=40"} {
		ids = append(ids, list(t, s, query).ids...)
	}
	if diff := cmp.Diff([]int{0, 20, 40}, offsets); diff != "" {
		t.Error(diff)
	}
	// The removal pulled user 20 to the first page, after that had been read.
	want := append(append(idsOf(0, 20), idsOf(21, 41)...), "new")
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if got := list(t, s, ""); got.metadata.Total != 41 || got.ids[0] != GeneratedUser(1).ID {
		t.Errorf("%+v", got)
	}
}

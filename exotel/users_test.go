package exotel

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const asha = `{"code":200,"error_data":null,"status":"success","data":{
	"id":"0f3c","first_name":"Asha","last_name":"Rao","email":"asha@example.com","email_verified":true,"role":"user",
	"devices":[
		{"id":490038,"name":"Phone","contact_uri":"+919999999999","type":"tel","available":false,"verified":true,"status":"free"},
		{"id":"490039","name":"SIP","contact_uri":"sip:ashar1a2b3c4d","type":"sip","available":true,"verified":true,"status":"free"}]}}`

func ashaUser() User {
	return User{
		ID: "0f3c", FirstName: "Asha", LastName: "Rao", Email: "asha@example.com", Role: "user",
		Devices: []Device{
			{ID: "490038", Name: "Phone", ContactURI: "+919999999999", Type: "tel", Verified: true, Status: "free"},
			{ID: "490039", Name: "SIP", ContactURI: "sip:ashar1a2b3c4d", Type: "sip", Available: true, Verified: true, Status: "free"},
		},
	}
}

func listing(metadata, response string) string {
	return `{"request_id":"r2","method":"GET","http_code":200,"metadata":` + metadata + `,"response":` + response + `}`
}

func TestUsersPages(t *testing.T) {
	const metadata = `{"total":45,"count":1,"offset":20,"limit":20}`
	answer := Answer{HTTPCode: 200, RequestID: "r2"}
	tests := []struct {
		name, body string
		want       Page
	}{
		{"one", listing(metadata, `[`+asha+`]`), Page{
			Users: []User{ashaUser()}, Count: 1, Total: 45, HasTotal: true, Offset: 20, Limit: 20, Answer: answer,
		}},
		{"object", listing(metadata, asha), Page{
			Users: []User{ashaUser()}, Count: 1, Total: 45, HasTotal: true, Offset: 20, Limit: 20, Answer: answer,
		}},
		{"empty", listing(`{"total":0}`, `[]`), Page{HasTotal: true, Answer: answer}},
		{"null", listing(`null`, `null`), Page{Answer: answer}},
		{"failed entries are left out but counted", listing(`{"total":"3"}`,
			`[{"code":404,"status":"failure","data":null},`+asha+`,{"code":200,"status":"failure","data":{"id":1}},null]`), Page{
			Users: []User{ashaUser()}, Count: 4, Total: 3, HasTotal: true, Answer: answer,
		}},
		{"absurd metadata", listing(`{"total":-1,"offset":1.5,"limit":"many"}`, `[]`), Page{Answer: answer}},
		{"metadata of another kind", listing(`[1]`, `[]`), Page{Answer: answer}},
		{"no metadata", `{"request_id":"r2","response":[]}`, Page{Answer: answer}},
		{"ids beyond floats", listing(`{}`, `[{"code":"200","status":"success","data":{"id":12345678901234567890,"devices":[{"id":9007199254740993}]}}]`), Page{
			Users: []User{{ID: "12345678901234567890", Devices: []Device{{ID: "9007199254740993"}}}}, Count: 1, Answer: answer,
		}},
		{"null fields", listing(`{}`, `[{"code":200,"status":"success","data":{"id":"a","email":null,"devices":null}}]`), Page{
			Users: []User{{ID: "a"}}, Count: 1, Answer: answer,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				io.WriteString(w, test.body)
			})
			page, err := c.Users(t.Context(), Query{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, page); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUsersFailures(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string // behaviour; a listing is never ambiguous
	}{
		{"HTML", 200, "<html>", "R"},
		{"cut", 200, listing(`{}`, `[`+asha), "R"},
		{"no response", 200, `{"metadata":{"total":0}}`, "R"},
		{"text response", 200, listing(`{}`, `"none"`), "R"},
		{"array of numbers", 200, listing(`{}`, `[1]`), "R"},
		{"a user without an id", 200, listing(`{}`, `[{"code":200,"status":"success","data":{"email":"a@example.com"}}]`), "R"},
		{"a user that is null", 200, listing(`{}`, `[{"code":200,"status":"success","data":null}]`), "R"},
		{"a user that is text", 200, listing(`{}`, `[{"code":200,"status":"success","data":"x"}]`), "R"},
		{"devices of another kind", 200, listing(`{}`, `[{"code":200,"status":"success","data":{"id":1,"devices":"x"}}]`), "R"},
		{"inner 401", 200, inner("401", "null"), "F"},
		{"inner 400", 200, inner("400", `{"code":1002}`), ""},
		{"two totals", 200, listing(`{"total":1,"total":2}`, `[]`), "R"},
		{"a failed list", 200, strings.Replace(listing(`{}`, `[]`), `"http_code":200`, `"http_code":500`, 1), "R"},
		{"exception", 200, `{"RestException":{"Status":429},"response":[]}`, "R"},
		{"inner 429", 200, `{"RestException":{"Status":429}}`, "RT"},
		{"401", 401, failure("401", "null"), "F"},
		{"404 with a list", 404, listing(`{}`, `[]`), "R"},
		{"429", 429, "", "RT"},
		{"500", 500, "", "R"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			page, err := c.Users(t.Context(), Query{})
			if e := fails(t, err); behaviour(e) != test.want || page != nil || !strings.HasPrefix(e.Error(), "list users: ") {
				t.Errorf("page %v, error %v: %q, want %q", page, err, behaviour(e), test.want)
			}
		})
	}
}

func TestUsersRequest(t *testing.T) {
	var got *http.Request
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		io.WriteString(w, listing(`{}`, `[]`))
	})
	tests := []struct {
		name  string
		query Query
		want  url.Values
	}{
		{"first page", Query{}, url.Values{"fields": {"devices"}, "offset": {"0"}, "limit": {"50"}}},
		{"later page", Query{Offset: 40, Limit: 20}, url.Values{"fields": {"devices"}, "offset": {"40"}, "limit": {"20"}}},
		{"filters", Query{Emails: []string{"a+b@example.com", "ä&b=c@example.com"}, ContactURIs: []string{"sip:x", "+919999999999"}}, url.Values{
			"fields": {"devices"}, "offset": {"0"}, "limit": {"50"},
			"email":               {"a+b@example.com,ä&b=c@example.com"},
			"devices.contact_uri": {"sip:x,+919999999999"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := c.Users(t.Context(), test.query); err != nil {
				t.Fatal(err)
			}
			if got.Method != http.MethodGet || got.URL.Path != "/v2/accounts/sid1/users" || got.ContentLength != 0 {
				t.Errorf("request %s %s", got.Method, got.URL)
			}
			if diff := cmp.Diff(test.want, got.URL.Query()); diff != "" {
				t.Errorf("query: -want +got:\n%s", diff)
			}
			if strings.Contains(got.URL.RawQuery, "+") {
				t.Errorf("query %q has a bare +", got.URL.RawQuery)
			}
			if user, token, _ := got.BasicAuth(); user != testKey || token != testToken {
				t.Errorf("credentials %q %q", user, token)
			}
		})
	}
}

func TestUser(t *testing.T) {
	var target, body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		target = r.Method + " " + r.RequestURI
		w.Header()["Date"] = nil
		if body == "" {
			w.WriteHeader(404)
			io.WriteString(w, failure("404", `{"code":10801,"message":"User not found"}`))
		}
		io.WriteString(w, body)
	})
	body = listing("null", asha)
	page, err := c.User(t.Context(), "0F-3c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Page{Users: []User{ashaUser()}, Count: 1, Answer: Answer{HTTPCode: 200, RequestID: "r2"}}, page); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := "GET /v2/accounts/sid1/users/0F-3c?fields=devices"; target != want {
		t.Errorf("request %q, want %q", target, want)
	}
	for body, reason := range map[string]string{
		listing("null", strings.Replace(asha, "0f3c", "0f3d", 1)): "no verdict: " + problemOtherUser,
		listing("null", "null"):                                   "no verdict: " + problemOtherUser,
		listing("null", "["+asha+","+asha+"]"):                    "no verdict: " + problemOtherUser,
	} {
		_, err := respond(t, 200, []byte(body)).User(t.Context(), "0f3c")
		if e := fails(t, err); e.Reason() != reason || e.Ambiguous() || !e.Retryable() {
			t.Errorf("%v: reason %q, want %q", err, e.Reason(), reason)
		}
	}
	body = ""
	_, err = c.User(t.Context(), "0f3c")
	if e := fails(t, err); behaviour(e) != "" || e.Answer.ErrorCode != "10801" || !strings.HasPrefix(e.Error(), "get user: HTTP 404") {
		t.Errorf("unknown user: %v", err)
	}
	_, err = c.User(t.Context(), "a/b")
	if _, ok := errors.AsType[*IDError](err); !ok || behaviour(fails(t, err)) != "" {
		t.Errorf("error %v, want an IDError", err)
	}
}

func TestQueriesThatCannotBeSent(t *testing.T) {
	for _, query := range []Query{
		{Limit: -1}, {Limit: 51}, {Offset: -1},
		{Emails: []string{"a,b"}}, {Emails: []string{""}}, {ContactURIs: []string{"a", ""}}, {ContactURIs: []string{"a,b"}},
	} {
		_, err := query.encode()
		if _, ok := errors.AsType[*QueryError](err); !ok {
			t.Errorf("%+v: error %v, want a QueryError", query, err)
		}
	}
}

func TestListingLimit(t *testing.T) {
	body := &endless{}
	c := newClient(t, "https://api.example.com", roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body}, nil
	}))
	_, err := c.Users(t.Context(), Query{})
	if e := fails(t, err); e.Reason() != "no verdict: the answer exceeds 8 MiB" || body.read > maxListingBody+1 {
		t.Errorf("%v, having read %d bytes", err, body.read)
	}
}

func TestSIPID(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:ashar1a2b3c4d":                          "ashar1a2b3c4d",
		"SIP:ashar1a2b3c4d":                          "ashar1a2b3c4d",
		"sips:asha@voip.exotel.com":                  "asha",
		"sip:asha@voip.exotel.com:443;transport=tls": "asha",
		"sip:asha;transport=tls":                     "asha",
		"asha@voip.exotel.com":                       "asha",
		"asha":                                       "asha",
		"sipasha":                                    "sipasha",
		"sip:sip:asha":                               "sip:asha",
		"+919999999999":                              "+919999999999",
		"tel:+919999999999":                          "tel:+919999999999",
		"":                                           "",
		"sip:":                                       "",
	} {
		if got := SIPID(uri); got != want {
			t.Errorf("%q has SIP id %q, want %q", uri, got, want)
		}
	}
}

func TestSIP(t *testing.T) {
	for kind, want := range map[string]bool{"sip": true, "SIP": true, "tel": false, "": false} {
		if got := (Device{Type: kind}).SIP(); got != want {
			t.Errorf("type %q: %v, want %v", kind, got, want)
		}
	}
}

package exoteltest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"siprotate/exotel"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// compliant is a password that the vendor's policy accepts.
const compliant = "Example-Pass-1"

const users = "/v2/accounts/sandbox/users"

// passwordPath is the password call's path for a generated user's SIP device.
func passwordPath(u exotel.User) string {
	return users + "/" + u.ID + "/devices/" + u.Devices[1].ID + "/password"
}

func passwordBody(password string) string {
	text, err := json.Marshal(map[string]string{"password": password})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// newRequest returns a request with the right credentials and content type.
func newRequest(t testing.TB, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sandbox.test"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(DefaultCredential, DefaultCredential)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// A said is what a server said, its request id checked and replaced by "id".
type said struct {
	status int
	header http.Header
	body   string
}

var requestID = regexp.MustCompile(`"request_id":"[0-9a-f]{32}"`)

func ask(t testing.TB, s *Server, r *http.Request) said {
	t.Helper()
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ContentLength != int64(len(body)) {
		t.Errorf("a body of %d bytes, announced as %d", len(body), resp.ContentLength)
	}
	return said{resp.StatusCode, resp.Header, requestID.ReplaceAllString(string(body), `"request_id":"id"`)}
}

func put(t testing.TB, s *Server, u exotel.User, password string) said {
	t.Helper()
	return ask(t, s, newRequest(t, "PUT", passwordPath(u), passwordBody(password)))
}

func passwordOf(t testing.TB, s *Server, u exotel.User) string {
	t.Helper()
	password, known := s.Password(u.ID, u.Devices[1].ID)
	if !known {
		t.Fatalf("the SIP device of user %s is not known", u.ID)
	}
	return password
}

func wantSaid(t *testing.T, got said, status int, body string) {
	t.Helper()
	if got.status != status {
		t.Errorf("status %d, want %d", got.status, status)
	}
	if diff := cmp.Diff(body, got.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

const successBody = `{"request_id":"id","method":"PUT","http_code":200,"response":{"code":200,"error_data":null,"status":"success","data":null}}`

func TestSetPassword(t *testing.T) {
	s := New(Options{Users: 2})
	u := GeneratedUser(1)
	for _, password := range []string{compliant, compliant, `Quote-"\/-1 ü`} {
		got := put(t, s, u, password)
		wantSaid(t, got, 200, successBody)
		if got.header.Get("Content-Type") != "application/json" {
			t.Errorf("content type %q", got.header.Get("Content-Type"))
		}
		if now := passwordOf(t, s, u); now != password {
			t.Errorf("the device holds %q, not %q", now, password)
		}
	}
	if other := passwordOf(t, s, GeneratedUser(0)); other != "" {
		t.Errorf("another device holds %q", other)
	}
	if n := s.Stats().Applied; n != 3 {
		t.Errorf("%d applied", n)
	}
}

func TestPasswordCallRefusals(t *testing.T) {
	u := GeneratedUser(0)
	good := passwordPath(u)
	device := "/devices/" + u.Devices[1].ID + "/password"
	long := `{"password":"` + strings.Repeat("Aa1-", maxBody/4) + `"}`
	withHeader := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		path   string
		body   string
		change func(*http.Request)
		status int
		code   string
	}{
		{"another account", strings.Replace(good, "sandbox", "other", 1), "", nil, 401, "1010"},
		{"wrong token", good, "", func(r *http.Request) { r.SetBasicAuth(DefaultCredential, "wrong") }, 401, "1010"},
		{"wrong key", good, "", func(r *http.Request) { r.SetBasicAuth("wrong", DefaultCredential) }, 401, "1010"},
		{"no credentials", good, "", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "1010"},
		{"unknown user", users + "/nobody" + device, "", nil, 404, "10801"},
		{"unknown user, and a password against the policy", users + "/nobody" + device, passwordBody("lower-case"), nil, 404, "10801"},
		{"unknown device", users + "/" + u.ID + "/devices/1/password", "", nil, 404, "1000"},
		{"no such path", good + "/x", "", nil, 404, "1000"},
		{"slash in an id", users + "/" + u.ID + "%2Fdevices/1/password", "", nil, 404, "1000"},
		{"telephone", users + "/" + u.ID + "/devices/" + u.Devices[0].ID + "/password", "", nil, 403, "10817"},
		{"no content type", good, "", func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "1011"},
		{"form", good, "", withHeader("Content-Type", "application/x-www-form-urlencoded"), 415, "1011"},
		{"empty body", good, "-", nil, 400, "1007"},
		{"half a body", good, `{"password":"Example-P`, nil, 400, "1007"},
		{"more than a body", good, passwordBody(compliant) + "{}", nil, 400, "1007"},
		{"null", good, "null", nil, 400, "1007"},
		{"not UTF-8", good, "{\"password\":\"Example-Pass-1\xff\"}", nil, 400, "1007"},
		{"too large", good, long, nil, 400, "1007"},
		{"too large, of unknown length", good, long, func(r *http.Request) { r.ContentLength = -1 }, 400, "1007"},
		{"no password", good, `{"Password":"Example-Pass-1"}`, nil, 400, "1001"},
		{"null password", good, `{"password":null}`, nil, 400, "1001"},
		{"number", good, `{"password":12345678}`, nil, 400, "1002"},
		{"policy", good, passwordBody("lower-case"), nil, 400, "1002"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{Users: 1})
			body := tt.body
			if body == "" {
				body = passwordBody(compliant)
			}
			r := newRequest(t, "PUT", tt.path, strings.TrimPrefix(body, "-"))
			if tt.change != nil {
				tt.change(r)
			}
			got := ask(t, s, r)
			if code := errorCode(t, got.body); got.status != tt.status || code != tt.code {
				t.Errorf("%d with code %s, want %d with %s", got.status, code, tt.status, tt.code)
			}
			if p := passwordOf(t, s, u); p != "" {
				t.Errorf("the device holds %q", p)
			}
		})
	}
}

func errorCode(t *testing.T, body string) string {
	t.Helper()
	var envelope struct {
		Response struct {
			ErrorData struct{ Code json.Number } `json:"error_data"`
		}
	}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return envelope.Response.ErrorData.Code.String()
}

func TestRefusalShape(t *testing.T) {
	s := New(Options{})
	r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant))
	r.SetBasicAuth(DefaultCredential, "wrong")
	wantSaid(t, ask(t, s, r), 401, `{"request_id":"id","method":"PUT","http_code":401,"response":{"code":401,`+
		`"error_data":{"code":1010,"message":"Authorization failed","description":"Authorization failed"},"status":"failure","data":null}}`)
}

func TestContentTypeMayHaveParameters(t *testing.T) {
	s := New(Options{Users: 1})
	r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant))
	r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
	wantSaid(t, ask(t, s, r), 200, successBody)
}

func TestPolicyIsTheOptions(t *testing.T) {
	s := New(Options{Users: 1, Policy: func(password string) error {
		if password != "x" {
			return errors.New("not the letter")
		}
		return nil
	}})
	got := put(t, s, GeneratedUser(0), compliant)
	if got.status != 400 || !strings.Contains(got.body, `"description":"password: not the letter"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	wantSaid(t, put(t, s, GeneratedUser(0), "x"), 200, successBody)
}

func TestIDsAreUnescaped(t *testing.T) {
	s := New(Options{})
	if err := s.AddDevice("a/b ü", "%2", "", ""); err != nil {
		t.Fatal(err)
	}
	got := ask(t, s, newRequest(t, "PUT", users+"/a%2Fb%20%C3%BC/devices/%252/password", passwordBody(compliant)))
	wantSaid(t, got, 200, successBody)
}

func TestUnauthorizedAfter(t *testing.T) {
	s := New(Options{Users: 1, UnauthorizedAfter: 3, Limit: Limit{N: 2, Per: time.Hour}})
	for i, want := range []int{200, 200, 401, 401} {
		if got := put(t, s, GeneratedUser(0), compliant); got.status != want {
			t.Errorf("request %d: %d, want %d", i+1, got.status, want)
		}
	}
	if stats := s.Stats(); stats.Unauthorized != 2 || stats.Requests != 4 {
		t.Errorf("%+v", stats)
	}
}

func TestLimitAndHeaders(t *testing.T) {
	tests := []struct {
		name string
		opt  Options
		want []string // Limit, Remaining, Reset, Retry-After of each request
	}{
		{"none", Options{}, []string{",,,", ",,,", ",,,"}},
		{"retry after", Options{Headers: RetryAfter}, []string{",,,", ",,,", ",,,60"}},
		{"all", Options{Headers: AllHeaders}, []string{"2,1,946684860,", "2,0,946684860,", "2,0,946684860,60"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.opt.Users, tt.opt.Limit = 1, Limit{N: 2, Per: time.Minute}
				s := New(tt.opt)
				for i, want := range tt.want {
					got := put(t, s, GeneratedUser(0), compliant)
					if status := []int{200, 200, 429}[i]; got.status != status {
						t.Errorf("request %d: %d, want %d", i+1, got.status, status)
					}
					if h := rateHeader(got.header); h != want {
						t.Errorf("request %d: headers %s, want %s", i+1, h, want)
					}
					if date := time.Now().UTC().Format(http.TimeFormat); got.header.Get("Date") != date {
						t.Errorf("request %d: date %s, want %s", i+1, got.header.Get("Date"), date)
					}
				}
			})
		})
	}
}

func rateHeader(h http.Header) string {
	var values []string
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
		values = append(values, h.Get(name))
	}
	return strings.Join(values, ",")
}

func TestThrottledShapeAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Users: 1, Limit: Limit{N: 1, Per: 40 * time.Second}})
		u := GeneratedUser(0)
		wantSaid(t, put(t, s, u, compliant), 200, successBody)
		time.Sleep(10*time.Second + 1)
		wantSaid(t, put(t, s, u, "Example-Pass-2"), 429,
			`{"RestException":{"Status":429,"Message":"Rate limit exceeded. Try again in 30 seconds.","Code":"RATE_LIMIT_EXCEEDED"}}`)
		if p := passwordOf(t, s, u); p != compliant {
			t.Errorf("a refused request set %q", p)
		}
		time.Sleep(30*time.Second - 1)
		wantSaid(t, put(t, s, u, "Example-Pass-2"), 200, successBody)
		if stats := s.Stats(); stats.Refused != 1 || stats.Applied != 2 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestBusiest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Users: 1, Record: true})
		for _, pause := range []time.Duration{0, 5, 1, 1, 3, 20} {
			time.Sleep(pause * time.Second)
			put(t, s, GeneratedUser(0), compliant)
		}
		// The requests came at 0, 5, 6, 7, 10 and 30 seconds.
		for window, want := range map[time.Duration]int{1: 1, 2: 2, 3: 3, 5: 3, 6: 4, 10: 4, 11: 5, 30: 5, 31: 6} {
			if got := s.Busiest(window * time.Second); got != want {
				t.Errorf("within %d s: %d, want %d", window, got, want)
			}
		}
	})
	if n := New(Options{}).Busiest(time.Hour); n != 0 {
		t.Errorf("%d without a record", n)
	}
}

func TestRecordHoldsWhatCounted(t *testing.T) {
	s := New(Options{Users: 1, Record: true, Limit: Limit{N: 3, Per: time.Hour}})
	for range 5 {
		put(t, s, GeneratedUser(0), compliant)
	}
	r := newRequest(t, "GET", users, "")
	r.SetBasicAuth("wrong", "wrong")
	ask(t, s, r)
	if n := s.Busiest(time.Hour); n != 3 {
		t.Errorf("%d requests on record, want 3", n)
	}
}

func TestEqualSeedsGetEqualAnswers(t *testing.T) {
	faults := map[Fault]float64{HTTP500: 0.2, HTTP502HTML: 0.2, Inner409: 0.2}
	answers := func(seed uint64) (all []string) {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{Users: 1, Seed: seed, Faults: faults, Latency: time.Second, Jitter: time.Second})
			start := time.Now()
			for range 50 {
				resp, err := s.Transport().RoundTrip(newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant)))
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				all = append(all, time.Since(start).String()+string(body))
			}
		})
		return all
	}
	if diff := cmp.Diff(answers(1), answers(1)); diff != "" {
		t.Errorf("two servers with one seed differ:\n%s", diff)
	}
	if cmp.Equal(answers(1), answers(2)) {
		t.Error("two seeds gave the same answers")
	}
}

func TestOptionsValidate(t *testing.T) {
	for _, opt := range []Options{
		{Users: -1}, {UnauthorizedAfter: -1}, {Headers: 9}, {Latency: -1}, {Jitter: -1}, {SlowBy: -1},
		{Limit: Limit{N: 1}}, {Faults: map[Fault]float64{Slow: 2}}, {Faults: map[Fault]float64{"x": 0}},
	} {
		if opt.Validate() == nil {
			t.Errorf("%+v is valid", opt)
		}
	}
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New took invalid options")
		}
	}()
	New(Options{Users: -1})
}

func FuzzRequest(f *testing.F) {
	u := GeneratedUser(0)
	f.Add("PUT", passwordPath(u), "", passwordBody(compliant))
	f.Add("GET", users, "fields=devices&offset=0&limit=50&email=a%2Bb,c&devices.contact_uri=sip:x", "")
	f.Add("GET", users+"/"+u.ID, "fields=devices", "")
	f.Add("GET", users, "offset=-1&limit=99999999999999999999", "")
	s := New(Options{Users: 3, Headers: AllHeaders})
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawPath, r.URL.RawQuery = method, path, path, query
		r.SetBasicAuth(DefaultCredential, DefaultCredential)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if strings.HasPrefix(path, controlPrefix) {
			return
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d with %q", w.Code, w.Body)
		}
	})
}

func BenchmarkSetPassword(b *testing.B) {
	s := New(Options{Users: 1000})
	body := passwordBody(compliant)
	requests := make([]*http.Request, 1000)
	for i := range requests {
		requests[i] = newRequest(b, "PUT", passwordPath(GeneratedUser(i)), body)
	}
	w := discard{make(http.Header)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := requests[i%len(requests)]
		r.Body = io.NopCloser(strings.NewReader(body))
		s.ServeHTTP(w, r)
		i++
	}
}

// discard is a ResponseWriter at no cost of its own.
type discard struct{ header http.Header }

func (d discard) Header() http.Header           { return d.header }
func (discard) WriteHeader(int)                 {}
func (discard) Write(p []byte) (n int, _ error) { return len(p), nil }

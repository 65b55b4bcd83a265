package exotel

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey      = "canary-key"
	testToken    = "canary+token/=?"
	testPassword = "canary<P&ss>w0rd"

	accepting = `{"request_id":"r1","method":"PUT","http_code":200,"response":{"code":200,"error_data":null,"status":"success","data":null}}`
)

func testCredentials() (key, token string, err error) { return testKey, testToken, nil }

// newClient returns a client of the account "sid1" at baseURL.
func newClient(t testing.TB, baseURL string, transport http.RoundTripper) *Client {
	t.Helper()
	c, err := New(Config{
		BaseURL: baseURL, AccountSID: "sid1", Credentials: testCredentials, Connections: 4,
		UserAgent: "test/1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve returns a client of a server that answers with handler.
func serve(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.URL, nil)
}

// fails returns the error as an *Error, whatever else it is.
func fails(t testing.TB, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want an *Error", err, err)
	}
	return e
}

func TestSetPasswordRequest(t *testing.T) {
	var body, user, token, target string
	var header http.Header
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body, target, header = string(raw), r.Method+" "+r.RequestURI+" "+r.Proto, r.Header
		user, token, _ = r.BasicAuth()
		w.Header().Set("X-RateLimit-Limit", "50")
		w.Header()["Date"] = []string{"Sun, 01 Jun 2025 12:00:00 GMT"}
		io.WriteString(w, accepting)
	})
	answer, err := c.SetPassword(t.Context(), "user-1", "490039", testPassword)
	if err != nil {
		t.Fatal(err)
	}
	want := &Answer{
		HTTPCode: 200, Code: "200", Status: "success", RequestID: "r1",
		RateLimit: RateLimit{Limit: 50, Date: testDate},
	}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("answer: -want +got:\n%s", diff)
	}
	if want := `{"password":"canary<P&ss>w0rd"}`; body != want {
		t.Errorf("body %q, want %q", body, want)
	}
	if want := "PUT /v2/accounts/sid1/users/user-1/devices/490039/password HTTP/1.1"; target != want {
		t.Errorf("request %q, want %q", target, want)
	}
	if user != testKey || token != testToken {
		t.Errorf("credentials %q %q", user, token)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "test/1", "Expect": "",
	} {
		if got := strings.Join(header[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPasswordArrivesByteForByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.String().Draw(t, "password")
		body := passwordBody(password)
		var got map[string]string
		if err := json.Unmarshal(body, &got); err != nil || len(got) != 1 || got["password"] != password {
			t.Errorf("%q arrives as %q, error %v", password, got, err)
		}
	})
}

// Without its body at hand again, a request that meets a connection closed while
// idle would fail before its first byte.
func TestRequestsCanBeRewound(t *testing.T) {
	c := newClient(t, "https://api.example.com", roundTrip(func(r *http.Request) (*http.Response, error) {
		for range 2 {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			again, _ := io.ReadAll(body)
			if want := `{"password":"canary<P&ss>w0rd"}`; string(again) != want || r.ContentLength != int64(len(want)) {
				t.Errorf("body %q of %d bytes, want %q", again, r.ContentLength, want)
			}
		}
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(accepting))}, nil
	}))
	if _, err := c.SetPassword(t.Context(), "u", "1", testPassword); err != nil {
		t.Error(err)
	}
}

func TestNothingIsSentForWhatCannotBe(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came") })
	_, userErr := c.SetPassword(t.Context(), "..", "1", testPassword)
	_, deviceErr := c.SetPassword(t.Context(), "u", "1/2", testPassword)
	_, passwordErr := c.SetPassword(t.Context(), "u", "1", testPassword+"\xff")
	_, queryErr := c.Users(t.Context(), Query{Limit: 51})
	for _, err := range []error{userErr, deviceErr, passwordErr, queryErr} {
		if e := fails(t, err); e.Retryable() || e.Ambiguous() || e.Fatal() || e.Reason() == "" {
			t.Errorf("%v: want a plain failure with a reason", err)
		}
	}
	if _, ok := errors.AsType[*IDError](deviceErr); !ok {
		t.Errorf("error %v, want an IDError", deviceErr)
	}
	if _, ok := errors.AsType[*PolicyError](passwordErr); !ok {
		t.Errorf("error %v, want a PolicyError", passwordErr)
	}
}

func TestNewRefuses(t *testing.T) {
	refused := errors.New("no such file")
	tests := map[string]Config{
		"no base URL":          {AccountSID: "s", Credentials: testCredentials},
		"no account SID":       {BaseURL: "https://api.example.com", Credentials: testCredentials},
		"no credentials":       {BaseURL: "https://api.example.com", AccountSID: "s"},
		"negative connections": {BaseURL: "https://api.example.com", AccountSID: "s", Credentials: testCredentials, Connections: -1},
		"line in user agent":   {BaseURL: "https://api.example.com", AccountSID: "s", Credentials: testCredentials, UserAgent: "a\r\nb"},
	}
	for name, pair := range map[string][2]string{
		"empty key": {"", testToken}, "empty token": {testKey, ""}, "colon in key": {"canary:key", testToken}, "line end in token": {testKey, testToken + "\n"},
	} {
		tests[name] = Config{BaseURL: "https://api.example.com", AccountSID: "s", Credentials: func() (string, string, error) { return pair[0], pair[1], nil }}
	}
	tests["failing credentials"] = Config{BaseURL: "https://api.example.com", AccountSID: "s", Credentials: func() (string, string, error) { return "", "", refused }}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := New(config)
			if err == nil || c != nil {
				t.Fatalf("client %v and error %v, want an error alone", c, err)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error %q shows a secret", err)
			}
		})
	}
	if _, err := New(tests["failing credentials"]); !errors.Is(err, refused) {
		t.Errorf("error %v does not wrap its cause", err)
	}
}

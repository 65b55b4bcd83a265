package exotel

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// respond returns a client in memory whose every request gets this answer.
func respond(t testing.TB, status int, body []byte) *Client {
	return newClient(t, "https://api.example.com", roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
	}))
}

// saysSuccess is the rule for success, said once more in another way: somewhere
// in the one response stands a code of 200, and a status of success.
func saysSuccess(status int, body []byte) bool {
	var envelope map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if status != 200 || !json.Valid(body) || decoder.Decode(&envelope) != nil {
		return false
	}
	for name, value := range envelope {
		response, ok := value.(map[string]any)
		if ok && strings.EqualFold(name, "response") && field(response, "code", "200") && field(response, "status", "success") {
			return true
		}
	}
	return false
}

func field(object map[string]any, name, want string) bool {
	for key, value := range object {
		if !strings.EqualFold(key, name) {
			continue
		}
		if value == want || value == json.Number(want) {
			return true
		}
	}
	return false
}

func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		accepting, inner("409", `{"code":1008,"message":"Duplicate resource"}`), failure("400", `{"code":1002}`),
		`{"RestException":{"Status":429,"Message":"Rate limit exceeded. Try again in 30 seconds.","Code":"RATE_LIMIT_EXCEEDED"}}`,
		listing(`{"total":45,"count":20,"offset":0,"limit":20}`, "["+asha+"]"), "", "null", "<html>", accepting[:60],
		response200(`"code":200,"code":409,"status":"success","Status":null`), response200(`"code":200,"Code":409,"status":"success"`),
	} {
		f.Add(200, []byte(body))
		f.Add(400, []byte(body))
		f.Add(503, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		c := respond(t, status, body)
		checkListing(t, c, status)
		answer, err := c.SetPassword(t.Context(), "u", "1", testPassword)
		if err == nil {
			if !saysSuccess(status, body) || answer.HTTPCode != 200 {
				t.Errorf("status %d with %q is taken for a success", status, body)
			}
			return
		}
		checkConsistent(t, fails(t, err))
		if saysSuccess(200, body) && !fails(t, err).Ambiguous() {
			t.Errorf("status %d with %q is taken for %v", status, body, err)
		}
		if status == 200 && string(body) == accepting {
			t.Errorf("a success is taken for %v", err)
		}
	})
}

func checkListing(t *testing.T, c *Client, status int) {
	page, err := c.Users(t.Context(), Query{})
	if err != nil {
		checkConsistent(t, fails(t, err))
		return
	}
	if status != 200 || page.Count < len(page.Users) || page.Total < 0 || page.Offset < 0 || page.Limit < 0 {
		t.Errorf("status %d with page %+v", status, page)
	}
	for _, user := range page.Users {
		if user.ID == "" {
			t.Errorf("a user without an id: %+v", user)
		}
	}
}

// checkConsistent checks what holds for every error.
func checkConsistent(t *testing.T, e *Error) {
	switch {
	case e.Fatal() && (e.Retryable() || e.Ambiguous()):
		t.Errorf("%v is fatal and yet retryable or ambiguous", e)
	case e.Ambiguous() && !e.Retryable():
		t.Errorf("%v is ambiguous and not retryable, so its row could never be settled", e)
	case e.RefusesPassword() && (e.Retryable() || e.Ambiguous() || e.Fatal()):
		t.Errorf("%v refuses the password, and yet more", e)
	case e.Throttled() && (e.Ambiguous() || !e.Retryable()):
		t.Errorf("%v is throttled, and yet ambiguous or not retryable", e)
	case e.Answer.HTTPCode >= 500 && e.Op == opSetPassword && !e.Ambiguous():
		t.Errorf("%v is not ambiguous", e)
	case len(e.Answer.ErrorMessage) > maxText+len("…"):
		t.Errorf("a message of %d bytes", len(e.Answer.ErrorMessage))
	}
	_ = e.Hint()
}

func TestText(t *testing.T) {
	for source, want := range map[string]string{
		`"a"`: "a", `""`: "", `"a\u00e4\n\"b"`: "aä\n\"b", "\"\xff\"": "\ufffd", `490039`: "490039", `-1.50e3`: "-1.50e3",
		`12345678901234567890123`: "12345678901234567890123", `null`: "", `true`: "true", `["a"]`: `["a"]`, `{}`: "{}",
	} {
		b, problem := parseBody([]byte(`{"x":` + source + `}`))
		if got := b.text("x"); problem != "" || got != want {
			t.Errorf("%s reads as %q, problem %q; want %q", source, got, problem, want)
		}
	}
}

// The client's own share of a request: no network, and the least answer.
func BenchmarkSetPassword(b *testing.B) {
	head := http.Header{"Date": {"Sun, 01 Jun 2025 12:00:00 GMT"}, "Content-Type": {"application/json"}}
	c := newClient(b, "https://api.example.com", roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: head, Body: io.NopCloser(strings.NewReader(accepting))}, nil
	}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.SetPassword(b.Context(), "0f3c5e0f3c5e0f3c5e0f3c5e0f3c5e00", "490039", testPassword); err != nil {
			b.Fatal(err)
		}
	}
}

package rotation

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
	"siprotate/batch/pace"
	"siprotate/exotel"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// untrusted stands for a server whose certificate is not valid.
const untrusted = -1

// ends returns what a listing ends with when the API answers with a status, or, for
// 0, cannot be reached.
func ends(t *testing.T, status int) error {
	t.Helper()
	client, err := exotel.New(exotel.Config{
		BaseURL: "http://127.0.0.1", AccountSID: "sample",
		Credentials: func() (key, token string, err error) { return "sample-key", "sample-token", nil },
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			switch status {
			case 0:
				return nil, syscall.ECONNREFUSED
			case untrusted:
				return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
			}
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Users(t.Context(), exotel.Query{})
	return err
}

// TestOutages tells of a time without answers once, and of its end.
func TestOutages(t *testing.T) {
	refused, down, limited, unauthorized := ends(t, 0), ends(t, 503), ends(t, 429), ends(t, 401)
	start := time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)
	unasked := ends(t, untrusted)
	type request struct {
		at  float64 // seconds after the start
		err error
	}
	many := make([]request, outageRequests)
	for i := range many {
		many[i].err = refused
	}
	for name, c := range map[string]struct {
		requests []request
		want     []Event
	}{
		"a few over some time":    {[]request{{0, refused}, {1, refused}, {3, down}}, []Event{Unanswered{start, "no verdict: the answer's status is 503"}}},
		"a few at once":           {[]request{{0, refused}, {0, refused}, {2.9, refused}}, nil},
		"two over a long time":    {[]request{{0, refused}, {60, refused}}, nil},
		"many at once":            {many, []Event{Unanswered{start, "connection refused"}}},
		"an answer in between":    {[]request{{0, refused}, {1, nil}, {2, refused}, {4, refused}}, nil},
		"a refusal is an answer":  {[]request{{0, refused}, {1, unauthorized}, {2, refused}, {4, refused}}, nil},
		"a 429 is neither":        {[]request{{0, refused}, {1, limited}, {2, refused}, {4, refused}}, []Event{Unanswered{start, "connection refused"}}},
		"one request unsent":      {append(many[:len(many):len(many)], request{5, unasked}), []Event{Unanswered{start, "connection refused"}}},
		"all of one row":          {many, nil},
		"only 429s":               {[]request{{0, limited}, {4, limited}, {9, limited}, {10, limited}}, nil},
		"its end":                 {append(many[:len(many):len(many)], request{70, down}, request{90, nil}, request{91, nil}), []Event{Unanswered{start, "connection refused"}, Answering{90 * time.Second}}},
		"another one soon after":  {append(many[:len(many):len(many)], request{5, nil}, request{6, down}, request{8, down}, request{10, down}, request{59, down}, request{60, nil}), []Event{Unanswered{start, "connection refused"}, Answering{5 * time.Second}}},
		"another one a while off": {append(many[:len(many):len(many)], request{5, nil}, request{6, down}, request{8, down}, request{60, down}), []Event{Unanswered{start, "connection refused"}, Answering{5 * time.Second}, Unanswered{start.Add(6 * time.Second), "no verdict: the answer's status is 503"}}},
	} {
		var got []Event
		o := &outage{events: func(e Event) { got = append(got, e) }}
		for i, r := range c.requests {
			row := i
			if name == "all of one row" {
				row = 7
			}
			o.note(row, r.err, start.Add(time.Duration(r.at*float64(time.Second))))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What could not be sent has not failed: the old password stands.
func TestUnsentRowsHaveNotFailed(t *testing.T) {
	client, err := exotel.New(exotel.Config{
		BaseURL: "http://127.0.0.1:1", AccountSID: "sample",
		Credentials: func() (key, token string, err error) { return "sample-key", "sample-token", nil },
	})
	must(t, err)
	var working Working
	r := Rotation{
		Dir: filepath.Join(t.TempDir(), "users.run"), Client: client,
		Engine: batch.Config{MaxAttempts: 1}, Pace: pace.Options{Rate: pace.Unlimited},
		Events: func(e Event) {
			if w, ok := e.(Working); ok {
				working = w
			}
		},
	}
	must(t, planned(t, r.Dir, 3, provedRow).Close())
	digest, err := r.Resume(t.Context())
	if digest.Summary.NotAttempted != 3 {
		t.Fatalf("%+v, %v", digest.Summary.Counts, err)
	}
	if p := working.Progress(); p.Done != 3 || p.Failed != 0 {
		t.Errorf("%d done, %d failed", p.Done, p.Failed)
	}
}

// unheard returns an outage of which nobody hears.
func unheard() *outage { return &outage{events: func(Event) {}} }

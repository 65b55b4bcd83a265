package exoteltest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A faultCase is what a client sees of a fault, and what became of its password.
type faultCase struct {
	fault   Fault
	set     bool
	status  int // 0: no answer
	err     error
	bodyErr error
	body    string // a part of it
	after   time.Duration
}

var faultCases = []faultCase{
	{fault: "", set: true, status: 200, body: `"status":"success"`},
	{fault: ResetBefore, set: false, err: syscall.ECONNRESET},
	{fault: ResetAfter, set: true, err: syscall.ECONNRESET},
	{fault: HTTP500, set: false, status: 500, body: `"error_data":{"code":1100,`},
	{fault: HTTP500After, set: true, status: 500, body: `"error_data":{"code":1100,`},
	{fault: HTTP503, set: false, status: 503, body: `{"RestException":{"Status":503,`},
	{fault: Inner409, set: false, status: 200, body: `"response":{"code":409,"error_data":{"code":1008,`},
	{fault: CutBody, set: true, status: 200, bodyErr: io.ErrUnexpectedEOF, body: `{"request_id":"`},
	{fault: HTML200, set: false, status: 200, body: `<!DOCTYPE html>`},
	{fault: Slow, set: true, status: 200, body: `"status":"success"`, after: time.Minute},
	{fault: Throttle429, set: false, status: 429, body: `"Code":"RATE_LIMIT_EXCEEDED"`},
}

func (f faultCase) options() Options {
	opt := Options{Users: 1, Headers: RetryAfter}
	if f.fault != "" {
		opt.Faults = map[Fault]float64{f.fault: 1}
	}
	return opt
}

// meet sends one password call through a client and compares.
func (f faultCase) meet(t *testing.T, s *Server, client http.RoundTripper, target string) {
	t.Helper()
	r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant))
	r.URL.Host = target
	resp, err := client.RoundTrip(r)
	if !errors.Is(err, f.err) || (err != nil) != (f.err != nil) {
		t.Fatalf("error %v, want %v", err, f.err)
	}
	if (passwordOf(t, s, GeneratedUser(0)) == compliant) != f.set {
		t.Errorf("the password is set: %v, want %v", !f.set, f.set)
	}
	if n := s.Stats().Faults[f.fault]; f.fault != "" && n != 1 {
		t.Errorf("counted %d times", n)
	}
	if err != nil {
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != f.status || !errors.Is(err, f.bodyErr) || (err != nil) != (f.bodyErr != nil) {
		t.Errorf("status %d, body error %v; want %d, %v", resp.StatusCode, err, f.status, f.bodyErr)
	}
	if !strings.Contains(string(body), f.body) {
		t.Errorf("body %q lacks %q", body, f.body)
	}
	if again := resp.Header.Get("Retry-After"); (again == "2") != (f.status == 503 || f.status == 429) {
		t.Errorf("Retry-After %q with status %d", again, f.status)
	}
	if whole := resp.ContentLength; (whole > int64(len(body))) != (f.fault == CutBody) {
		t.Errorf("%d bytes of %d", len(body), whole)
	}
}

func TestFaultsInMemory(t *testing.T) {
	for _, f := range faultCases {
		t.Run("fault "+string(f.fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(f.options())
				start := time.Now()
				f.meet(t, s, s.Transport(), "sandbox.test")
				if took := time.Since(start); took != f.after {
					t.Errorf("took %v, want %v", took, f.after)
				}
			})
		})
	}
}

func TestBadGatewayGoesEitherWay(t *testing.T) {
	s := New(Options{Users: 1, Faults: map[Fault]float64{HTTP502HTML: 1}})
	const calls = 100
	for range calls {
		got := put(t, s, GeneratedUser(0), compliant)
		if got.status != 502 || !strings.Contains(got.body, "<h1>502 Bad Gateway</h1>") || got.header.Get("Content-Type") != "text/html" {
			t.Fatalf("%d %q", got.status, got.body)
		}
	}
	if n := s.Stats().Applied; n < calls/4 || n > calls*3/4 {
		t.Errorf("%d of %d took effect", n, calls)
	}
}

func TestFaultsCountAtTheLimiter(t *testing.T) {
	for _, f := range FaultNames() {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{Users: 1, Faults: map[Fault]float64{Fault(f): 1}, Limit: Limit{N: 1, Per: time.Hour}})
			r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant))
			s.Transport().RoundTrip(r)
			if got := put(t, s, GeneratedUser(0), compliant); got.status != 429 || s.Stats().Refused != 1 {
				t.Errorf("%s: then %d, with %+v", f, got.status, s.Stats())
			}
		})
	}
}

func TestListsMeetNoFault(t *testing.T) {
	s := New(Options{Users: 1, Faults: map[Fault]float64{ResetBefore: 1}})
	if got := list(t, s, ""); got.metadata.Count != 1 {
		t.Errorf("%+v", got)
	}
}

func TestLatencyStaysWithinItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const least, jitter = 300 * time.Millisecond, 200 * time.Millisecond
		s := New(Options{Users: 1, Latency: least, Jitter: jitter})
		var shortest, longest time.Duration
		for i := range 200 {
			start := time.Now()
			put(t, s, GeneratedUser(0), compliant)
			took := time.Since(start)
			if took < least || took > least+jitter {
				t.Fatalf("took %v", took)
			}
			if i == 0 || took < shortest {
				shortest = took
			}
			longest = max(longest, took)
		}
		if longest-shortest < jitter/2 {
			t.Errorf("from %v to %v: hardly any jitter", shortest, longest)
		}
	})
}

// TestEffectWithinTheLatency finds the instant of the effect on the record.
func TestEffectWithinTheLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = time.Second
		s := New(Options{Users: 1, Latency: latency, Record: true})
		var early, late bool
		for i := range 50 {
			sent := time.Now()
			put(t, s, GeneratedUser(0), compliant)
			effect := s.counted[i].Sub(sent)
			if effect < 0 || effect > latency {
				t.Fatalf("took effect %v after it was sent", effect)
			}
			early = early || effect < latency/4
			late = late || effect > latency*3/4
		}
		if !early || !late {
			t.Errorf("early effects: %v, late ones: %v", early, late)
		}
	})
}

func TestRequestsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Users: 1, Latency: time.Second})
		start := time.Now()
		for range 100 {
			go put(t, s, GeneratedUser(0), compliant)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := s.Stats().Applied; n != 100 || time.Since(start) != time.Second {
			t.Errorf("%d applied after %v", n, time.Since(start))
		}
	})
}

// TestGivingUpLeavesItToChance also holds that what takes effect does so before
// the client's attempt ends.
func TestGivingUpLeavesItToChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Users: 1, Latency: time.Hour, Record: true})
		const attempts = 200
		start := time.Now()
		for i := range attempts {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant)).WithContext(ctx)
			if _, err := s.Transport().RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
			if time.Since(start) != time.Duration(i+1)*time.Millisecond {
				t.Fatalf("attempt %d ended after %v", i, time.Since(start))
			}
		}
		applied := s.Stats().Applied
		time.Sleep(2 * time.Hour)
		if now := s.Stats().Applied; now != applied {
			t.Errorf("%d took effect after their clients had given up", now-applied)
		}
		if applied < attempts/4 || applied > attempts*3/4 {
			t.Errorf("%d of %d took effect", applied, attempts)
		}
	})
}

func TestSlowAnswersTakeEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Users: 1, Faults: map[Fault]float64{Slow: 1}, SlowBy: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant)).WithContext(ctx)
		if _, err := s.Transport().RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if passwordOf(t, s, GeneratedUser(0)) != compliant {
			t.Error("the password is not set")
		}
	})
}

func TestTransportReturnsTheCause(t *testing.T) {
	s := New(Options{Users: 1})
	cause := errors.New("the operator left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant)).WithContext(ctx)
	if _, err := s.Transport().RoundTrip(r); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("%d requests reached the server", n)
	}
}

func TestTransportCallsTheTrace(t *testing.T) {
	s := New(Options{Users: 1})
	var calls []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn: func(host string) { calls = append(calls, "get "+host) },
		GotConn: func(httptrace.GotConnInfo) { calls = append(calls, "got") },
	})
	ask(t, s, newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant)).WithContext(ctx))
	if diff := cmp.Diff([]string{"get sandbox.test", "got"}, calls); diff != "" {
		t.Error(diff)
	}
}

func TestTransportServesNoControlRequests(t *testing.T) {
	if got := ask(t, New(Options{}), newRequest(t, "GET", "/sandbox/passwords", "")); got.status == 200 {
		t.Errorf("answered %q", got.body)
	}
}

// A body that tells whether it was closed, and may break off.
type watchedBody struct {
	io.Reader
	closed bool
}

func (b *watchedBody) Close() error { b.closed = true; return nil }

func TestBrokenRequestBody(t *testing.T) {
	s := New(Options{Users: 1})
	broken := errors.New("the file is gone")
	body := &watchedBody{Reader: io.MultiReader(strings.NewReader("{"), errorReader{broken})}
	r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), "")
	r.Body, r.ContentLength = body, 40
	if _, err := s.Transport().RoundTrip(r); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if !body.closed {
		t.Error("the request's body was not closed")
	}
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("%d requests reached the server", n)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// TestPasswordsArriveByteForByte sends any compliant password, in both ways that
// JSON can be written.
func TestPasswordsArriveByteForByte(t *testing.T) {
	s := New(Options{Users: 1, Policy: func(string) error { return nil }})
	rapid.Check(t, func(rt *rapid.T) {
		password := rapid.String().Draw(rt, "password")
		put(t, s, GeneratedUser(0), password)
		if got := passwordOf(t, s, GeneratedUser(0)); got != password {
			rt.Fatalf("sent %q, holds %q", password, got)
		}
	})
}

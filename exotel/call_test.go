package exotel

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// roundTrip is a transport in memory.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// connect reports what net/http's transport does up to the given step: "g" for
// looking for a connection, "c" for having got one.
func connect(r *http.Request, steps string) {
	trace := httptrace.ContextClientTrace(r.Context())
	for _, step := range steps {
		if step == 'g' {
			trace.GetConn("api.example.com:443")
		} else {
			trace.GotConn(httptrace.GotConnInfo{})
		}
	}
}

func TestFailuresWithoutAnswer(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	tests := []struct {
		name  string
		steps string
		err   error
		want  string // behaviour
		words string // reason
		hint  bool
	}{
		{"name lookup", "g", &net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true}, "R", "host name not found", true},
		{"dial", "g", refused, "R", "connection refused", false},
		{"dial timeout", "g", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "R", "timeout", false},
		{"handshake cut", "g", io.EOF, "R", "connection closed", false},
		{"handshake alert", "g", tls.AlertError(40), "R", "connection failed", false},
		{"no TLS", "g", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "R", "no TLS at the server", true},
		{"certificate", "g", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, "F", "certificate not trusted", true},
		{"reset after sending", "gc", reset, "RA", "connection reset", false},
		{"broken pipe", "gc", syscall.EPIPE, "RA", "connection reset", false},
		{"closed after sending", "gc", io.ErrUnexpectedEOF, "RA", "connection closed", false},
		{"cancelled after sending", "gc", context.Canceled, "RA", "cancelled", false},
		{"malformed answer", "gc", errors.New("malformed HTTP response"), "RA", "connection failed", false},
		{"stale connection, then a dial", "gcg", refused, "R", "connection refused", false},
		{"stale connection, then a reset", "gcgc", reset, "RA", "connection reset", false},
		{"a transport that reports nothing", "", refused, "RA", "connection refused", false},
		{"a transport that reports less", "c", reset, "RA", "connection reset", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, "https://api.example.com", roundTrip(func(r *http.Request) (*http.Response, error) {
				connect(r, test.steps)
				return nil, test.err
			}))
			_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
			e := fails(t, err)
			if behaviour(e) != test.want || e.Reason() != test.words || !errors.Is(err, test.err) {
				t.Errorf("%v: %q, %q; want %q, %q, and the cause", err, behaviour(e), e.Reason(), test.want, test.words)
			}
			if (e.Hint() != "") != test.hint {
				t.Errorf("hint %q, want one: %v", e.Hint(), test.hint)
			}
			if e.Answer != (Answer{}) {
				t.Errorf("answer %+v, want none", e.Answer)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	_, err := newClient(t, server.URL, nil).SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "R" || e.Reason() != "connection refused" {
		t.Errorf("%v: %q, %q", err, behaviour(e), e.Reason())
	}
}

// cutOff takes over the connection of a request that came in full, and says what
// is given before it closes the connection, or resets it.
func cutOff(say string, reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, say)
		if reset {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
}

func TestConnectionsThatBreak(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 122\r\n\r\n"
	tests := []struct {
		name, say string
		reset     bool
		want      string // behaviour
		words     string // reason
		code      int
	}{
		{"reset", "", true, "RA", "connection reset", 0},
		{"closed", "", false, "RA", "connection closed", 0},
		{"cut head", head[:17], false, "RA", "connection closed", 0},
		{"no HTTP", "220 mail.example.com ESMTP\r\n", false, "RA", "connection failed", 0},
		{"endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeader+8192), false, "RA", "connection failed", 0},
		{"cut body", head + accepting[:50], false, "RA", "no verdict: the answer broke off: connection closed", 200},
		{"cut error", "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nx", false, "RA", "no verdict: the answer's status is 500", 500},
		{"cut refusal", "HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\nx", false, "", "", 404},
		{"cut 401", "HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nx", false, "F", "", 401},
		{"switching protocols", "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false, "RA", "no verdict: the answer's status is 101", 101},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := serve(t, cutOff(test.say, test.reset)).SetPassword(t.Context(), "u", "1", testPassword)
			e := fails(t, err)
			if behaviour(e) != test.want || e.Reason() != test.words || e.Answer.HTTPCode != test.code {
				t.Errorf("%v: %q, %q, %d; want %q, %q, %d", err, behaviour(e), e.Reason(), e.Answer.HTTPCode, test.want, test.words, test.code)
			}
			if wrapped := errors.Unwrap(err) != nil; wrapped != (test.code == 0 || strings.HasPrefix(test.name, "cut body") || test.code == 500) {
				t.Errorf("cause %v", errors.Unwrap(err))
			}
		})
	}
}

// A request is sent once, also on a connection that the server drops when it is
// used for the second time.
func TestNoRequestIsResent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan int)
	go func() {
		n := 0
		defer func() { requests <- n }()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			n += answerFirst(conn)
		}
	}()
	c := newClient(t, "http://"+listener.Addr().String(), nil)
	c.transport.(*pool).rest = 0
	if _, err := c.SetPassword(t.Context(), "u", "1", testPassword); err != nil {
		t.Error(err)
	}
	_, err = c.SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); !e.Ambiguous() {
		t.Errorf("%v is not ambiguous", err)
	}
	listener.Close()
	if n := <-requests; n != 2 {
		t.Errorf("%d requests came, want 2", n)
	}
}

// answerFirst answers the first request of a connection and drops the second. It
// returns how many there were.
func answerFirst(conn net.Conn) int {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := range 2 {
		r, err := http.ReadRequest(in)
		if err != nil {
			return n
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if n == 0 {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(accepting), accepting)
		}
	}
	return 2
}

func TestTimeouts(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	tests := []struct {
		name      string
		transport roundTrip
		want      string // behaviour
		words     string // reason
	}{
		{"while connecting", func(r *http.Request) (*http.Response, error) { connect(r, "g"); return silent(r) }, "R", "timeout"},
		{"while waiting", func(r *http.Request) (*http.Response, error) { connect(r, "gc"); return silent(r) }, "RA", "timeout"},
		{"while reading", func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: silentBody{r.Context()}}, nil
		}, "RA", "no verdict: the answer broke off: timeout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, "https://api.example.com", test.transport)
				// The transport reports the cause that a caller gave, instead of the deadline.
				ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errors.New("too slow for us"))
				defer cancel()
				start := time.Now()
				_, err := c.SetPassword(ctx, "u", "1", testPassword)
				e := fails(t, err)
				if behaviour(e) != test.want || e.Reason() != test.words || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: %q, %q; want %q, %q, and the cause", err, behaviour(e), e.Reason(), test.want, test.words)
				}
				if took := time.Since(start); took != 30*time.Second {
					t.Errorf("took %v, want the timeout", took)
				}
			})
		})
	}
}

type silentBody struct{ ctx context.Context }

func (b silentBody) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, context.Cause(b.ctx) }
func (b silentBody) Close() error             { return nil }

func TestNothingIsSentAfterTheEnd(t *testing.T) {
	c := newClient(t, "https://api.example.com", roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.EOF
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.SetPassword(ctx, "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "R" || e.Reason() != "cancelled" || !errors.Is(err, context.Canceled) {
		t.Errorf("%v: %q, %q", err, behaviour(e), e.Reason())
	}
}

func TestTLS(t *testing.T) {
	var proto string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
		io.WriteString(w, accepting)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()

	strange := newClient(t, server.URL, nil)
	_, err := strange.SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "F" || e.Reason() != "certificate not trusted" {
		t.Errorf("%v: %q, %q", err, behaviour(e), e.Reason())
	}

	known := newClient(t, server.URL, nil)
	known.transport.(*pool).transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if _, err := known.SetPassword(t.Context(), "u", "1", testPassword); err != nil || proto != "HTTP/1.1" {
		t.Errorf("over %s: %v", proto, err)
	}

	_, err = newClient(t, strings.Replace(server.URL, "https", "http", 1), nil).SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "" || e.Answer.HTTPCode != 400 {
		t.Errorf("plain HTTP to TLS: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	_, err := newClient(t, server.URL, nil).SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "R" || !strings.Contains(e.Error(), "protocol version") {
		t.Errorf("%v: %q", err, behaviour(e))
	}
}

func TestPlainHTTPBehindHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = quiet()
	server.Start()
	defer server.Close()
	_, err := newClient(t, strings.Replace(server.URL, "http", "https", 1), nil).SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "R" || e.Reason() != "no TLS at the server" || e.Hint() == "" {
		t.Errorf("%v: %q, %q", err, behaviour(e), e.Reason())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("the redirect was followed")
		io.WriteString(w, accepting)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) })
		_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
		if e := fails(t, err); behaviour(e) != "RA" || strings.Contains(err.Error(), elsewhere.URL) {
			t.Errorf("%d: %v: %q", status, err, behaviour(e))
		}
		if _, err := c.Users(t.Context(), Query{}); fails(t, err).Answer.HTTPCode != status {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// endless is a body of 10 GB, which counts what is read of it.
type endless struct{ read, closed int }

func (b *endless) Read(p []byte) (int, error) {
	if b.read >= 10<<30 {
		return 0, io.EOF
	}
	clear(p)
	b.read += len(p)
	return len(p), nil
}

func (b *endless) Close() error { b.closed++; return nil }

func TestHugeBodiesAreNotRead(t *testing.T) {
	for _, status := range []int{200, 404, 429, 500} {
		body := &endless{}
		c := newClient(t, "https://api.example.com", roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: body}, nil
		}))
		_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
		if e := fails(t, err); e.Answer.HTTPCode != status || e.Ambiguous() != (status == 200 || status == 500) {
			t.Errorf("%d: %v", status, err)
		}
		if body.read > maxChangeBody+1 || body.closed == 0 {
			t.Errorf("%d: %d bytes were read, closed %d times; want at most %d, once", status, body.read, body.closed, maxChangeBody+1)
		}
	}
}

// The body of such an answer is the connection, and may never end.
func TestSwitchedConnectionIsNotRead(t *testing.T) {
	body := &endless{}
	c := newClient(t, "https://api.example.com", roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: body}, nil
	}))
	_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
	if e := fails(t, err); behaviour(e) != "RA" || body.read != 0 || body.closed == 0 {
		t.Errorf("%v, having read %d bytes, closed %d times", err, body.read, body.closed)
	}
}

func TestAnswerAtTheLimit(t *testing.T) {
	for size, want := range map[int]string{maxChangeBody: "", maxChangeBody + 1: "no verdict: the answer exceeds 1 MiB"} {
		c := newClient(t, "https://api.example.com", roundTrip(func(*http.Request) (*http.Response, error) {
			body := accepting + strings.Repeat(" ", size-len(accepting))
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}, nil
		}))
		_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
		if (err == nil) != (want == "") || err != nil && fails(t, err).Reason() != want {
			t.Errorf("%d bytes: %v, want %q", size, err, want)
		}
	}
}

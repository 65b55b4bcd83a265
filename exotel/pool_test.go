package exotel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A rawServer answers requests as the test wants: serve gets each of them, and
// writes to the connection what it likes. It returns the server's URL.
func rawServer(t *testing.T, serve func(conn net.Conn, nth int, r *http.Request, body string)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := 1; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, _ := io.ReadAll(r.Body)
					serve(conn, n, r, string(body))
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); wait.Wait() })
	return "http://" + listener.Addr().String()
}

func answerText(status int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// captureLog returns what is logged through the global logger until the test ends.
func captureLog(t *testing.T) *bytes.Buffer {
	var text bytes.Buffer
	log.SetOutput(&text)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	return &text
}

// After an answer, or one of fifty, comes a second one, up to 1.5 ms late: a
// success, with the password of the request before. No row may take it for its own.
func TestUnaskedAnswersAreNobodys(t *testing.T) {
	t.Run("always", func(t *testing.T) { checkUnaskedAnswers(t, 1) })
	t.Run("now and then", func(t *testing.T) { checkUnaskedAnswers(t, 50) })
}

func checkUnaskedAnswers(t *testing.T, oneIn int) {
	const rows, workers = 3000, 8
	logged := captureLog(t)
	var strays sync.WaitGroup
	strays.Add(1) // above zero for as long as requests come
	url := rawServer(t, func(conn net.Conn, _ int, r *http.Request, body string) {
		device := strings.Split(r.URL.Path, "/")[7]
		answer := failure("404", fmt.Sprintf(`{"code":%s,"message":%q}`, device, body))
		status := 404
		if device[len(device)-1]%2 == 0 {
			answer, status = strings.Replace(accepting, "r1", device, 1), 200
		}
		io.WriteString(conn, answerText(status, answer))
		if rand.N(oneIn) > 0 {
			return
		}
		strays.Add(1)
		time.AfterFunc(rand.N(1500*time.Microsecond), func() {
			defer strays.Done()
			stray := strings.Replace(accepting, "r1", "stray "+device+" "+strings.Trim(body, "{}"), 1)
			io.WriteString(conn, answerText(200, stray))
		})
	})
	c, err := New(Config{BaseURL: url, AccountSID: "sid1", Credentials: testCredentials, Connections: workers})
	if err != nil {
		t.Fatal(err)
	}
	var next, clear atomic.Int32
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for row := next.Add(1); row <= rows; row = next.Add(1) {
				device := fmt.Sprint(100000 + row)
				answer, err := c.SetPassword(t.Context(), "u", device, fmt.Sprintf("Sample-0nly-%06d", row))
				e, _ := errors.AsType[*Error](err)
				switch {
				case strings.Contains(fmt.Sprintf("%+v %v", answer, err), "Sample-0nly"):
					t.Errorf("row %d: a password shows in %+v, %v", row, answer, err)
				case err == nil && (row%2 == 1 || answer.RequestID != device):
					t.Errorf("row %d: took an answer that is not its own: %+v", row, answer)
				case err != nil && !e.Ambiguous() && (row%2 == 0 || e.Answer.ErrorCode != device):
					t.Errorf("row %d: took an answer that is not its own: %v", row, err)
				case err == nil || !e.Ambiguous():
					clear.Add(1)
				}
			}
		})
	}
	wait.Wait()
	c.CloseIdleConnections()
	strays.Done()
	strays.Wait()
	if clear.Load() < rows*9/10 {
		t.Errorf("only %d of %d rows have a verdict", clear.Load(), rows)
	}
	if logged.Len() > 0 {
		t.Errorf("the log says %s", logged)
	}
}

// More than the answer, in one piece with it.
func TestLeftoverBytes(t *testing.T) {
	logged := captureLog(t)
	var conns atomic.Int32
	url := rawServer(t, func(conn net.Conn, nth int, r *http.Request, body string) {
		if nth == 1 {
			conns.Add(1)
		}
		text := answerText(200, accepting)
		if strings.Contains(body, "-more") {
			text += answerText(404, failure("404", `{"message":"Sample-0nly-1"}`))
		}
		io.WriteString(conn, text)
	})
	c := newClient(t, url, nil)
	c.transport.(*pool).rest = 0
	set := func(password string) error {
		_, err := c.SetPassword(t.Context(), "u", "1", password)
		return err
	}
	if err := set("Sample-0nly-1"); err != nil {
		t.Fatal(err)
	}
	// The answer may be a late second one to the first request.
	if e := fails(t, set("Sample-0nly-more")); behaviour(e) != "RA" || e.Reason() != "no verdict: "+problemSuspect {
		t.Errorf("%v: want no verdict", e)
	}
	// The first answer on a connection can only be that to its first request.
	for range 3 {
		if err := set("Sample-0nly-more"); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		if err := set("Sample-0nly-1"); err != nil {
			t.Error(err)
		}
	}
	if conns.Load() != 7 {
		t.Errorf("%d connections, want one for the first two requests and one for each of the others", conns.Load())
	}
	if logged.Len() > 0 {
		t.Errorf("the log says %s", logged)
	}
}

// What comes while no request is under way never reaches net/http, and so neither
// an answer nor the log.
func TestBytesOnAnIdleConnection(t *testing.T) {
	for name, unasked := range map[string]string{
		"answer": answerText(200, strings.Replace(accepting, "r1", "stray", 1)), "text": "Sample-0nly-1", "408": "HTTP/1.1 408 Request Timeout\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			logged := captureLog(t)
			conns := make(chan net.Conn, 9)
			url := rawServer(t, func(conn net.Conn, nth int, r *http.Request, body string) {
				conns <- conn
				io.WriteString(conn, answerText(200, accepting))
			})
			c := newClient(t, url, nil)
			p := c.transport.(*pool)
			p.rest = 0
			if _, err := c.SetPassword(t.Context(), "u", "1", "Sample-0nly-1"); err != nil {
				t.Fatal(err)
			}
			closed := make(chan struct{})
			p.resting[0].conn.SetStateHook(func(*http.ClientConn) { close(closed) })
			io.WriteString(<-conns, unasked)
			<-closed
			answer, err := c.SetPassword(t.Context(), "u", "1", "Sample-0nly-2")
			if err != nil || answer.RequestID != "r1" {
				t.Errorf("answer %+v, error %v", answer, err)
			}
			if p.trusts() || len(p.resting) != 0 {
				t.Errorf("trusts %v, %d connections rest", p.trusts(), len(p.resting))
			}
			if logged.Len() > 0 {
				t.Errorf("the log says %s", logged)
			}
		})
	}
}

// A second answer that comes within the rest of its connection is nobody's, also
// before anything unasked came.
func TestASecondAnswerWithinTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const late = restTime - time.Millisecond
		var servers sync.WaitGroup
		c := newClient(t, "http://localhost", nil)
		c.transport.(*pool).transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			client, server := net.Pipe()
			servers.Go(func() {
				defer server.Close()
				in := bufio.NewReader(server)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					device := strings.Split(r.URL.Path, "/")[7]
					io.WriteString(server, answerText(200, strings.Replace(accepting, "r1", device, 1)))
					time.Sleep(late)
					io.WriteString(server, answerText(200, strings.Replace(accepting, "r1", "stray", 1)))
				}
			})
			return watch(ctx, client), nil
		}
		for _, device := range []string{"1", "2"} {
			answer, err := c.SetPassword(t.Context(), "u", device, testPassword)
			if err != nil || answer.RequestID != device {
				t.Errorf("row %s: answer %+v, error %v", device, answer, err)
			}
			time.Sleep(late - time.Millisecond)
		}
		time.Sleep(restTime)
		if c.transport.(*pool).trusts() {
			t.Error("the server is trusted yet")
		}
		c.CloseIdleConnections()
		servers.Wait()
	})
}

func TestAnswerBeforeItsRequest(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	unasked := 0
	c := &watchedConn{Conn: client, unasked: func() { unasked++ }}
	c.begin()
	go io.WriteString(server, answerText(200, accepting))
	if n, err := c.Read(make([]byte, 100)); n != 0 || err != io.EOF || c.order() != outOfOrder || unasked != 1 {
		t.Errorf("%d bytes, error %v, order %v; want none", n, err, c.order())
	}
}

func TestOrder(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
	for text, want := range map[string]order{
		head + "{}": inOrder, head + "{}{": outOfOrder, head + "{}\r\n\r\n": outOfOrder, "HTTP/1.1 200 OK\n\n{}": unclear, "": unclear,
	} {
		for size := 1; size <= len(text)+1; size++ {
			client, server := net.Pipe()
			c := &watchedConn{Conn: client, unasked: func() {}}
			c.begin()
			go func() { io.Copy(io.Discard, server) }()
			io.WriteString(c, "GET")
			go func() { io.WriteString(server, text); server.Close() }()
			buffer := make([]byte, size)
			for {
				if _, err := c.Read(buffer); err != nil {
					break
				}
			}
			if got := c.end(2); got != want {
				t.Errorf("%q in pieces of %d: %v, want %v", text, size, got, want)
			}
			client.Close()
		}
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	page := strings.Repeat("no such page ", 50000)
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    int32
	}{
		"success": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, accepting) }, 1},
		"refusal": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(page)))
			w.WriteHeader(404)
			io.WriteString(w, page)
		}, 1},
		"redirect":              {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 1},
		"no body":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 1},
		"a length not known":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); io.WriteString(w, page) }, 5},
		"an interim answer":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); io.WriteString(w, accepting) }, 5},
		"a connection to close": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int32
			server := httptest.NewUnstartedServer(test.handler)
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					conns.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			c := newClient(t, server.URL, nil)
			p := c.transport.(*pool)
			p.rest = 0
			for range 5 {
				_, _ = c.SetPassword(t.Context(), "u", "1", testPassword)
			}
			if conns.Load() != test.want {
				t.Errorf("%d connections for 5 requests, want %d", conns.Load(), test.want)
			}
			if !p.trusts() {
				t.Error("the server is not trusted any more")
			}
		})
	}
}

func TestConnectionsRest(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, accepting) })
	p := c.transport.(*pool)
	for range 3 {
		p.rest = time.Hour
		if _, err := c.SetPassword(t.Context(), "u", "1", testPassword); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.resting) != 3 {
		t.Fatalf("%d connections rest, want 3", len(p.resting))
	}
	now := p.resting[2].since
	p.rest = now.Sub(p.resting[1].since)
	if want := p.resting[1]; p.takeRested(now) != want {
		t.Error("want the connection that rested just enough")
	}
	if l := p.takeRested(p.resting[0].since); l != nil {
		t.Error("a connection was taken that did not rest")
	}
	p.rest = time.Hour
	few := p.resting
	p.resting = slices.Concat(slices.Repeat(few[:1], crowd-1), few[1:])
	if p.takeRested(now.Add(shortRest)) != few[1] {
		t.Error("in a crowd: want the one that rested for a short time")
	}
	if l := p.takeRested(now.Add(shortRest)); l != nil {
		t.Error("out of a crowd: a connection was taken that rested for a short time")
	}
	p.resting = few
	if l := p.takeRested(now.Add(idleTimeout + time.Second)); l != nil || len(p.resting) != 0 {
		t.Error("connections stay beyond the idle timeout")
	}
}

func TestPoolIsBounded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		io.WriteString(w, accepting)
	}))
	defer server.Close()
	c, err := New(Config{BaseURL: server.URL, AccountSID: "sid1", Credentials: testCredentials, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	first := make(chan error)
	go func() {
		_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
		first <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.SetPassword(waiting{ctx, cancel}, "u", "2", testPassword)
	if e := fails(t, err); e.Ambiguous() || !e.Retryable() || e.Reason() != "cancelled" {
		t.Errorf("%v: ambiguous %v, retryable %v; want a request that never left", e, e.Ambiguous(), e.Retryable())
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// waiting is a context that ends as soon as somebody waits for its end.
type waiting struct {
	context.Context
	cancel func()
}

func (w waiting) Done() <-chan struct{} { w.cancel(); return w.Context.Done() }

func TestPoolSize(t *testing.T) {
	for given, want := range map[int]int{0: DefaultConnections, 1: 1, 50: 50} {
		c, err := New(Config{BaseURL: "https://api.example.com", AccountSID: "s", Credentials: testCredentials, Connections: given})
		if err != nil {
			t.Fatal(err)
		}
		if got := cap(c.transport.(*pool).slots); got != want {
			t.Errorf("%d connections: at most %d requests, want %d", given, got, want)
		}
	}
}

package registrar_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"siprotate/exotel/registrar"
)

// A request is what a client sent, as text.
type request string

func (r request) header(name string) string {
	m := regexp.MustCompile(`(?m)^` + name + `: (.*)\r$`).FindStringSubmatch(string(r))
	if m == nil {
		return ""
	}
	return m[1]
}

// reply returns a response to the request, with the headers given beside those
// that make it one.
func (r request) reply(status string, headers ...string) string {
	lines := []string{"SIP/2.0 " + status}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		lines = append(lines, name+": "+r.header(name))
	}
	return strings.Join(append(append(lines, headers...), "Content-Length: 0", "", ""), "\r\n")
}

const challenge = `WWW-Authenticate: Digest realm="a.example", nonce="n1", algorithm=MD5`

// hostile serves raw answers: to each request whatever answer writes. The
// connection closes when answer returns false.
func hostile(t *testing.T, answer func(w io.Writer, r request, n int) bool) registrar.Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := 1; ; n++ {
					r := readRequest(in)
					if r == "" || !answer(conn, r, n) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wait.Wait()
	})
	return registrar.Config{
		Proxy: l.Addr().String(), Transport: registrar.TCP, Domain: "a.example", Timeout: 20 * time.Second,
	}
}

func readRequest(in *bufio.Reader) request {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return ""
		}
		text.WriteString(line)
		if line == "\r\n" {
			return request(text.String())
		}
	}
}

// always answers each request with the same.
func always(reply func(r request) string) func(io.Writer, request, int) bool {
	return func(w io.Writer, r request, _ int) bool {
		_, err := io.WriteString(w, reply(r))
		return err == nil
	}
}

// endless writes a head and then the same piece until nobody reads any more.
func endless(head func(r request) string, piece string) func(io.Writer, request, int) bool {
	return func(w io.Writer, r request, _ int) bool {
		_, err := io.WriteString(w, head(r))
		for err == nil {
			_, err = io.WriteString(w, piece)
		}
		return false
	}
}

func TestHostileRegistrar(t *testing.T) {
	t.Parallel()
	line := func(r request) string { return "SIP/2.0 200 OK\r\n" }
	nothing := func(r request) string { return "" }
	replaced := func(name, value string) func(io.Writer, request, int) bool {
		return always(func(r request) string {
			reply := r.reply("200 OK")
			return strings.Replace(reply, name+": "+r.header(name), name+": "+value, 1)
		})
	}
	// Believed are only proofs of a right answer: these all send a 200 at once or
	// after any answer.
	tests := []struct {
		name   string
		answer func(io.Writer, request, int) bool
		want   string // the beginning of the verdict, code and reason
	}{
		{"endless headers", endless(line, "X-Filler: 0123456789\r\n"), "unclear 0 the answer"},
		{"endless header", endless(line, "0123456789"), "unclear 0 the answer"},
		{"endless folds", endless(line, "X: a\r\n b\r\n c\r\n"), "unclear 0 the answer"},
		{"endless line ends", endless(nothing, "\r\n"), "unclear 0 the answer"},
		{"endless provisional answers", func(w io.Writer, r request, _ int) bool {
			for {
				if _, err := io.WriteString(w, r.reply("100 Trying")); err != nil {
					return false
				}
			}
		}, "unclear 0 the answer does not end"},
		{"garbage", always(func(request) string { return "\x00\x01\xff\r\n\r\n" }), "unclear 0 the answer is not SIP"},
		{"HTTP", always(func(request) string { return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" }), "unclear 0 the answer is not SIP"},
		{"hangs up", func(io.Writer, request, int) bool { return false }, "unclear 0 the connection broke"},
		{"hangs up halfway", func(w io.Writer, r request, _ int) bool {
			io.WriteString(w, r.reply("200 OK")[:40])
			return false
		}, "unclear 0 the connection broke"},
		{"echo", always(func(r request) string { return string(r) }), "unclear 0 no answer"},
		{"a thousand challenges", always(func(r request) string {
			return r.reply("401 Unauthorized", strings.Repeat(challenge+"\r\n", 999)+challenge)
		}), "unclear 0 the answer is not SIP"},
		{"two hundred challenges, ever again", always(func(r request) string {
			return r.reply("401 Unauthorized", strings.Repeat(challenge+"\r\n", 199)+challenge)
		}), "refused 401 Unauthorized"},
		{"stale for ever", always(func(r request) string { return r.reply("401 Unauthorized", challenge+", stale=true") }), "unclear 401 the registrar calls"},
		{"another server's challenge", func(w io.Writer, r request, n int) bool {
			_, err := io.WriteString(w, r.reply("401 Unauthorized", strings.Replace(challenge, "a.example", fmt.Sprint("realm", n), 1)))
			return err == nil
		}, "unclear 401 another server"},
		{"proxy's challenge, then the registrar's", func(w io.Writer, r request, n int) bool {
			if n == 1 {
				io.WriteString(w, r.reply("407 Proxy Authentication Required", strings.Replace(challenge, "WWW", "Proxy", 1)))
			} else {
				io.WriteString(w, r.reply("401 Unauthorized", challenge))
			}
			return true
		}, "unclear 401 another server"},
		{"escape codes in the realm", always(func(r request) string {
			return r.reply("401 Unauthorized", strings.Replace(challenge, "a.example", "\x1b[2J", 1))
		}), "unclear 401 the challenge is of no kind"},
		{"a quote in the realm", always(func(r request) string {
			return r.reply("401 Unauthorized", strings.Replace(challenge, "a.example", `a\", nonce=\"x`, 1))
		}), "refused 401 Unauthorized"},
		{"no nonce", always(func(r request) string { return r.reply("401 Unauthorized", `WWW-Authenticate: Digest realm="a"`) }), "unclear 401 the challenge"},
		{"basic", always(func(r request) string { return r.reply("401 Unauthorized", `WWW-Authenticate: Basic realm="a"`) }), "unclear 401 the challenge"},
		{"no challenge in a 401", always(func(r request) string { return r.reply("401 Unauthorized") }), "unclear 401 the challenge"},
		{"escape codes in the phrase", always(func(r request) string { return r.reply("503 \x1b[2J\u202e\x07") }), `unclear 503 \x1b[2J\u202e\a`},
		{"long phrase", always(func(r request) string { return r.reply("503 " + strings.Repeat("long ", 2000)) }), "unclear 503 long long"},
		{"echoes the password", always(func(r request) string { return r.reply("503 no " + first + " here") }), "unclear 503 no [redacted] here"},
		{"Content-Length too long", always(func(r request) string { return strings.Replace(r.reply("200 OK"), "Length: 0", "Length: 9", 1) }), "unclear 0 no answer"},
		{"Content-Length enormous", always(func(r request) string {
			return strings.Replace(r.reply("200 OK"), "Length: 0", "Length: 4294967295", 1)
		}), "unclear 0 the answer is not SIP"},
		{"Content-Length negative", always(func(r request) string { return strings.Replace(r.reply("200 OK"), "Length: 0", "Length: -1", 1) }), "unclear 0 the answer is not SIP"},
		{"no Content-Length", always(func(r request) string { return strings.Replace(r.reply("200 OK"), "Content-Length: 0\r\n", "", 1) }), "unclear 0 the answer is not SIP"},
		{"another Call-ID", replaced("Call-ID", "other"), "unclear 0 no answer"},
		{"another branch", replaced("Via", "SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKother"), "unclear 0 no answer"},
		{"another CSeq", replaced("CSeq", "7 REGISTER"), "unclear 0 no answer"},
		{"another method", replaced("CSeq", "1 OPTIONS"), "unclear 0 no answer"},
		{"a Via more", always(func(r request) string { return r.reply("200 OK", "Via: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKother") }), "unclear 0 no answer"},
		{"another version", always(func(r request) string { return strings.Replace(r.reply("200 OK"), "SIP/2.0 200", "SIP/9.0 200", 1) }), "unclear 0 no answer"},
		{"status 999", always(func(r request) string { return r.reply("999 OK") }), "unclear 0 no answer"},
		{"200 at once", always(func(r request) string { return r.reply("200 OK") }), "unclear 200 the registrar asked for no password"},
		{"202 after an answer", func(w io.Writer, r request, n int) bool {
			io.WriteString(w, [...]string{r.reply("401 Unauthorized", challenge), r.reply("202 Accepted")}[n-1])
			return n < 2
		}, "unclear 202 Accepted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := hostile(t, tt.answer)
			if strings.HasSuffix(tt.want, "no answer") {
				config.Timeout = 300 * time.Millisecond
			}
			p := prove(t, dial(t, config), "asha", first)
			text := fmt.Sprint(p.Verdict, " ", p.Code, " ", p.Reason)
			if !strings.HasPrefix(text, tt.want) || p.Answers > 2 || len(p.Reason) > 300 {
				t.Errorf("%q, %d answers; want %q", text, p.Answers, tt.want)
			}
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(fmt.Sprintf("%+v", p), first) {
				t.Errorf("shows %q", text)
			}
		})
	}
}

// TestOddAnswersAreRead holds that a registrar that is only odd is understood.
func TestOddAnswersAreRead(t *testing.T) {
	tests := []struct {
		name, challenge, status, granted string
		bindings                         []registrar.Binding
	}{
		{"qop list", challenge + `, qop="auth-int, auth"`, "401 Unauthorized", "", nil},
		{"qop unknown but listed first", challenge + `, qop="other,auth"`, "401 Unauthorized", "", nil},
		{"auth-int only", challenge + `, qop="auth-int"`, "401 Unauthorized", "", nil},
		{"lower case", strings.Replace(challenge, "MD5", "md5", 1), "401 Unauthorized", "", nil},
		{"no algorithm", strings.Replace(challenge, ", algorithm=MD5", "", 1), "401 Unauthorized", "", nil},
		{"407", strings.Replace(challenge, "WWW", "Proxy", 1), "407 Proxy Authentication Required", "", nil},
		{"bindings in one header", challenge, "401 Unauthorized",
			`Contact: "A, B" <sip:a@192.0.2.1;ob>;q=0.5;Expires=30, <sip:b@[2001:db8::1]:5060>;expires="40"`,
			[]registrar.Binding{{Contact: "sip:a@192.0.2.1;ob", Left: 30 * time.Second}, {Contact: "sip:b@[2001:db8::1]:5060", Left: 40 * time.Second}}},
		{"short form and a default", challenge, "401 Unauthorized", "Expires: 50\r\nm: <sip:c@192.0.2.1>",
			[]registrar.Binding{{Contact: "sip:c@192.0.2.1", Left: 50 * time.Second}}},
		{"no end, and unreadable", challenge, "401 Unauthorized", "Contact: <sip:c@192.0.2.1>\r\nContact: <<\x1b\r\nContact: <sip:d@192.0.2.1>;expires=-1",
			[]registrar.Binding{{Contact: "sip:c@192.0.2.1"}, {Contact: `<<\x1b`}, {Contact: "sip:d@192.0.2.1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, hostile(t, func(w io.Writer, r request, n int) bool {
				if n == 1 {
					// A ping and a request of the registrar's own come between.
					io.WriteString(w, "\r\n\r\n"+"OPTIONS sip:you SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"+r.reply("100 Trying")+r.reply(tt.status, tt.challenge))
					return true
				}
				answer := r.header("Authorization") + r.header("Proxy-Authorization")
				if answer == "" || strings.Contains(tt.challenge, "auth\"") && !strings.Contains(answer, "qop=auth,") {
					t.Errorf("answered %q", answer)
				}
				headers := []string{"X-Odd: yes"}
				if tt.granted != "" {
					headers = append(headers, tt.granted)
				}
				io.WriteString(w, r.reply("200 OK", headers...))
				return true
			}))
			p := prove(t, c, "asha", first)
			check(t, p, "accepted 200 OK", false)
			if len(p.Bindings) != len(tt.bindings) {
				t.Fatalf("%+v", p.Bindings)
			}
			for i, b := range p.Bindings {
				if b.Contact != tt.bindings[i].Contact || b.Left != tt.bindings[i].Left || b.End.IsZero() != (b.Left == 0) {
					t.Errorf("%+v", b)
				}
			}
		})
	}
}

// TestKeptConnection holds that what a registrar does to a connection between two
// questions costs neither of them.
func TestKeptConnection(t *testing.T) {
	granted := func(after func(w io.Writer, r request) bool) func(io.Writer, request, int) bool {
		return func(w io.Writer, r request, n int) bool {
			if r.header("Authorization") == "" {
				_, err := io.WriteString(w, r.reply("401 Unauthorized", challenge))
				return err == nil
			}
			return after(w, r)
		}
	}
	tests := map[string]func(w io.Writer, r request) bool{
		"closed": func(w io.Writer, r request) bool {
			io.WriteString(w, r.reply("200 OK"))
			return false
		},
		"more after the answer": func(w io.Writer, r request) bool {
			io.WriteString(w, r.reply("200 OK")+"garbage\r\n")
			return true
		},
		"the beginning of another answer": func(w io.Writer, r request) bool {
			io.WriteString(w, r.reply("200 OK")+"SIP/2.0 200 OK\r\nContent-Length: 9000\r\n\r\n")
			return true
		},
		"the answer twice": func(w io.Writer, r request) bool {
			io.WriteString(w, r.reply("200 OK")+r.reply("403 Forbidden"))
			return true
		},
	}
	for name, after := range tests {
		c := dial(t, hostile(t, granted(after)))
		for range 3 {
			p := prove(t, c, "asha", first)
			if p.Verdict != registrar.Accepted || p.Answers != 1 {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

// TestAnswersAreNotRepeated holds that an answer to a challenge that gets no answer
// is not sent again, neither on another connection nor as another datagram: a
// registrar may count each copy as a wrong password.
func TestAnswersAreNotRepeated(t *testing.T) {
	t.Parallel()
	t.Run("tcp", func(t *testing.T) {
		var mu sync.Mutex
		answers := 0
		c := dial(t, hostile(t, func(w io.Writer, r request, n int) bool {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.header("Authorization") == "":
				io.WriteString(w, r.reply("401 Unauthorized", challenge))
				return true
			case n == 2: // the first question on this connection is granted
				io.WriteString(w, r.reply("200 OK"))
				return true
			}
			answers++
			return false
		}))
		prove(t, c, "asha", first)
		check(t, prove(t, c, "asha", first), "unclear 0 the connection broke", false)
		mu.Lock()
		defer mu.Unlock()
		if answers != 1 {
			t.Errorf("answered %d times", answers)
		}
	})
	t.Run("udp", func(t *testing.T) {
		t.Parallel()
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		counted := make(chan int)
		go func() {
			answers, buf := 0, make([]byte, 64<<10)
			for {
				n, from, err := conn.ReadFrom(buf)
				if err != nil {
					counted <- answers
					return
				}
				if r := request(buf[:n]); r.header("Authorization") != "" {
					answers++
				} else {
					conn.WriteTo([]byte(r.reply("401 Unauthorized", challenge)), from)
				}
			}
		}()
		c := dial(t, registrar.Config{
			Proxy: conn.LocalAddr().String(), Transport: registrar.UDP, Domain: "a.example", Timeout: 1200 * time.Millisecond,
		})
		check(t, prove(t, c, "asha", first), "unclear 0 no answer within 1.2s", false)
		conn.Close()
		if answers := <-counted; answers != 1 {
			t.Errorf("answered %d times", answers)
		}
	})
}

// TestQuestionsWait holds that one request is outstanding at a time.
func TestQuestionsWait(t *testing.T) {
	var mu sync.Mutex
	under, most := 0, 0
	config := hostile(t, func(w io.Writer, r request, _ int) bool {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		time.Sleep(time.Millisecond) // gives a second request the time to come
		mu.Lock()
		under--
		mu.Unlock()
		_, err := io.WriteString(w, r.reply("404 Not Found"))
		return err == nil
	})
	c := dial(t, config)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if p, err := c.Prove(t.Context(), "asha", first); err != nil || p.Code != 404 {
				t.Error(p, err)
			}
		})
	}
	wait.Wait()
	mu.Lock()
	defer mu.Unlock()
	if most != 1 {
		t.Errorf("%d requests at once", most)
	}
}

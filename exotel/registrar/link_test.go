package registrar

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// TestDatagrams holds that a request is sent again until an answer comes, and that
// one with an answer to a challenge never is: a registrar may count each copy as a
// wrong password.
func TestDatagrams(t *testing.T) {
	for _, tt := range []struct {
		stream, repeat bool
		sent           int // within 10 s: at 0, 0.5, 1.5, 3.5 and 7.5
	}{{false, true, 5}, {false, false, 1}, {true, true, 1}} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			l := &link{Conn: ours, parser: sip.NewParser(), buffer: make([]byte, maxMessage)}
			if tt.stream {
				l.stream = l.parser.NewSIPStream()
			}
			sent := make(chan int)
			go func() {
				n := 0
				for buf := make([]byte, maxMessage); ; n++ {
					if _, err := theirs.Read(buf); err != nil {
						sent <- n
						return
					}
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			_, err := l.exchange(ctx, newRequest(t, &Client{domain: "a.example", transport: UDP, link: l}), tt.repeat)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			if got := <-sent; got != tt.sent {
				t.Errorf("%+v: sent %d times", tt, got)
			}
		})
	}
}

// A pipeConn is a pipe with an address as networks have it.
type pipeConn struct{ net.Conn }

func (pipeConn) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5060} }

func newRequest(t testing.TB, c *Client) *sip.Request {
	t.Helper()
	c.link.Conn = pipeConn{c.link.Conn}
	q := &query{client: c, sipID: "asha", password: "Example-Pass-1", callID: rand.Text(), tag: rand.Text()}
	req, err := q.request(nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// stream is a connection that brings in what it holds, a few bytes at a time.
type stream struct {
	net.Conn
	in   *bytes.Reader
	step int
}

func (s stream) Read(b []byte) (int, error) { return s.in.Read(b[:min(len(b), s.step)]) }

// FuzzAnswer holds that no bytes from a registrar do any harm, and that nothing of
// them comes out that could harm a terminal, a report or the next request.
func FuzzAnswer(f *testing.F) {
	const head = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKx\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n"
	f.Add([]byte(head+"WWW-Authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth, auth-int\", opaque=\"o\"\r\nContent-Length: 0\r\n\r\n"), byte(40))
	f.Add([]byte(head+"Contact: \"A, B\" <sip:a@192.0.2.1;ob>;expires=3, <sip:b@[::1]>;q=1\r\nExpires: 5\r\nl: 3\r\n\r\nabc"), byte(7))
	f.Add([]byte(strings.ReplaceAll(head, "401", "407")+"Proxy-Authenticate: Digest realm=\"a\x1b\", nonce=\"\", userhash=true\r\n x\r\n\r\n"), byte(1))
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		l := &link{
			Conn:   stream{in: bytes.NewReader(in), step: int(step) + 1},
			parser: sip.NewParser(sip.WithHeadersParsers(framing)), buffer: make([]byte, maxMessage),
		}
		l.stream = l.parser.NewSIPStream()
		q := &query{client: &Client{domain: "a.example"}, sipID: "asha", password: "Example-Pass-1"}
		for budget := maxRead; ; {
			msg, err := l.next(&budget)
			if errors.Is(err, io.EOF) || errors.Is(err, errNotSIP) || errors.Is(err, errTooMuch) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if res, ok := msg.(*sip.Response); ok {
				readAll(t, q, res)
			}
		}
		if msg, err := l.parser.ParseSIP(in); err == nil {
			if res, ok := msg.(*sip.Response); ok {
				readAll(t, q, res)
			}
		}
	})
}

// readAll does with a response whatever a question may do.
func readAll(t *testing.T, q *query, res *sip.Response) {
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: "a.example"})
	req.AppendHeader(&sip.ViaHeader{Params: sip.HeaderParams{{K: "branch", V: "z9hG4bKx"}}})
	callID := sip.CallIDHeader("x")
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.REGISTER})
	answers(res, req)
	q.end(Unclear, res, "reason")
	texts := []string{q.Reason}
	for _, b := range q.readBindings(res, time.Time{}) {
		texts = append(texts, b.Contact)
	}
	if c := readChallenge(res); c != nil {
		h, err := c.answer(req, q.sipID, q.password)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		texts = append(texts, h.Value())
	}
	for _, text := range texts {
		if strings.ContainsFunc(text, isUnprintable) || len(text) > 3*maxChallenge || strings.Contains(text, q.password) {
			t.Fatalf("%q", fmt.Sprint(texts))
		}
	}
}

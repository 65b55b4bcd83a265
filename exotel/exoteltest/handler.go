package exoteltest

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers the API's requests, and those of the stand-in's own under
// /sandbox/:
//
//	GET /sandbox/passwords   CSV: user_id,device_id,sip_id,password for each SIP device
//	GET /sandbox/stats       Stats as JSON
//
// The latter need no credentials, and answer only to peers on the same machine that
// address the server by a loopback name.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPrefix) {
		s.control(w, r)
		return
	}
	c, err := s.newCall(r)
	if err != nil {
		resetConnection(w)
		return
	}
	s.deliver(w, s.answer(r.Context(), c))
}

func (s *Server) deliver(w http.ResponseWriter, a answer) {
	if a.delivery == reset {
		resetConnection(w)
		return
	}
	s.setHeader(w.Header(), a)
	w.WriteHeader(a.status)
	if a.delivery == cut {
		sendHalf(w, a.body)
	}
	w.Write(a.body) // an error means that the client has gone
}

// setHeader sets the headers of an answer.
func (s *Server) setHeader(h http.Header, a answer) {
	h.Set("Content-Type", a.media)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if s.opt.Headers >= RetryAfter && a.wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(a.wait), 10))
	}
	if s.opt.Headers == AllHeaders && !a.reset.IsZero() {
		h.Set("X-RateLimit-Limit", strconv.Itoa(s.opt.Limit.N))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(a.remaining))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(epoch(a.reset), 10))
	}
}

// epoch returns t in whole seconds, rounded up, so that the reset is not
// announced before it comes.
func epoch(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// sendHalf sends half of the body that the headers announce, and ends the
// connection.
func sendHalf(w http.ResponseWriter, body []byte) {
	w.Write(body[:len(body)/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// resetConnection ends the connection so that the client's system says
// "connection reset by peer". Where the connection is out of reach, as under
// HTTP/2, aborting the handler comes closest.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // closing the outer one would say goodbye first
	}
	if t, ok := conn.(*net.TCPConn); ok {
		t.SetLinger(0) // closing then sends RST instead of FIN
	}
	conn.Close()
}

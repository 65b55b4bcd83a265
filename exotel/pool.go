package exotel

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultConnections is how many requests a client has under way at one time
// unless its [Config] says otherwise.
const DefaultConnections = 8

const (
	// restTime is how long a connection rests before it is used again. Within it,
	// a second answer is noticed that no request asked for; see pool. Where as many as
	// crowd rest, at more than 12,000 requests a second, shortRest has to do: a server
	// would spend itself on hundreds of connections.
	restTime  = 10 * time.Millisecond
	shortRest = 2 * time.Millisecond
	crowd     = 128

	maxResting = 512 // connections

	// Servers commonly drop idle connections after 60 s. A request that meets one
	// just dropped ends in doubt, so they are left well before.
	idleTimeout = 30 * time.Second

	dialTimeout      = 15 * time.Second // with the TLS handshake
	handshakeTimeout = 10 * time.Second // within a proxy's tunnel

	// An endless header ends here, in bytes, and so does a chain of heads that
	// only announce another one.
	maxHeader  = 64 << 10
	maxInterim = 5
)

var errInterim = errors.New("too many interim answers")

// A pool sends requests over connections of its own, to one host. It speaks
// HTTP/1.1 alone: with one request on a connection at a time, a connection that is
// cut leaves one password in doubt, and not a hundred.
//
// Nothing in an answer says which request it belongs to: that follows from the
// order on the connection. So a connection is used again only if all was in order
// on it: the answer had a length and ended where its bytes ended, and nothing came
// before the next request was written, for at least restTime (in a crowd,
// shortRest). Anything else ends the connection, and unasked bytes end the trust in
// the server: from then on, no connection carries a second request. Behind a proxy
// none does, as what happens inside of its tunnel cannot be seen.
//
// What remains: on a server that was in order until then, an unasked answer that
// comes later than that, just after the connection's next request was written,
// is taken for that request's answer.
type pool struct {
	transport *http.Transport // makes the connections
	base      *url.URL
	rest      time.Duration // how long a connection rests
	slots     chan struct{} // one for each request under way

	distrust atomic.Bool // something unasked came

	mu      sync.Mutex
	resting []*line // by the time they began to rest
}

// A line is one connection.
type line struct {
	conn   *http.ClientConn
	watch  *watchedConn
	reused bool
	since  time.Time // when it began to rest
	length int64     // of the answer's body, -1 if its end is not known beforehand
}

func newPool(base, proxy *url.URL, connections int) *pool {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	transport := &http.Transport{
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		TLSHandshakeTimeout:    handshakeTimeout,
		DisableCompression:     true, // an answer is a few hundred bytes
		Protocols:              &protocols,
		MaxResponseHeaderBytes: maxHeader,
	}
	if proxy != nil {
		transport.DialContext = dialer.DialContext
		transport.Proxy = http.ProxyURL(proxy)
		transport.OnProxyConnectResponse = checkConnect
	} else {
		transport.DialContext = watched(dialer.DialContext)
		transport.DialTLSContext = watched((&tls.Dialer{NetDialer: &dialer, Config: transport.TLSClientConfig}).DialContext)
	}
	return &pool{transport: transport, base: base, rest: restTime, slots: make(chan struct{}, connections)}
}

// RoundTrip sends the request, once a slot is free for it. An [*unsentError] says
// that no byte of it left.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case p.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, &unsentError{context.Cause(r.Context())}
	}
	answer, err := p.send(r)
	if err != nil {
		<-p.slots
	}
	return answer, err
}

func (p *pool) send(r *http.Request) (*http.Response, error) {
	for {
		l, err := p.take(r.Context())
		if err != nil {
			return nil, &unsentError{err}
		}
		answer, err := p.sendOn(l, r)
		if err == nil {
			return answer, nil
		}
		l.conn.Close()
		if l.watch.hasWritten() {
			return nil, err
		}
		if !l.reused || r.Context().Err() != nil {
			return nil, &unsentError{err}
		}
		// The server dropped the connection while it rested: take another one.
		if r = r.Clone(r.Context()); r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, &unsentError{err}
			}
		}
	}
}

// take returns the connection that rested least of those that rested enough, so
// that the others can grow old; or a new one.
func (p *pool) take(ctx context.Context) (*line, error) {
	if l := p.takeRested(time.Now()); l != nil {
		return l, nil
	}
	l := &line{watch: &watchedConn{unasked: func() { p.distrust.Store(true) }}}
	address := net.JoinHostPort(p.base.Hostname(), p.base.Port()) // without a port: the scheme's
	var err error
	l.conn, err = p.transport.NewClientConn(context.WithValue(ctx, watchKey{}, l.watch), p.base.Scheme, address)
	return l, err
}

func (p *pool) takeRested(now time.Time) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.resting) > 0 && (!p.trusts() || now.Sub(p.resting[0].since) > idleTimeout) {
		p.resting[0].conn.Close()
		p.resting = p.resting[1:]
	}
	rest := p.rest
	if len(p.resting) >= crowd {
		rest = min(rest, shortRest)
	}
	for i := len(p.resting) - 1; i >= 0; i-- {
		l := p.resting[i]
		if now.Sub(l.since) < rest {
			continue
		}
		p.resting = slices.Delete(p.resting, i, i+1)
		if l.conn.Err() == nil {
			l.reused = true
			return l
		}
	}
	return nil
}

func (p *pool) trusts() bool { return !p.distrust.Load() }

func (p *pool) sendOn(l *line, r *http.Request) (*http.Response, error) {
	interim := 0 // answers before the final one
	l.length = 0 // an answer without a body is over before RoundTrip returns
	l.watch.begin()
	trace := &httptrace.ClientTrace{
		// Called before net/http reads on: what it finds on an open connection then
		// goes to the log, and may hold passwords.
		PutIdleConn: func(error) {
			if interim > 0 {
				l.length = -1 // there was more than one head
			}
			if l.watch.end(l.length) != inOrder || !p.trusts() {
				l.conn.Close()
			}
		},
		// With this hook, net/http bounds each of these heads, and not their number.
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			if interim++; interim > maxInterim {
				return errInterim
			}
			return nil
		},
	}
	answer, err := l.conn.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		return nil, err
	}
	l.length = answer.ContentLength
	answer.Body = &answerBody{ReadCloser: answer.Body, pool: p, line: l}
	return answer, nil
}

// release takes a connection back whose answer was read or given up.
func (p *pool) release(l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trusts() && l.watch.order() == inOrder && l.conn.Available() == 1 && len(p.resting) < maxResting {
		l.since = time.Now()
		p.resting = append(p.resting, l)
	} else {
		l.conn.Close()
	}
	<-p.slots
}

// CloseIdleConnections closes the connections that rest.
func (p *pool) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.resting {
		l.conn.Close()
	}
	p.resting = nil
}

// An answerBody releases its connection when it is closed, which it is once.
type answerBody struct {
	io.ReadCloser
	pool *pool
	line *line
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.pool.release(b.line)
	return err
}

// suspect reports whether the answer may belong to another request: more came
// than one answer, and it was not the connection's first.
func (b *answerBody) suspect() bool { return b.line.reused && b.line.watch.order() == outOfOrder }

// An unsentError is a failure before the first byte of a request left.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// An order is what the bytes of a connection say of its last answer.
type order uint8

const (
	unclear    order = iota // it does not show where the answer ends
	inOrder                 // one answer, and nothing else
	outOfOrder              // bytes that no request asked for
)

// A watchedConn sees the plain bytes of a connection, and keeps those back that
// come while no request is under way. Without a Conn it sees nothing: behind a proxy.
type watchedConn struct {
	net.Conn
	unasked func() // called at the first sign of bytes that no request asked for

	mu      sync.Mutex
	written bool   // the request, or a part of it, is on its way
	got     int64  // bytes since then
	head    int64  // where the answer's head ends among them, -1 before it does
	tail    []byte // of the head as yet, what may be the start of its end
	verdict order
}

type watchKey struct{}

var headEnd = []byte("\r\n\r\n")

func (c *watchedConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written, c.got, c.head, c.tail, c.verdict = false, 0, -1, c.tail[:0], unclear
}

// end says that the answer was read, with a body of that length.
func (c *watchedConn) end(length int64) order {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = false
	if c.head >= 0 && length >= 0 && c.verdict == unclear {
		if c.verdict = inOrder; c.got > c.head+length {
			c.verdict = outOfOrder
			c.unasked()
		}
	}
	return c.verdict
}

func (c *watchedConn) order() order {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verdict
}

// hasWritten reports whether a byte of the request can have left.
func (c *watchedConn) hasWritten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written || c.Conn == nil
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.written = true
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && !c.written {
		c.verdict = outOfOrder
		c.unasked()
		return 0, io.EOF
	}
	c.got += int64(n)
	if c.head < 0 && n > 0 {
		c.findHead(p[:n])
	}
	return n, err
}

func (c *watchedConn) findHead(p []byte) {
	text := append(c.tail, p...)
	if i := bytes.Index(text, headEnd); i >= 0 {
		c.head = c.got - int64(len(text)) + int64(i+len(headEnd))
		c.tail = text[:0]
		return
	}
	c.tail = append(c.tail[:0], text[max(0, len(text)-len(headEnd)+1):]...)
}

var dialer = net.Dialer{Timeout: dialTimeout}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// watched returns a dial whose connections are watched.
func watched(connect dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return watch(ctx, conn), nil
	}
}

// watch completes the watchedConn that the context holds.
func watch(ctx context.Context, conn net.Conn) net.Conn {
	watched := ctx.Value(watchKey{}).(*watchedConn)
	watched.Conn = conn
	return watched
}

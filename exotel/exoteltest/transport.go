package exoteltest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"syscall"
	"testing/iotest"
)

// Transport returns an in-memory connection to the server: the request runs in
// the caller's goroutine, without sockets, so that it works under
// testing/synctest. It is safe for concurrent use.
//
// It calls GetConn and GotConn of the request's [httptrace.ClientTrace] as a real
// transport would, though the connection is nil. A request whose context ends returns the
// context's cause; whether it took effect is left to chance. A reset connection is
// a [net.OpError] around ECONNRESET, a body that breaks off ends in
// [io.ErrUnexpectedEOF]. The requests under /sandbox/ are not served.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	ctx := r.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	trace := cmp.Or(httptrace.ContextClientTrace(ctx), &httptrace.ClientTrace{})
	if trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Reused: true})
	}
	c, err := t.server.newCall(r)
	if err != nil {
		return nil, err
	}
	a := t.server.answer(ctx, c)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case a.delivery == reset:
		return nil, connectionReset()
	}
	return t.response(r, a), nil
}

func (t transport) response(r *http.Request, a answer) *http.Response {
	header := make(http.Header)
	t.server.setHeader(header, a)
	var body io.Reader = bytes.NewReader(a.body)
	if a.delivery == cut {
		body = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(body),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}
}

// connectionReset returns the error of a read from a connection that the peer
// reset.
func connectionReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

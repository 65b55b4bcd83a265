package exotel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"syscall"
)

// The most that is read of an answer's body, in bytes. An answer to a change is
// below 1 KiB, and a page of 50 users below 64 KiB.
const (
	maxChangeBody  = 1 << 20
	maxListingBody = 8 << 20
)

// A call is one request to the API.
type call struct {
	op      string
	request http.Request // as yet without a context
	maxBody int64
}

// A reply is what came back for a call: at least the head of an answer.
type reply struct {
	answer  Answer
	body    body   // empty if there is a problem
	problem string // what keeps the body from saying anything
	doubt   string // why neither the body nor the HTTP status is to be believed
	err     error  // the problem's cause, if reading the body failed
}

// do sends the call's request and reads the answer. The error is an [*Error].
func (c *Client) do(ctx context.Context, call call) (reply, error) {
	// The transport would notice as well, but could not say that nothing left.
	if err := ctx.Err(); err != nil {
		return reply{}, c.unanswered(call, unsent, err)
	}
	// Only a transport that said it was looking for a connection, and then never
	// said that it got one, has certainly sent nothing; one that says nothing proves
	// nothing. net/http's looks for a second connection only after an idle one turned
	// out to be closed before a byte was written to it: it resends no other PUT.
	var seeking atomic.Bool
	if _, own := c.transport.(*pool); !own {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GetConn: func(string) { seeking.Store(true) },
			GotConn: func(httptrace.GotConnInfo) { seeking.Store(false) },
		})
	}
	head, err := c.transport.RoundTrip(call.request.WithContext(ctx))
	if err != nil {
		unsent, ok := errors.AsType[*unsentError](err)
		if ok {
			err = unsent.error
		}
		return reply{}, c.unanswered(call, classifyFailure(err, !ok && !seeking.Load()), explain(ctx, err))
	}
	defer head.Body.Close()
	return call.read(ctx, head), nil
}

// read reads an answer to its end, so that the connection can be used again, or
// up to the limit, in which case closing the body drops the connection.
func (call call) read(ctx context.Context, head *http.Response) reply {
	r := reply{answer: Answer{HTTPCode: head.StatusCode, RateLimit: parseRateLimit(head.Header)}}
	if head.StatusCode == http.StatusSwitchingProtocols {
		r.problem = problemNotJSON // the body is the bare connection, without an end
		return r
	}
	source, err := io.ReadAll(io.LimitReader(head.Body, call.maxBody+1))
	switch {
	case err != nil:
		r.err = explain(ctx, err)
		r.problem = "the answer broke off: " + reasonFor(r.err)
	case int64(len(source)) > call.maxBody:
		r.problem = fmt.Sprintf("the answer exceeds %d MiB", call.maxBody>>20)
	default:
		r.body, r.problem = parseBody(source)
	}
	// A proxy's page is none of the API's and contradicts nothing, unless it has a
	// success in it; what begins as the API's and is damaged may say anything.
	failed := head.StatusCode != http.StatusOK
	damaged := r.problem != "" && begunAsObject(source)
	switch body, ok := head.Body.(*answerBody); {
	case ok && body.suspect():
		r.doubt = problemSuspect
	case r.body.contradicts(head.StatusCode), failed && (damaged || r.body.mayMeanSuccess(source)):
		r.doubt = problemContrary
	}
	return r
}

// answered returns the error for a call whose answer is not a success.
func (c *Client) answered(call call, r reply, how class, doubt string) error {
	e := &Error{Op: call.op, Answer: r.answer, class: how}
	e.Answer.redact(c.secrets)
	if doubt != "" {
		e.reason = "no verdict: " + doubt
		e.err = c.secrets.safeError(r.err)
	}
	return e
}

// unanswered returns the error for a call that got no answer.
func (c *Client) unanswered(call call, how class, err error) error {
	reason := reasonFor(err)
	err = c.secrets.safeError(err)
	return &Error{Op: call.op, class: how, reason: reason, detail: err.Error(), err: err}
}

// classifyFailure returns how a request ended that got no answer, and of which a
// byte may have left. A certificate is refused during the handshake, before the
// request.
func classifyFailure(err error, left bool) class {
	switch {
	case hasCause[*tls.CertificateVerificationError](err):
		return untrusted
	case wantsProxyCredentials(err):
		return unauthorized
	case left:
		return noVerdict
	}
	return unsent
}

// explain returns err, as an error that also says whether the context ended: the
// transport reports the cause its caller gave instead.
func explain(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// reasonFor names a network failure in a few words.
func reasonFor(err error) string {
	network, _ := errors.AsType[net.Error](err)
	switch {
	case hasCause[*tls.CertificateVerificationError](err):
		return "certificate not trusted"
	case wantsProxyCredentials(err):
		return "the proxy refuses its credentials"
	case hasCause[*connectError](err):
		return "refused by the proxy"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		network != nil && network.Timeout():
		return "timeout"
	case hasCause[*net.DNSError](err):
		return "host name not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection closed"
	case hasCause[tls.RecordHeaderError](err):
		return "no TLS at the server"
	}
	return "connection failed"
}

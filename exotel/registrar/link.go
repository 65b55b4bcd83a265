package registrar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

// The library logs to slog's default logger unless told before its first use.
func init() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) }

// What one request may bring in, in bytes. Real answers are below 2 KiB.
const (
	maxMessage = 32 << 10
	maxRead    = 2 * maxMessage
)

// The first and the longest wait before a request is repeated over UDP (RFC 3261,
// section 17.1.2.2: T1 and T2).
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 4 * time.Second
)

var (
	errNotSIP    = errors.New("the answer is not SIP")
	errTooMuch   = errors.New("the answer does not end")
	errNoServer  = errors.New("could not connect to the proxy")
	errHandshake = errors.New("the TLS handshake failed")
)

// A link is a connection to the proxy. The library's own transports are not used:
// they repeat over UDP what answers a challenge, and a registrar may count each
// repeat as a wrong password; take answers from any address; and leave goroutines
// behind that read without a bound.
type link struct {
	net.Conn
	parser *sip.Parser
	stream *sip.ParserStream // nil: datagrams
	buffer []byte
}

func (c *Client) dial(ctx context.Context) (*link, error) {
	l := &link{parser: sip.NewParser(sip.WithHeadersParsers(framing)), buffer: make([]byte, maxMessage)}
	l.parser.MaxMessageLength = maxMessage
	network := "tcp"
	if c.transport == UDP {
		network = "udp"
	} else {
		l.stream = l.parser.NewSIPStream()
	}
	var err error
	if l.Conn, err = (&net.Dialer{}).DialContext(ctx, network, c.proxy); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoServer, err)
	}
	if c.tls == nil {
		return l, nil
	}
	secured := tls.Client(l.Conn, c.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		l.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	l.Conn = secured
	return l, nil
}

// framing parses the headers that tell an answer from another, and where it ends.
// The others stay as they are: a contact that is spelt badly must not cost the
// verdict.
var framing = func() sip.HeadersParser {
	all, some := sip.DefaultHeadersParser(), sip.HeadersParser{}
	for _, name := range []string{"via", "v", "call-id", "i", "cseq", "content-length", "l"} {
		some[name] = all[name]
	}
	return some
}()

// exchange sends a request and returns the final answer to it. It ends with ctx,
// and then closes the connection, as it does after reading too much. Over UDP, it
// sends the request again until an answer comes, if it may repeat it.
func (l *link) exchange(ctx context.Context, req *sip.Request, repeat bool) (*sip.Response, error) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	wire, budget, wait := []byte(req.String()), maxRead, firstWait
	for {
		if _, err := l.Write(wire); err != nil {
			return nil, reason(ctx, err)
		}
		var until time.Time
		if repeat && l.stream == nil {
			until = time.Now().Add(wait)
			wait = min(2*wait, longestWait)
		}
		if err := l.SetReadDeadline(until); err != nil {
			return nil, reason(ctx, err)
		}
		res, err := l.await(req, &budget)
		if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			return res, reason(ctx, err)
		}
	}
}

// reason returns the context's error, once it has ended, in the place of what
// that led to.
func reason(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// await reads until the final answer to the request.
func (l *link) await(req *sip.Request, budget *int) (*sip.Response, error) {
	for {
		msg, err := l.next(budget)
		if err != nil {
			return nil, err
		}
		if res, ok := msg.(*sip.Response); ok && answers(res, req) && !res.IsProvisional() {
			return res, nil
		}
	}
}

// next returns the next message. A datagram that is none is skipped.
func (l *link) next(budget *int) (sip.Message, error) {
	for {
		if l.stream != nil && l.stream.Buffer().Len() > 0 {
			msg, _, err := l.stream.ParseNext()
			switch {
			case err == nil:
				return msg, nil
			case !errors.Is(err, io.ErrUnexpectedEOF):
				return nil, errNotSIP
			}
		}
		n, err := l.Read(l.buffer)
		if err != nil {
			return nil, err
		}
		if *budget -= n; *budget < 0 {
			return nil, errTooMuch
		}
		if l.stream != nil {
			l.stream.Write(l.buffer[:n]) // never fails
		} else if msg, err := l.parser.ParseSIP(l.buffer[:n]); err == nil {
			return msg, nil
		}
	}
}

// dirty reports whether bytes came that belong to no message so far. What follows
// an answer uncalled for would be taken for the beginning of the next.
func (l *link) dirty() bool { return l.stream != nil && l.stream.Buffer().Len() > 0 }

// answers reports whether a response is to this request (RFC 3261, sections
// 8.1.3.3 and 17.1.3) and well-formed as far as we look at it.
func answers(res *sip.Response, req *sip.Request) bool {
	cseq, callID := res.CSeq(), res.CallID()
	vias := res.GetHeaders("Via")
	if len(vias) != 1 || cseq == nil || callID == nil || res.SipVersion != req.SipVersion {
		return false
	}
	got, _ := res.Via().Params.Get("branch")
	want, _ := req.Via().Params.Get("branch")
	return got == want && *callID == *req.CallID() && *cseq == *req.CSeq() &&
		100 <= res.StatusCode && res.StatusCode <= 699
}

// explain says in a few words why no answer came.
func (c *Client) explain(err error) string {
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	var lookup *net.DNSError
	var alert tls.AlertError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %v", c.timeout)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &certificate):
		return "the proxy's certificate is not valid for it"
	case errors.As(err, &plain):
		return "the proxy does not speak TLS there"
	case errors.As(err, &lookup):
		return "the proxy's name was not found"
	case errors.As(err, &alert):
		return errHandshake.Error() + ": " + alert.Error()
	}
	for _, known := range []error{errNotSIP, errTooMuch, errNoServer, errHandshake} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the connection broke"
}

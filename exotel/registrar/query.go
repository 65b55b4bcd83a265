package registrar

import (
	"context"
	"crypto/rand"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/emiago/sipgo/sip"
)

// Bounds of the texts that a proof takes over from the registrar, in bytes.
const (
	maxPhrase  = 120
	maxContact = 300
)

// maxBindings is how many bindings are read of an answer; an account has a few.
const maxBindings = 100

// A query is one question, with what becomes of it. All its requests have the
// same Call-ID and From.
type query struct {
	Proof
	client          *Client
	sipID, password string
	callID, tag     string
	sent            uint32 // requests so far
	most            int    // challenges that may be answered
}

// ask sends a request, with the answer to a challenge unless that is nil, and
// returns what the registrar answers in the end.
//
// A connection that was kept may have been closed by the registrar meanwhile. A
// request that carries no answer then goes out on a new one.
func (q *query) ask(ctx context.Context, answer *challenge) (*sip.Response, error) {
	c := q.client
	kept := c.link != nil
	res, err := q.askOnce(ctx, answer)
	if kept && err != nil && answer == nil && ctx.Err() == nil {
		res, err = q.askOnce(ctx, answer)
	}
	return res, err
}

// askOnce opens a connection if there is none, and closes it if it is of no more
// use.
func (q *query) askOnce(ctx context.Context, answer *challenge) (*sip.Response, error) {
	c := q.client
	if c.link == nil {
		l, err := c.dial(ctx)
		if err != nil {
			return nil, err
		}
		c.link = l
	}
	req, err := q.request(answer)
	if err != nil {
		return nil, err
	}
	res, err := c.link.exchange(ctx, req, answer == nil)
	if err != nil || c.link.dirty() {
		c.drop()
	}
	return res, err
}

// request builds a REGISTER without Contact and without Expires, which changes no
// binding.
func (q *query) request(answer *challenge) (*sip.Request, error) {
	c := q.client
	q.sent++
	domain := sip.Uri{Scheme: "sip", Host: c.domain}
	user := sip.Uri{Scheme: "sip", Host: c.domain, User: q.sipID}
	callID, forwards, length := sip.CallIDHeader(q.callID), sip.MaxForwardsHeader(70), sip.ContentLengthHeader(0)
	req := sip.NewRequest(sip.REGISTER, domain)
	for _, h := range []sip.Header{
		c.link.via(c.transport),
		&sip.FromHeader{Address: user, Params: sip.HeaderParams{{K: "tag", V: q.tag}}},
		&sip.ToHeader{Address: user},
		&callID,
		&sip.CSeqHeader{SeqNo: q.sent, MethodName: sip.REGISTER},
		&forwards,
	} {
		req.AppendHeader(h)
	}
	if c.userAgent != "" {
		req.AppendHeader(sip.NewHeader("User-Agent", c.userAgent))
	}
	if answer != nil {
		h, err := answer.answer(req, q.sipID, q.password)
		if err != nil {
			return nil, err
		}
		req.AppendHeader(h)
	}
	req.AppendHeader(&length)
	return req, nil
}

// via says where the request comes from. The registrar answers to the address
// that it sees (RFC 3581), and to nobody who does not know the branch.
func (l *link) via(transport Transport) *sip.ViaHeader {
	host, port, _ := net.SplitHostPort(l.LocalAddr().String())
	number, _ := strconv.Atoi(port)
	return &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(string(transport)),
		Host: host, Port: number,
		Params: sip.HeaderParams{{K: "branch", V: sip.RFC3261BranchMagicCookie + rand.Text()}, {K: "rport"}},
	}
}

// readBindings returns the bindings that an answer lists, as of now. One that
// cannot be read is listed with the text it has.
func (q *query) readBindings(res *sip.Response, now time.Time) (bindings []Binding) {
	var byDefault string
	if h := res.GetHeader("Expires"); h != nil {
		byDefault = h.Value()
	}
	for _, h := range append(res.GetHeaders("Contact"), res.GetHeaders("m")...) {
		contacts, err := contactParser.ParseHeader(nil, []byte("Contact: "+h.Value()))
		if err != nil && len(bindings) < maxBindings {
			bindings = append(bindings, Binding{Contact: q.clean(h.Value(), maxContact)})
			continue
		}
		for _, h := range contacts {
			if contact, ok := h.(*sip.ContactHeader); ok && len(bindings) < maxBindings {
				bindings = append(bindings, q.binding(contact, byDefault, now))
			}
		}
	}
	return bindings
}

var contactParser = sip.HeadersParser(sip.DefaultHeadersParser())

func (q *query) binding(h *sip.ContactHeader, expires string, now time.Time) Binding {
	for _, p := range h.Params {
		if strings.EqualFold(p.K, "expires") {
			expires = p.V
		}
	}
	b := Binding{Contact: q.clean(h.Address.String(), maxContact)}
	if seconds, err := strconv.ParseUint(strings.Trim(expires, ` "`), 10, 32); err == nil {
		b.Left = time.Duration(seconds) * time.Second
		b.End = now.Add(b.Left)
	}
	return b
}

// isSIPID reports whether id can be the user of a SIP URI without an escape (RFC
// 3261, section 25.1: unreserved, and what it allows beside).
func isSIPID(id string) bool {
	return 0 < len(id) && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("-_.!~*'()&=+$", r)
	})
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }

// clean returns a text from outside in a form that can be shown: without the
// password, should the registrar echo it, with control characters escaped, and not
// longer than n bytes.
func (q *query) clean(text string, n int) string {
	text = strings.ReplaceAll(text, q.password, "[redacted]")
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	if strings.ContainsFunc(text, isUnprintable) {
		text = strconv.Quote(text)
		text = text[1 : len(text)-1]
	}
	return text
}

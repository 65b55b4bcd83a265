package registrar

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A Verdict is what the registrar's answer says of a password.
type Verdict uint8

const (
	Unclear  Verdict = iota // the answer, or its absence, says nothing
	Accepted                // the password is in force
	Refused                 // it is not, or the registrar does not know the SIP id
)

// String returns "unclear", "accepted" or "refused".
func (v Verdict) String() string { return [...]string{"unclear", "accepted", "refused"}[v] }

// A Proof is the registrar's answer to one question. Its texts are bounded, hold
// no control characters and not the password.
type Proof struct {
	Verdict Verdict

	// Stop says that more questions would fail the same way, or do harm: the
	// registrar takes none, or has locked somebody out.
	Stop bool

	Code   int    // of the SIP answer that the verdict rests on; 0: none came
	Reason string // why, in one line: the registrar's words, behind ours where they need any

	Challenged bool // whether the registrar wanted a password at all
	Answers    int  // to challenges that were sent, at most 2; the registrar may count each as a wrong one

	Bindings []Binding // of the SIP id, in the registrar's order; only if Accepted
}

// A Binding is a phone that is registered.
type Binding struct {
	Contact string // its SIP URI, as the registrar knows it

	// Left is how long the binding still lasts, in whole seconds, and End when it
	// ends by this machine's clock. End is zero if the registrar does not say.
	Left time.Duration
	End  time.Time
}

// maxAnswers is how many challenges one question answers. Registrars lock an
// account out after three wrong answers, and the agent's phone with it.
const maxAnswers = 2

// Prove asks the registrar whether the password is the SIP id's. It takes the
// client's timeout at most, not counting the wait for its turn.
//
// The error is not nil if there is no verdict for a reason of the caller's: ctx
// ended, the client was closed ([ErrClosed]), or the SIP id or the password cannot
// be asked for. All else, from a registrar that cannot be reached to one that sends
// nonsense, is a proof that is Unclear. The proof holds with an error, too: it
// says how many answers were sent.
func (c *Client) Prove(ctx context.Context, sipID, password string) (Proof, error) {
	return c.prove(ctx, sipID, password, maxAnswers)
}

// ProveOnce is Prove, but it answers one challenge at most: a stale nonce makes the
// proof Unclear.
func (c *Client) ProveOnce(ctx context.Context, sipID, password string) (Proof, error) {
	return c.prove(ctx, sipID, password, 1)
}

func (c *Client) prove(ctx context.Context, sipID, password string, answers int) (Proof, error) {
	switch {
	case !isSIPID(sipID):
		return Proof{}, errors.New("the SIP id is empty, too long, or holds characters that no SIP id has")
	case password == "":
		return Proof{}, errors.New("the password is empty")
	}
	if err := c.take(ctx); err != nil {
		return Proof{}, err
	}
	defer func() { <-c.turn }()
	call, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.closed, cancel)()

	q := &query{client: c, sipID: sipID, password: password, callID: rand.Text(), tag: rand.Text(), most: answers}
	q.prove(call)
	switch {
	case q.Verdict != Unclear:
		return q.Proof, nil
	case ctx.Err() != nil:
		return q.Proof, ctx.Err()
	case c.closed.Err() != nil:
		return q.Proof, ErrClosed
	}
	return q.Proof, nil
}

// prove asks, and answers challenges until there is a verdict.
func (q *query) prove(ctx context.Context) {
	res, err := q.ask(ctx, nil)
	var last *challenge
	for err == nil && isChallenge(res) {
		q.Challenged = true
		next := readChallenge(res)
		if done := q.settle(res, last, next); done {
			return
		}
		q.Answers++
		last = next
		res, err = q.ask(ctx, next)
	}
	if err != nil {
		q.end(Unclear, nil, q.client.explain(err))
		return
	}
	q.conclude(res)
}

func isChallenge(res *sip.Response) bool {
	return res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusProxyAuthRequired
}

// settle reports whether a challenge that follows the answer to the last one, nil
// for none, is the end, and if so ends the proof.
func (q *query) settle(res *sip.Response, last, next *challenge) bool {
	switch {
	case next == nil:
		q.end(Unclear, res, "the challenge is of no kind that is known")
	case last == nil:
		return false
	case !next.sameParty(last):
		q.end(Unclear, res, "another server on the way wants an answer, too")
	case !next.Stale:
		q.end(Refused, res, "")
	case q.Answers < q.most:
		return false
	default:
		q.end(Unclear, res, "the registrar calls every nonce stale")
	}
	return true
}

// conclude takes the verdict from an answer that is no challenge.
func (q *query) conclude(res *sip.Response) {
	switch code := res.StatusCode; {
	case code == sip.StatusOK && q.Answers > 0:
		q.end(Accepted, res, "")
		q.Bindings = q.readBindings(res, time.Now())
	case code == sip.StatusOK:
		q.end(Unclear, res, "the registrar asked for no password")
	case code == sip.StatusNotFound:
		q.end(Refused, res, "the registrar does not know the SIP id")
	case code == sip.StatusForbidden:
		q.end(Unclear, res, "a lockout, the wrong domain, or not this credential")
		q.Stop = true
	case code == sip.StatusBadRequest, code == sip.StatusMethodNotAllowed, code == sip.StatusNotImplemented:
		q.end(Unclear, res, "the registrar takes no queries")
		q.Stop = true
	default:
		q.end(Unclear, res, "")
	}
}

func (q *query) end(v Verdict, res *sip.Response, reason string) {
	q.Verdict, q.Reason, q.Code = v, reason, 0
	if res == nil {
		return
	}
	q.Code = res.StatusCode
	phrase := cmp.Or(q.clean(strings.TrimSpace(res.Reason), maxPhrase), fmt.Sprintf("SIP %d", res.StatusCode))
	if reason != "" {
		phrase = reason + ": " + phrase
	}
	q.Reason = phrase
}

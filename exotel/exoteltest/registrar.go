package exoteltest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/icholy/digest"
)

// RegistrarOptions say how a [Registrar] behaves. The zero options make one that
// checks passwords and has no phones.
type RegistrarOptions struct {
	Domain     string   // of the users, and the realm; "": the account's SID below voip.exotel.com
	Algorithms []string // of the challenges, in their order; nil: SHA-256, then MD5

	// Phone describes the phone of the i-th SIP device, counted from 0. Nil means
	// that nobody has a phone.
	Phone func(i int) Phone

	LockAfter int           // so many wrong answers in a row lock the SIP id: 403, also for its phone; 0: never
	LockFor   time.Duration // how long; 0: two minutes, as in Kamailio's htable example

	BanOver int           // more requests than that within BanPer, counted in windows, ban the peer's address: silence; 0: never
	BanPer  time.Duration // 0: 2 s, as pike is shipped with Kamailio
	BanFor  time.Duration // 0: 300 s, likewise

	CacheFor time.Duration // how long a password that was looked up stays in force whatever the API says

	StaleNonces     int  // so many answers in a row of each SIP id are called stale
	AcceptsAnything bool // every answer to a challenge is right
	Unchallenged    bool // nobody is asked for a password
	Silent          bool // nobody gets an answer
	UnknownIs404    bool // an unknown SIP id is not challenged
	Answer          int  // if not 0, the SIP code that every request gets, such as 403, 405 or 503
}

func (o RegistrarOptions) validate() error {
	for _, d := range []time.Duration{o.LockFor, o.BanPer, o.BanFor, o.CacheFor} {
		if d < 0 {
			return errors.New("a negative duration")
		}
	}
	switch {
	case o.LockAfter < 0 || o.BanOver < 0 || o.StaleNonces < 0:
		return errors.New("a negative count")
	case o.Answer != 0 && (o.Answer < 200 || o.Answer > 699):
		return fmt.Errorf("%d is no final SIP code", o.Answer)
	}
	return nil
}

func (o RegistrarOptions) withDefaults(accountSID string) RegistrarOptions {
	o.Domain = cmp.Or(o.Domain, accountSID+".voip.exotel.com")
	o.LockFor = cmp.Or(o.LockFor, 2*time.Minute)
	o.BanPer = cmp.Or(o.BanPer, 2*time.Second)
	o.BanFor = cmp.Or(o.BanFor, 300*time.Second)
	if o.Algorithms == nil {
		o.Algorithms = []string{"SHA-256", "MD5"}
	}
	return o
}

// A Registrar is a stand-in for the vendor's SIP registrar. It takes the passwords
// of a [Server], each as soon as it is set. It is safe for concurrent use.
type Registrar struct {
	server *Server

	mu      sync.Mutex // may be held while the server's is taken, never the other way round
	opt     RegistrarOptions
	stats   RegistrarStats
	nonces  map[string]time.Time // that were not answered yet, and when they end
	ids     map[string]*sipUser
	peers   map[string]*sipPeer
	devices int       // SIP devices that have been looked at for a phone
	next    time.Time // when the next phone has something to do; zero: none

	ua        *sipgo.UserAgent
	sip       *sipgo.Server
	ca, key   []byte // PEM; nil until TLS is listened on
	listeners []io.Closer
	serving   sync.WaitGroup
	stop      context.CancelFunc
}

// A sipUser is what the registrar knows of a SIP id.
type sipUser struct {
	phone       *phone // nil: none
	wrong       int    // wrong answers in a row
	stale       int    // answers in a row that were called stale
	lockedUntil time.Time
	cached      string // the password, until cachedUntil
	cachedUntil time.Time
	answered    []time.Time // the answers to challenges within the last ten minutes
}

// A sipPeer counts an address's requests.
type sipPeer struct {
	window      time.Time // the present window's beginning
	requests    int       // within it
	bannedUntil time.Time
}

// RegistrarStats count what a [Registrar] has seen.
type RegistrarStats struct {
	Requests int // of any kind, those below included
	Accepted int // with a right answer
	Wrong    int // with a wrong one
	Stale    int // with one that was called stale
	Locked   int // 403, since the SIP id was locked
	Banned   int // not answered, since the address was
	Contacts int // with a Contact header: they changed bindings

	// MostAnswers is the largest number of answers to challenges that any SIP id
	// had within ten minutes; those of its phone do not count.
	MostAnswers int
}

// Stats returns the counts so far.
func (r *Registrar) Stats() RegistrarStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// A sipQuery is a REGISTER as far as it matters.
type sipQuery struct {
	peer          string // its address, without the port
	domain, user  string // of the To header
	authorization string
	contact       bool // whether it names one
}

// A sipReply is what a REGISTER gets.
type sipReply struct {
	code       int // 0: nothing
	challenges []digest.Challenge
	contacts   []string
}

// decide is the instant at which a request takes effect. Successive calls must not
// go back in time.
func (r *Registrar) decide(now time.Time, q sipQuery) sipReply {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advance(now)
	r.stats.Requests++
	switch {
	case r.bans(now, q.peer):
		r.stats.Banned++
		return sipReply{}
	case r.opt.Silent:
		return sipReply{}
	case r.opt.Answer != 0:
		return sipReply{code: r.opt.Answer}
	case !strings.EqualFold(q.domain, r.opt.Domain):
		return sipReply{code: 403}
	}
	u := r.user(q.user)
	password, known := r.inForce(now, q.user, u)
	switch {
	case r.opt.Unchallenged:
		return r.bind(now, u, q)
	case !known && r.opt.UnknownIs404:
		return sipReply{code: 404}
	case now.Before(u.lockedUntil):
		r.stats.Locked++
		return sipReply{code: 403}
	case q.authorization == "":
		return r.challenge(now, false)
	}
	return r.check(now, u, password, q)
}

// check looks at the answer to a challenge.
func (r *Registrar) check(now time.Time, u *sipUser, password string, q sipQuery) sipReply {
	answer, err := digest.ParseCredentials(q.authorization)
	if err != nil {
		return sipReply{code: 400}
	}
	ends, fresh := r.nonces[answer.Nonce]
	delete(r.nonces, answer.Nonce)
	r.countAnswer(now, u)
	switch {
	case !fresh || now.After(ends) || u.stale < r.opt.StaleNonces:
		u.stale++
		r.stats.Stale++
		return r.challenge(now, true)
	case !r.opt.AcceptsAnything && !r.isRight(answer, q.user, password):
		u.stale = 0
		r.stats.Wrong++
		r.countWrong(now, u)
		return r.challenge(now, false)
	}
	u.stale, u.wrong = 0, 0
	r.stats.Accepted++
	return r.bind(now, u, q)
}

// isRight reports whether an answer shows that its sender knows the password. No
// answer does if none was set.
func (r *Registrar) isRight(answer *digest.Credentials, user, password string) bool {
	if password == "" || answer.Username != user || answer.Realm != r.opt.Domain || !slices.Contains(r.opt.Algorithms, answer.Algorithm) {
		return false
	}
	challenge := r.newChallenge(answer.Nonce, answer.Algorithm, false)
	want, err := digest.Digest(&challenge, digest.Options{
		Method: "REGISTER", URI: answer.URI, Count: answer.Nc, Cnonce: answer.Cnonce, Username: user, Password: password,
	})
	return err == nil && want.Response == answer.Response
}

// nonceLife is how long a nonce is good for, and how many answers are kept.
const nonceLife = 10 * time.Minute

func (r *Registrar) challenge(now time.Time, stale bool) sipReply {
	for nonce, ends := range r.nonces {
		if len(r.nonces) < 10_000 {
			break
		}
		if now.After(ends) {
			delete(r.nonces, nonce)
		}
	}
	nonce := rand.Text()
	r.nonces[nonce] = now.Add(nonceLife)
	reply := sipReply{code: 401}
	for _, algorithm := range r.opt.Algorithms {
		reply.challenges = append(reply.challenges, r.newChallenge(nonce, algorithm, stale))
	}
	return reply
}

func (r *Registrar) newChallenge(nonce, algorithm string, stale bool) digest.Challenge {
	return digest.Challenge{Realm: r.opt.Domain, Nonce: nonce, Algorithm: algorithm, QOP: []string{"auth"}, Stale: stale}
}

func (r *Registrar) countAnswer(now time.Time, u *sipUser) {
	u.answered = append(slices.DeleteFunc(u.answered, func(t time.Time) bool { return now.Sub(t) >= nonceLife }), now)
	r.stats.MostAnswers = max(r.stats.MostAnswers, len(u.answered))
}

func (r *Registrar) countWrong(now time.Time, u *sipUser) {
	u.wrong++
	if r.opt.LockAfter > 0 && u.wrong >= r.opt.LockAfter {
		u.wrong, u.lockedUntil = 0, now.Add(r.opt.LockFor)
	}
}

// bans counts a peer's request and reports whether the peer is banned.
func (r *Registrar) bans(now time.Time, addr string) bool {
	p := r.peers[addr]
	if p == nil {
		p = &sipPeer{window: now}
		r.peers[addr] = p
	}
	if now.Sub(p.window) >= r.opt.BanPer {
		p.window, p.requests = now, 0
	}
	p.requests++
	if r.opt.BanOver > 0 && p.requests > r.opt.BanOver {
		p.bannedUntil = now.Add(r.opt.BanFor)
	}
	return now.Before(p.bannedUntil)
}

func (r *Registrar) user(id string) *sipUser {
	u := r.ids[id]
	if u == nil {
		u = &sipUser{}
		r.ids[id] = u
	}
	return u
}

// inForce returns the password that the registrar goes by, empty if none was set,
// and whether there is such a SIP id.
func (r *Registrar) inForce(now time.Time, id string, u *sipUser) (password string, known bool) {
	password, known = r.server.SIPPassword(id)
	if r.opt.CacheFor == 0 || !known {
		return password, known
	}
	if !now.Before(u.cachedUntil) {
		u.cached, u.cachedUntil = password, now.Add(r.opt.CacheFor)
	}
	return u.cached, true
}

// bind answers a request that is granted. One that names a contact takes the place
// of the phone, as it does where a user may have one.
func (r *Registrar) bind(now time.Time, u *sipUser, q sipQuery) sipReply {
	if q.contact {
		r.stats.Contacts++
		u.phone = nil
	}
	reply := sipReply{code: 200}
	if u.phone != nil && u.phone.ends.After(now) {
		reply.contacts = append(reply.contacts, u.phone.contactAt(now))
	}
	return reply
}

// Package exoteltest is a stand-in for Exotel's User Management API: it lists
// users with their devices, sets SIP passwords, counts requests against an
// allowance, and fails in the ways that networks and servers fail. It serves
// tests, and whoever wants to try things out without an account.
//
// A [Server] is an [net/http.Handler] for real connections, and has a
// [Server.Transport] for programs that run under testing/synctest. The same code
// answers both.
//
// The package knows nothing of the programs that call it: no rows, no runs, no
// journal. What it does is what the vendor documents (developer.exotel.com, User
// Management API); where the vendor documents nothing, [Options] let it turn out
// either way.
package exoteltest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// A Server stands in for one account of the API. It is safe for concurrent use.
// Create it with [New].
type Server struct {
	opt     Options
	lottery lottery
	started time.Time

	// mu is never held while sleeping, while writing to a network, or while calling
	// a hook that may call back.
	mu      sync.Mutex
	rng     *rand.Rand
	store   store
	limiter Limiter // nil: none
	stats   Stats
	counted []time.Duration // since started; see Options.Record
}

// New returns a server. It panics if [Options.Validate] finds fault with opt.
func New(opt Options) *Server {
	if err := opt.Validate(); err != nil {
		panic("exoteltest: " + err.Error())
	}
	opt = opt.withDefaults()
	s := &Server{
		opt:     opt,
		lottery: newLottery(opt.Faults),
		started: time.Now(),
		rng:     rand.New(rand.NewPCG(opt.Seed, opt.Seed)),
		store:   newStore(opt.Users),
		limiter: opt.Limit.Limiter(),
		stats:   Stats{Faults: make(map[Fault]int)},
	}
	for i := range opt.Users {
		if err := s.store.addUser(GeneratedUser(i)); err != nil {
			panic("exoteltest: " + err.Error()) // generated users are distinct
		}
	}
	return s
}

// answer takes a call through its whole time at the far side. A client that gives
// up before the call took effect leaves it to chance whether it still does: it
// does so at that instant, or never. Once ctx is done nobody hears the answer.
func (s *Server) answer(ctx context.Context, c *call) answer {
	c.chance = s.draw()
	if !sleep(ctx, c.chance.effect) && c.chance.coin {
		return answer{delivery: reset}
	}
	if c.route == listRoute && s.opt.OnList != nil {
		s.opt.OnList(c.offset())
	}
	a := s.decide(c)
	if !sleep(ctx, c.chance.lag-c.chance.effect+a.hold) {
		return answer{delivery: reset}
	}
	return a
}

// A chance is everything random about one call. Each call draws as much as any
// other, so that what happens to one moves nobody else's luck.
type chance struct {
	id     [2]uint64     // the request id's
	fault  Fault         // "": none
	coin   bool          // for what may go either way
	lag    time.Duration // from the request to its answer
	effect time.Duration // from the request to its effect, at most lag
}

func (s *Server) draw() chance {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := chance{
		id:    [2]uint64{s.rng.Uint64(), s.rng.Uint64()},
		fault: s.lottery.draw(s.rng.Float64()),
		coin:  s.rng.Uint64()&1 == 0,
		lag:   s.opt.Latency + time.Duration(s.rng.Float64()*float64(s.opt.Jitter)),
	}
	c.effect = time.Duration(s.rng.Float64() * float64(c.lag))
	return c
}

// decide is the instant at which a call takes effect.
func (s *Server) decide(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	if !c.authorized || s.revoked() {
		s.stats.Unauthorized++
		return c.refuse(&errUnauthorized)
	}
	now := time.Now()
	v := s.admit(now)
	if !v.ok {
		s.stats.Refused++
		a := throttled(v.reset.Sub(now))
		a.verdict = v
		return a
	}
	if s.opt.Record {
		s.counted = append(s.counted, now.Sub(s.started))
	}
	a := s.perform(c)
	a.verdict = v
	return a
}

func (s *Server) revoked() bool {
	return s.opt.UnauthorizedAfter > 0 && s.stats.Requests >= s.opt.UnauthorizedAfter
}

func (s *Server) admit(now time.Time) verdict {
	if s.limiter == nil {
		return verdict{ok: true}
	}
	ok, remaining, reset := s.limiter.Allow(now)
	return verdict{limited: true, ok: ok, remaining: remaining, reset: reset}
}

func (s *Server) perform(c *call) answer {
	switch c.route {
	case passwordRoute:
		return s.password(c)
	case listRoute:
		s.stats.Lists++
		return s.list(c)
	case userRoute:
		return s.oneUser(c)
	}
	return c.refuse(&errNotFound)
}

// ForeignRequest lets another program of the account's owner take one request of
// the allowance now, and reports whether it was granted.
func (s *Server) ForeignRequest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.admit(time.Now()).ok
	if ok {
		s.stats.Foreign++
	}
	return ok
}

// AddUser adds a user to the end of the account. An id that is there already or
// is empty, a device that stands twice or has no known type, and more than 64 KiB
// of text are errors.
func (s *Server) AddUser(u User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.addUser(u)
}

// AddDevice adds a SIP device, and its user with the email if it is not there.
// The SIP id may stand with or without "sip:", or be empty. A device that is
// there already and an empty id are errors. A user's devices are searched one by
// one: some hundreds of them are fine. A user with one device takes some 200
// bytes, its texts included, and its password once it has one.
func (s *Server) AddDevice(userID, deviceID, sipID, email string) error {
	d := Device{ID: deviceID, Type: SIP, ContactURI: contactURI(sipID), Available: true, Verified: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store.user(userID) != nil {
		return s.store.addDevice(userID, d)
	}
	return s.store.addUser(User{ID: userID, Email: email, Devices: []Device{d}})
}

// RemoveUser takes a user and its devices out, and reports whether it was there.
func (s *Server) RemoveUser(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.remove(userID)
}

// sleep waits for d, or for ctx, and reports whether ctx outlasted d.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

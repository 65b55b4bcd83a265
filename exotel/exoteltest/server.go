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
	opt Options

	// mu is never held while sleeping, while writing to a network, or while calling
	// a hook that may call back.
	mu      sync.Mutex
	rng     *rand.Rand
	account account
	limiter Limiter // nil: none
	stats   Stats
	counted []time.Time // see Options.Record
}

// New returns a server. It panics if [Options.Validate] finds fault with opt.
func New(opt Options) *Server {
	if err := opt.Validate(); err != nil {
		panic("exoteltest: " + err.Error())
	}
	opt = opt.withDefaults()
	s := &Server{
		opt:     opt,
		rng:     rand.New(rand.NewPCG(opt.Seed, opt.Seed)),
		account: account{byID: map[string]*user{}, byName: map[string][]*user{}, passwords: map[[2]string]string{}},
		limiter: opt.Limit.Limiter(),
		stats:   Stats{Faults: make(map[Fault]int)},
	}
	for i := range opt.Users {
		if err := s.account.addUser(GeneratedUser(i)); err != nil {
			panic("exoteltest: " + err.Error()) // generated users are distinct
		}
	}
	return s
}

// answer takes a call through its whole time at the server. A client that gives
// up before the call took effect leaves it to chance whether it still does: it
// does so at that instant, or never. Once ctx is done nobody receives the answer.
func (s *Server) answer(ctx context.Context, c *call) answer {
	c.chance = s.draw()
	if !sleep(ctx, c.chance.effect) && c.chance.coin {
		return answer{delivery: reset}
	}
	if c.route == listUsers && s.opt.OnList != nil {
		offset, _ := number(c.query, "offset", 0) // 0 if it makes no sense
		s.opt.OnList(offset)
	}
	a := s.decide(c)
	if !sleep(ctx, c.chance.lag-c.chance.effect+a.hold) {
		return answer{delivery: reset}
	}
	return a
}

// A chance is everything random about one call. Each call draws as much as any
// other, so that what happens to one does not change the next.
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
		fault: drawFault(s.opt.Faults, s.rng.Float64()),
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
	revoked := s.opt.UnauthorizedAfter > 0 && s.stats.Requests >= s.opt.UnauthorizedAfter
	if !c.authorized || revoked {
		s.stats.Unauthorized++
		return c.refuse(errUnauthorized)
	}
	now := time.Now()
	granted, remaining, reset := true, 0, time.Time{}
	if s.limiter != nil {
		granted, remaining, reset = s.limiter.Allow(now)
	}
	var a answer
	if granted {
		if s.opt.Record {
			s.counted = append(s.counted, now)
		}
		a = s.perform(c)
	} else {
		s.stats.Refused++
		a = throttled(reset.Sub(now))
	}
	a.remaining, a.reset = remaining, reset
	return a
}

func (s *Server) perform(c *call) answer {
	switch c.route {
	case putPassword:
		return s.password(c)
	case listUsers:
		s.stats.Lists++
		return s.list(c)
	case getUser:
		return s.oneUser(c)
	}
	return c.refuse(errNotFound)
}

// AddDevice adds a SIP device, and its user with the email if it is not there.
// The SIP id may stand with or without "sip:", or be empty. A device that is
// there already and an empty id are errors. A user's devices are searched one by
// one: some hundreds of them are fine.
func (s *Server) AddDevice(userID, deviceID, sipID, email string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.addDevice(userID, deviceID, sipID, email)
}

// MakeUp adds the SIP device that is meant by what is known of it, and its user,
// unless something in the account fits: the device's id, or else the SIP id, the
// email, the user's id. What is not known is empty, and is made up: a user's id as
// 32 hex digits that depend on the email, or else the SIP id, alone, a device's id
// as the next number from 900001 on. Knowing nothing is an error.
func (s *Server) MakeUp(userID, deviceID, sipID, email string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.makeUp(userID, deviceID, sipID, email)
}

// RemoveUser takes a user and its devices out, and reports whether it was there.
func (s *Server) RemoveUser(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.remove(userID)
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

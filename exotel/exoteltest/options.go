package exoteltest

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"siprotate/exotel"
)

// A HeaderMode says which headers show the allowance.
type HeaderMode uint8

const (
	NoHeaders  HeaderMode = iota // none
	RetryAfter                   // Retry-After, in whole seconds, on 429 and 503
	AllHeaders                   // that, and X-RateLimit-Limit, -Remaining and -Reset on every answer to the account's owner
)

// DefaultCredential is the account SID, the key and the token of a [Server] whose
// [Options] name none.
const DefaultCredential = "sandbox"

// Options say how a [Server] behaves. The zero Options make one without users,
// limit, latency and faults.
type Options struct {
	AccountSID, Key, Token string // empty: DefaultCredential each

	Users int // users there from the start: GeneratedUser(0), GeneratedUser(1) and so on

	Limit   Limit      // the account's allowance; zero: none
	Headers HeaderMode // which headers show it

	// An answer takes Latency, and up to Jitter more, uniformly. The request is
	// counted at the limiter, and takes effect, at a uniformly random instant
	// within that time.
	Latency, Jitter time.Duration

	Faults map[Fault]float64 // the probability of each, for each password call; together at most 1
	SlowBy time.Duration     // what Slow adds to the latency; 0: a minute

	// UnauthorizedAfter, if more than 0, is the request from which on every
	// answer is a 401, counted from 1.
	UnauthorizedAfter int

	// Policy refuses a password by returning an error, whose text must not contain
	// it and reaches the client. It must be safe for concurrent use. Nil means
	// [exotel.CheckPassword].
	Policy func(password string) error

	Seed   uint64 // of everything random: equal seeds and sequences of requests get equal answers
	Record bool   // keep the instants that [Server.Busiest] looks at

	// What the vendor's documentation leaves open, or contradicts itself in.

	TextIDs       bool                // device ids are JSON strings, not numbers
	NullWhenEmpty bool                // the response of a filtered list that is empty is null, not []
	Total         func(users int) int // if set, what a list's metadata gives as its total; must not call the server
	OnList        func(offset int)    // if set, called before a list call is looked at; it may add and remove users, and runs concurrently
}

// Validate reports what is wrong with the options, if anything: negative numbers
// and durations, an invalid limit, unknown faults, and probabilities that are out
// of range or add up to more than 1.
func (o Options) Validate() error {
	if err := cmp.Or(checkFaults(o.Faults), o.Limit.validate()); err != nil {
		return err
	}
	switch {
	case o.Users < 0:
		return fmt.Errorf("%d users", o.Users)
	case o.UnauthorizedAfter < 0:
		return fmt.Errorf("unauthorized after %d requests", o.UnauthorizedAfter)
	case o.Headers > AllHeaders:
		return fmt.Errorf("no such header mode: %d", o.Headers)
	case o.Latency < 0 || o.Jitter < 0 || o.SlowBy < 0:
		return errors.New("a negative latency")
	}
	return nil
}

func (o Options) withDefaults() Options {
	o.AccountSID = cmp.Or(o.AccountSID, DefaultCredential)
	o.Key = cmp.Or(o.Key, DefaultCredential)
	o.Token = cmp.Or(o.Token, DefaultCredential)
	o.SlowBy = cmp.Or(o.SlowBy, time.Minute)
	if o.Policy == nil {
		o.Policy = exotel.CheckPassword
	}
	return o
}

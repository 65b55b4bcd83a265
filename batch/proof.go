package batch

import "time"

// A Proof is what the registrar says of a row's password.
type Proof struct {
	Verdict  Verdict
	Code     int    // of the SIP answer; 0 without one
	Reason   string // in a few words
	At       time.Time
	Bindings []Binding // the phones that are registered, where the registrar says so
	Adopted  bool      // one of them registered, or renewed, with this very password
	// When wrong answers to challenges were sent of late, or may have been, which
	// registrars count.
	Answered []time.Time
}

// A Binding is a phone that is registered, and when its registration ends unless
// it renews it.
type Binding struct {
	Contact string
	Ends    time.Time
}

// A Verdict is what a proof proves.
type Verdict string

// The verdicts. The zero Verdict: the password was not proved.
const (
	ProofAccepted Verdict = "accepted" // the password is in force
	ProofRefused  Verdict = "refused"  // it is not
	ProofUnclear  Verdict = "unclear"  // nobody knows
)

// Verdicts lists those that a proof may have.
var Verdicts = []Verdict{ProofAccepted, ProofRefused, ProofUnclear}

// An Adoption says whether the phones of a row have taken its new password up.
type Adoption string

// Only somebody who knows the password in force can renew a registration.
const (
	Adopted         Adoption = "adopted"          // a phone registered, or renewed, with the new password
	OldRegistration Adoption = "old registration" // a phone lives on what it registered before, until that ends
	Offline         Adoption = "offline"          // no phone is registered
	NotClear        Adoption = "unclear"          // the registrar does not say
)

// slack is by how much a registration's end may seem to move though nobody renewed
// it: ends are told in whole seconds, on another clock.
const slack = 3 * time.Second

// AdoptedSince reports whether a phone has taken the password up: a registration
// that was not there when the same password was proved before, or whose end has
// moved ahead since.
func (p Proof) AdoptedSince(before Proof) bool {
	if p.Verdict != ProofAccepted || before.Verdict != ProofAccepted {
		return false
	}
	if before.Adopted && len(p.Bindings) > 0 {
		return true
	}
	ends := map[string]time.Time{}
	for _, b := range before.Bindings {
		ends[b.Contact] = b.Ends
	}
	for _, b := range p.Bindings {
		if end, known := ends[b.Contact]; !known || b.Ends.After(end.Add(slack)) {
			return true
		}
	}
	return false
}

// Adoption says how the phones of a row stand, and, of old registrations, until
// when the last of them lasts.
func (p Proof) Adoption() (a Adoption, until time.Time) {
	switch {
	case p.Verdict != ProofAccepted:
		return NotClear, until
	case p.Adopted:
		return Adopted, until
	case len(p.Bindings) == 0:
		return Offline, until
	}
	for _, b := range p.Bindings {
		if b.Ends.After(until) {
			until = b.Ends
		}
	}
	return OldRegistration, until
}

package rotation

import (
	"fmt"
	"time"

	"siprotate/batch"
)

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

// adopted reports whether a phone has taken the password up: a registration that
// was not there when the same password was proved before, or whose end has moved
// ahead since.
func adopted(before, now batch.Proof) bool {
	if now.Verdict != batch.ProofAccepted || before.Verdict != batch.ProofAccepted {
		return false
	}
	if before.Adopted && len(now.Bindings) > 0 {
		return true
	}
	ends := map[string]time.Time{}
	for _, b := range before.Bindings {
		ends[b.Contact] = b.Ends
	}
	for _, b := range now.Bindings {
		if end, known := ends[b.Contact]; !known || b.Ends.After(end.Add(slack)) {
			return true
		}
	}
	return false
}

// AdoptionOf says how the phones of a row stand by its latest proof, and, of old
// registrations, until when the last of them lasts.
func AdoptionOf(p batch.Proof) (a Adoption, until time.Time) {
	switch {
	case p.Verdict != batch.ProofAccepted:
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

// A Share is a part of a whole, from 0 to 1.
type Share float64

func (s Share) String() string { return fmt.Sprintf("%.4g%%", float64(s)*100) }

package batch

import (
	"testing"
	"time"
)

func TestAdoption(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	proof := func(v Verdict, bindings ...Binding) Proof {
		return Proof{Verdict: v, Bindings: bindings}
	}
	at := func(contact string, minutes float64) Binding {
		return Binding{Contact: contact, Ends: noon.Add(time.Duration(minutes * float64(time.Minute)))}
	}
	before := proof(ProofAccepted, at("a", 30), at("b", 40))
	for name, c := range map[string]struct {
		before, now Proof
		want        Adoption
		until       float64 // minutes past noon; 0: none
	}{
		"counts down":                {before, proof(ProofAccepted, at("a", 30), at("b", 40)), OldRegistration, 40},
		"within the slack":           {before, proof(ProofAccepted, at("a", 30.04)), OldRegistration, 30.04},
		"renewed":                    {before, proof(ProofAccepted, at("a", 60), at("b", 40)), Adopted, 0},
		"another phone":              {before, proof(ProofAccepted, at("c", 20)), Adopted, 0},
		"gone":                       {before, proof(ProofAccepted), Offline, 0},
		"refused":                    {before, proof(ProofRefused), NotClear, 0},
		"no earlier proof":           {Proof{}, proof(ProofAccepted, at("a", 90)), OldRegistration, 90},
		"an earlier one of no worth": {proof(ProofUnclear), proof(ProofAccepted, at("a", 90)), OldRegistration, 90},
		"adopted before, counts down now": {
			Proof{Verdict: ProofAccepted, Adopted: true, Bindings: []Binding{at("a", 60)}},
			proof(ProofAccepted, at("a", 60)), Adopted, 0,
		},
		"adopted before, gone now": {
			Proof{Verdict: ProofAccepted, Adopted: true, Bindings: []Binding{at("a", 60)}},
			proof(ProofAccepted), Offline, 0,
		},
	} {
		c.now.Adopted = c.now.AdoptedSince(c.before)
		got, until := c.now.Adoption()
		want := noon.Add(time.Duration(c.until * float64(time.Minute)))
		if got != c.want || c.until > 0 && !until.Equal(want) || c.until == 0 && !until.IsZero() {
			t.Errorf("%s: %v until %v", name, got, until)
		}
	}
}

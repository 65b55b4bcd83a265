package rotation

import (
	"testing"
	"time"

	"siprotate/batch"
)

func TestAdoption(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	proof := func(v batch.Verdict, bindings ...batch.Binding) batch.Proof {
		return batch.Proof{Verdict: v, Bindings: bindings}
	}
	at := func(contact string, minutes float64) batch.Binding {
		return batch.Binding{Contact: contact, Ends: noon.Add(time.Duration(minutes * float64(time.Minute)))}
	}
	before := proof(batch.ProofAccepted, at("a", 30), at("b", 40))
	for name, c := range map[string]struct {
		before, now batch.Proof
		want        Adoption
		until       float64 // minutes past noon; 0: none
	}{
		"counts down":                {before, proof(batch.ProofAccepted, at("a", 30), at("b", 40)), OldRegistration, 40},
		"within the slack":           {before, proof(batch.ProofAccepted, at("a", 30.04)), OldRegistration, 30.04},
		"renewed":                    {before, proof(batch.ProofAccepted, at("a", 60), at("b", 40)), Adopted, 0},
		"another phone":              {before, proof(batch.ProofAccepted, at("c", 20)), Adopted, 0},
		"gone":                       {before, proof(batch.ProofAccepted), Offline, 0},
		"refused":                    {before, proof(batch.ProofRefused), NotClear, 0},
		"no earlier proof":           {batch.Proof{}, proof(batch.ProofAccepted, at("a", 90)), OldRegistration, 90},
		"an earlier one of no worth": {proof(batch.ProofUnclear), proof(batch.ProofAccepted, at("a", 90)), OldRegistration, 90},
		"adopted before, counts down now": {
			batch.Proof{Verdict: batch.ProofAccepted, Adopted: true, Bindings: []batch.Binding{at("a", 60)}},
			proof(batch.ProofAccepted, at("a", 60)), Adopted, 0,
		},
		"adopted before, gone now": {
			batch.Proof{Verdict: batch.ProofAccepted, Adopted: true, Bindings: []batch.Binding{at("a", 60)}},
			proof(batch.ProofAccepted), Offline, 0,
		},
	} {
		c.now.Adopted = adopted(c.before, c.now)
		got, until := AdoptionOf(c.now)
		want := noon.Add(time.Duration(c.until * float64(time.Minute)))
		if got != c.want || c.until > 0 && !until.Equal(want) || c.until == 0 && !until.IsZero() {
			t.Errorf("%s: %v until %v", name, got, until)
		}
	}
}

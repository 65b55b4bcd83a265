package cli

import (
	"bytes"
	"testing"

	"siprotate/batch"
)

// Refused passwords are set again, unless a later run has given the phone another.
func TestRefusedRowsAreAnInput(t *testing.T) {
	var proved []batch.Entry
	for n, verdict := range []batch.Verdict{batch.ProofAccepted, batch.ProofRefused, batch.ProofRefused, batch.ProofUnclear} {
		proved = append(proved, batch.Entry{
			Row:    batch.Row{Number: n + 1, UserID: "user", DeviceID: "device" + string(rune('1'+n)), SIPID: "sip", Email: "a@example.com"},
			Result: batch.Result{Proof: batch.Proof{Verdict: verdict}},
		})
	}
	var out bytes.Buffer
	a := &app{out: &out, err: &out}
	if rows, err := a.writeRefused(proved, map[int]bool{3: true}, "-"); err != nil || rows != 1 {
		t.Fatal(rows, err)
	}
	if want := "user_id,device_id,sip_id,email\nuser,device2,sip,a@example.com\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

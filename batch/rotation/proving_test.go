package rotation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/exotel/registrar"
)

// A fakeRegistrar knows which passwords are in force, and sees that no account gets
// more than two wrong answers in ten minutes and no two proofs are closer than a second.
type fakeRegistrar struct {
	t     *testing.T
	say   map[string]registrar.Proof // by SIP id: whatever the password is
	force map[string]string          // by SIP id: the password in force
	phone func(sipID string) []registrar.Binding
	stale bool                   // each question takes two answers
	away  time.Time              // it says nothing before that
	wrong map[string][]time.Time // by SIP id: when answers were
	last  time.Time
	asked int
}

func (f *fakeRegistrar) Reset() {}

func (f *fakeRegistrar) ProveOnce(_ context.Context, sipID, password string) (registrar.Proof, error) {
	f.asked++
	if now := time.Now(); now.Sub(f.last) < time.Second {
		f.t.Errorf("%s: asked %v after the last proof", sipID, now.Sub(f.last))
	}
	f.last = time.Now()
	if proof, fixed := f.say[sipID]; fixed {
		return proof, nil
	}
	if time.Now().Before(f.away) {
		return registrar.Proof{Verdict: registrar.Unclear, Reason: "no answer"}, nil
	}
	proof := registrar.Proof{Verdict: registrar.Refused, Code: 401, Reason: "Unauthorized", Challenged: true, Answers: 1}
	switch {
	case f.stale && len(f.wrong[sipID]) == 0:
		proof.Verdict = registrar.Unclear
	case f.force[sipID] == password:
		proof.Verdict, proof.Code, proof.Reason = registrar.Accepted, 200, "OK"
		if f.phone != nil {
			proof.Bindings = f.phone(sipID)
		}
		return proof, nil
	}
	f.countWrong(sipID)
	return proof, nil
}

func (f *fakeRegistrar) countWrong(sipID string) {
	now := time.Now()
	recent := slices.DeleteFunc(f.wrong[sipID], func(at time.Time) bool { return now.Sub(at) >= 10*time.Minute })
	if f.wrong[sipID] = append(recent, now); len(f.wrong[sipID]) > 2 {
		f.t.Errorf("%s: %d wrong answers in ten minutes", sipID, len(f.wrong[sipID]))
	}
}

// proveRows plans so many rows, has them end as told, and proves them.
func proveRows(t *testing.T, f *fakeRegistrar, rows int, control bool, edit func(*batch.Result)) (verdicts, outcomes []string, why string) {
	f.t, f.wrong = t, map[string][]time.Time{}
	j := planned(t, filepath.Join(t.TempDir(), "users.run"), rows, provedRow)
	defer j.Close()
	must(t, j.Begin("test", false))
	p := Rotation{Proofs: Proofs{Prover: f}, Events: func(e Event) { why = e.(ProvingStopped).Why }}.newProving(j, rows)
	if control {
		p.control(t.Context(), &batch.Entry{Row: provedRow(1)})
	}
	p.start(t.Context())
	for i := range rows {
		row := provedRow(i + 1)
		p.add(row, send(t, j, row, edit))
	}
	p.finish()
	for entry, err := range j.Entries() {
		must(t, err)
		verdicts = append(verdicts, string(entry.Result.Proof.Verdict))
		outcomes = append(outcomes, entry.Result.Outcome.String())
	}
	return verdicts, outcomes, why
}

// planned makes the plan of a run of so many rows.
func planned(t *testing.T, dir string, rows int, rowOf func(n int) batch.Row) *journal.Journal {
	t.Helper()
	plan, err := journal.Create(dir, journal.Head{}, journal.Plain)
	must(t, err)
	for n := 1; n <= rows; n++ {
		must(t, plan.Add(rowOf(n)))
	}
	j, err := plan.Seal("", nil)
	must(t, err)
	return j
}

// send has a row sent and end: rotated, unless edit says otherwise.
func send(t *testing.T, j *journal.Journal, row batch.Row, edit func(*batch.Result)) batch.Result {
	t.Helper()
	row.Attempts.Count = 1
	must(t, j.Sending(&row, time.Now()))
	result := batch.Result{Row: row.Number, Outcome: batch.Rotated, Attempts: row.Attempts, Finished: time.Now()}
	if edit != nil {
		edit(&result)
	}
	must(t, j.Finish(result))
	return result
}

func provedRow(n int) batch.Row {
	return batch.Row{
		Number: n, UserID: "u", DeviceID: fmt.Sprint(n), SIPID: fmt.Sprint("sip", n), Password: batch.NewSecret(fmt.Sprint("Sample-Only-", n)),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func inForceFor(rows ...int) map[string]string {
	force := map[string]string{}
	for _, n := range rows {
		force[fmt.Sprint("sip", n)] = fmt.Sprint("Sample-Only-", n)
	}
	return force
}

func TestProofs(t *testing.T) {
	unclear := registrar.Proof{Verdict: registrar.Unclear, Reason: "no answer"}
	for name, c := range map[string]struct {
		registrar fakeRegistrar
		control   bool
		want      []string
		stopped   bool
	}{
		"accepted and refused": {fakeRegistrar{force: inForceFor(1, 3)}, false, []string{"accepted", "refused", "accepted"}, false},
		"stale nonces":         {fakeRegistrar{force: inForceFor(1, 3), stale: true}, false, []string{"accepted", "unclear", "accepted"}, false},
		// The control and a refusal use the first account's budget up: it cannot be
		// confirmed.
		"with a control":           {fakeRegistrar{force: inForceFor(2, 3)}, true, []string{"unclear", "accepted", "accepted"}, false},
		"the control is accepted":  {fakeRegistrar{force: inForceFor(1, 2, 3)}, true, []string{"", "", ""}, true},
		"the control is unclear":   {fakeRegistrar{say: map[string]registrar.Proof{"sip1": unclear}}, true, []string{"", "", ""}, true},
		"one unclear":              {fakeRegistrar{say: map[string]registrar.Proof{"sip2": unclear}, force: inForceFor(1, 3)}, false, []string{"accepted", "unclear", "accepted"}, false},
		"two unclear in a row":     {fakeRegistrar{say: map[string]registrar.Proof{"sip1": unclear, "sip2": unclear}, force: inForceFor(3)}, false, []string{"unclear", "unclear", ""}, true},
		"a registrar that forbids": {fakeRegistrar{say: map[string]registrar.Proof{"sip1": {Verdict: registrar.Unclear, Code: 403, Stop: true}}}, false, []string{"unclear", "", ""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, _, why := proveRows(t, &c.registrar, 3, c.control, nil)
				if !slices.Equal(got, c.want) || (why != "") != c.stopped {
					t.Errorf("%q (%s), want %q", got, why, c.want)
				}
			})
		})
	}
}

// An accepted password settles a row in doubt; a refusal settles nothing.
func TestAProofSettlesDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRegistrar{force: inForceFor(1)}
		_, outcomes, _ := proveRows(t, f, 2, false, func(r *batch.Result) {
			r.Outcome, r.Attempts.Doubt = batch.Unknown, "timeout"
		})
		if want := []string{"rotated", "unknown"}; !slices.Equal(outcomes, want) {
			t.Errorf("%q, want %q", outcomes, want)
		}
	})
}

func TestASampleIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRegistrar{t: t, force: inForceFor(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)}
		p := &proving{Proofs: Proofs{Prover: f, Sample: 3}, total: 10, queue: make(chan *batch.Entry, 10)}
		for n := 1; n <= 10; n++ {
			p.add(provedRow(n), batch.Result{Outcome: batch.Rotated})
		}
		if got := len(p.queue); got != 3 {
			t.Errorf("%d rows are to be proved, want 3", got)
		}
	})
}

// A proof that nobody waits for any more ends with the run.
func TestProvingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRegistrar{t: t, force: inForceFor(1), wrong: map[string][]time.Time{}}
		ctx, cancel := context.WithCancelCause(t.Context())
		p := Rotation{Proofs: Proofs{Prover: f, Every: time.Hour}}.newProving(nil, 50)
		p.start(ctx)
		cancel(errors.New("SIGINT"))
		for n := 1; n <= 50; n++ {
			p.add(provedRow(n), batch.Result{Outcome: batch.Rotated})
		}
		p.finish()
		if f.asked > 0 {
			t.Errorf("%d proofs", f.asked)
		}
	})
}

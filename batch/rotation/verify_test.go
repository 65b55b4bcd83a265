package rotation

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/exotel/registrar"
)

// phonesAt returns the registrations of 200 phones as time passes: six in ten renew
// with the new password from a moment of their own on, three keep what they
// registered before until it ends after an hour, one is off.
func phonesAt(began time.Time) func(sipID string) []registrar.Binding {
	const lasts = 30 * time.Minute
	return func(sipID string) []registrar.Binding {
		n, _ := strconv.Atoi(strings.TrimPrefix(sipID, "sip"))
		now := time.Now()
		end := began.Add(time.Hour)
		switch kind := n % 10; {
		case kind == 0:
			return nil
		case kind > 6:
		default: // provisioned anew after 5 to 125 minutes, and renewed every quarter of an hour from then on
			learned := began.Add(time.Duration(n%120+5) * time.Minute)
			if since := now.Sub(learned); since >= 0 {
				end = learned.Add(since.Truncate(lasts/2) + lasts)
			}
		}
		if !end.After(now) {
			return nil
		}
		return []registrar.Binding{{Contact: "sip:" + sipID + "@10.0.0.1", End: end.Truncate(time.Second)}}
	}
}

// rotatedRun makes a finished run of so many rows.
func rotatedRun(t *testing.T, rows int) string { return rotatedTo(t, rows, provedRow) }

func rotatedTo(t *testing.T, rows int, rowOf func(n int) batch.Row) string {
	dir := filepath.Join(t.TempDir(), "users.run")
	j := planned(t, dir, rows, rowOf)
	must(t, j.Begin("test", false))
	for n := 1; n <= rows; n++ {
		send(t, j, rowOf(n), nil)
	}
	must(t, j.Stop(journal.Totals{}))
	must(t, j.Close())
	return dir
}

func TestVerifyTellsWhichPhonesAreBack(t *testing.T) {
	t.Parallel()
	const rows = 200
	var all []int
	for n := 1; n <= rows; n++ {
		all = append(all, n)
	}
	synctest.Test(t, func(t *testing.T) {
		dir := rotatedRun(t, rows)
		began := time.Now()
		f := &fakeRegistrar{t: t, force: inForceFor(all...), phone: phonesAt(began), wrong: map[string][]time.Time{}}
		var (
			rounds []int
			next   []time.Time
		)
		r := Rotation{Dir: dir, Proofs: Proofs{Prover: f}, Events: func(e Event) {
			if a, ok := e.(Adoptions); ok {
				rounds = append(rounds, a.Adopted)
				next = append(next, a.Next)
			}
		}}
		_, err := r.Verify(t.Context(), Verification{Every: 10 * time.Minute, Until: 0.6, Limit: 4 * time.Hour})
		if err != nil {
			t.Fatalf("%v after %v: %v", err, time.Since(began), rounds)
		}
		for i, n := range rounds {
			if last := i == len(rounds)-1; last != next[i].IsZero() {
				t.Errorf("after look %d of %d, the next one is at %v", i+1, len(rounds), next[i])
			}
			if i > 0 && n < rounds[i-1] {
				t.Errorf("phones are adopted and then not: %v", rounds)
			}
		}
		if rounds[0] != 0 || len(rounds) < 5 {
			t.Errorf("adopted round by round: %v", rounds)
		}
		// An hour after the start every old registration has ended.
		v, err := journal.Read(dir, journal.Plain)
		must(t, err)
		defer v.Close()
		for entry, err := range v.Entries() {
			must(t, err)
			want := finally(entry.Row.Number)
			if got, _ := entry.Result.Proof.Adoption(); got != want {
				t.Errorf("row %d is %q, want %q", entry.Row.Number, got, want)
			}
		}
		// How the run itself stands is as it was.
		if info := v.Info(); info.StoppedAt.IsZero() || info.Stopped != "" || info.Requests != rows {
			t.Errorf("%+v", info)
		}
	})
}

// finally is how a phone of phonesAt stands in the end.
func finally(n int) batch.Adoption {
	if kind := n % 10; kind == 0 || kind > 6 {
		return batch.Offline
	}
	return batch.Adopted
}

func TestVerifyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := rotatedRun(t, 2)
		f := &fakeRegistrar{t: t, force: inForceFor(1, 2), wrong: map[string][]time.Time{}}
		_, err := Rotation{Dir: dir, Proofs: Proofs{Prover: f}}.Verify(t.Context(), Verification{Every: 10 * time.Minute, Until: 1, Limit: time.Hour})
		if !errors.Is(err, ErrNotAdopted) {
			t.Error(err)
		}
	})
}

// Wrong answers that an account got in one verification count in the next one;
// right ones do not.
func TestTheBudgetOutlivesAVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := rotatedRun(t, 3)
		f := &fakeRegistrar{t: t, force: inForceFor(2), wrong: map[string][]time.Time{}}
		var barred []int
		r := Rotation{Dir: dir, Proofs: Proofs{Prover: f}, Events: func(e Event) {
			if b, ok := e.(Barred); ok {
				barred = append(barred, b.Rows)
				if wait := time.Until(b.From); wait <= 0 || wait > 10*time.Minute {
					t.Errorf("to be asked again in %v", wait)
				}
			}
		}}
		for range 4 {
			if _, err := r.Verify(t.Context(), Verification{}); !errors.Is(err, ErrRefused) {
				t.Error(err)
			}
			time.Sleep(2 * time.Minute)
		}
		if f.asked != 2+4+2 {
			t.Errorf("asked %d times", f.asked)
		}
		if want := []int{2, 2, 2}; !slices.Equal(barred, want) {
			t.Errorf("%d rows were not asked about, want %d", barred, want)
		}
		// What becomes of other rows does not matter.
		accepted := Verification{Want: func(e batch.Entry) bool { return e.Row.Number == 2 }}
		if _, err := r.Verify(t.Context(), accepted); err != nil {
			t.Error(err)
		}
	})
}

// Two devices may have one SIP id: what either has taken of its budget counts.
func TestRowsOfOneSIPIDShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "users.run")
		j := planned(t, dir, 2, func(n int) batch.Row {
			row := provedRow(n)
			row.SIPID = "shared"
			return row
		})
		must(t, j.Begin("test", false))
		for n := range 2 {
			send(t, j, provedRow(n+1), nil)
		}
		must(t, errors.Join(j.Stop(journal.Totals{}), j.Close()))
		f := &fakeRegistrar{t: t, wrong: map[string][]time.Time{}} // which sees to the budget
		r := Rotation{Dir: dir, Proofs: Proofs{Prover: f}}
		second := Verification{Want: func(e batch.Entry) bool { return e.Row.Number == 2 }}
		for _, v := range []Verification{second, {}} {
			if _, err := r.Verify(t.Context(), v); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrUnproved) {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
		if f.asked != 2 {
			t.Errorf("asked %d times", f.asked)
		}
	})
}

// A question that fails before any answer was given takes nothing of the budget.
func TestAFailedQuestionTakesNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{fakeRegistrar: fakeRegistrar{t: t, force: inForceFor(2), wrong: map[string][]time.Time{}}}
		r := Rotation{Dir: rotatedRun(t, 2), Proofs: Proofs{Prover: f}, Events: func(e Event) {
			if b, barred := e.(Barred); barred {
				t.Errorf("%+v", b)
			}
		}}
		if _, err := r.Verify(t.Context(), Verification{Every: time.Minute, Until: 1, Limit: 6 * time.Minute}); err == nil {
			t.Error("all is well")
		}
		if f.failed < 5 {
			t.Errorf("asked for %d times", f.failed)
		}
	})
}

// A failing registrar is no help with the first SIP id.
type failing struct {
	fakeRegistrar
	failed int
}

func (r *failing) ProveOnce(ctx context.Context, sipID, password string) (registrar.Proof, error) {
	if sipID == "sip1" {
		r.failed++
		return registrar.Proof{}, errors.New("no SIP id")
	}
	return r.fakeRegistrar.ProveOnce(ctx, sipID, password)
}

// A registrar that is away for a while ends no watch over the phones.
func TestVerifyGoesOnAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := rotatedRun(t, 3)
		f := &fakeRegistrar{t: t, force: inForceFor(1, 2, 3), away: time.Now().Add(25 * time.Minute), wrong: map[string][]time.Time{}}
		renews := time.Now().Add(time.Hour)
		f.phone = func(sipID string) []registrar.Binding {
			end := renews
			if time.Now().After(renews) {
				end = renews.Add(time.Hour)
			}
			return []registrar.Binding{{Contact: sipID, End: end}}
		}
		var again []bool
		r := Rotation{Dir: dir, Proofs: Proofs{Prover: f}, Events: func(e Event) {
			if stopped, ok := e.(ProvingStopped); ok {
				again = append(again, stopped.Again)
			}
		}}
		if _, err := r.Verify(t.Context(), Verification{}); !errors.Is(err, ErrUnproved) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		_, err := r.Verify(t.Context(), Verification{Every: 10 * time.Minute, Until: 1, Limit: 3 * time.Hour})
		must(t, err)
		if len(again) < 2 || again[0] || slices.Contains(again[1:], false) {
			t.Errorf("who asks again is told as %v", again)
		}
	})
}

// Passwords of an earlier run are asked for, each account twice in ten minutes, and
// what is not asked is counted.
func TestVerifyOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		earlier := rotatedTo(t, 4, func(n int) batch.Row {
			row := provedRow(n)
			if n > 1 { // the first one was given the same password again
				row.Password = batch.NewSecret("Earlier-" + strconv.Itoa(n))
			}
			return row
		})
		r := Rotation{Dir: rotatedRun(t, 4)}
		f := &fakeRegistrar{t: t, force: map[string]string{"sip2": "Earlier-2"}, wrong: map[string][]time.Time{}}
		r.Proofs.Prover = f
		for i, want := range []Old{{Asked: 3, Refused: 2, Accepted: 1}, {Asked: 3, Refused: 2, Accepted: 1}, {NotAsked: 3}} {
			old, err := r.VerifyOld(t.Context(), earlier, Verification{})
			must(t, err)
			if old != want {
				t.Errorf("time %d: %+v, want %+v", i+1, old, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// A stale nonce is answered once more, and is no verdict.
func TestVerifyOldAnswersAFreshNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		earlier := rotatedTo(t, 2, func(n int) batch.Row {
			row := provedRow(n)
			row.Password = batch.NewSecret("Earlier-" + strconv.Itoa(n))
			return row
		})
		f := &fakeRegistrar{t: t, stale: true, wrong: map[string][]time.Time{}}
		old, err := Rotation{Dir: rotatedRun(t, 2), Proofs: Proofs{Prover: f}}.VerifyOld(t.Context(), earlier, Verification{})
		must(t, err)
		if want := (Old{Asked: 2, Refused: 2}); old != want {
			t.Errorf("%+v, want %+v", old, want)
		}
	})
}

// A comparison that is interrupted says so, and not that passwords are unproved.
func TestVerifyOldIsInterrupted(t *testing.T) {
	earlier := rotatedTo(t, 4, func(n int) batch.Row {
		row := provedRow(n)
		row.Password = batch.NewSecret("Earlier-" + strconv.Itoa(n))
		return row
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("a signal")
	f := &interrupting{fakeRegistrar{t: t, wrong: map[string][]time.Time{}}, func() { cancel(interrupted) }}
	old, err := Rotation{Dir: rotatedRun(t, 4), Proofs: Proofs{Prover: f}}.VerifyOld(ctx, earlier, Verification{})
	stop, ok := errors.AsType[*batch.Stop](err)
	if !ok || stop.Reason != batch.Interrupted || !errors.Is(stop.Err, interrupted) || old.Asked+old.NotAsked > 1 {
		t.Errorf("%+v: %v", old, err)
	}
}

// An interrupting registrar is interrupted by its first question.
type interrupting struct {
	fakeRegistrar
	interrupt func()
}

func (r *interrupting) ProveOnce(ctx context.Context, sipID, password string) (registrar.Proof, error) {
	r.interrupt()
	return r.fakeRegistrar.ProveOnce(ctx, sipID, password)
}

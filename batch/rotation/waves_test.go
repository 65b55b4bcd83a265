package rotation

import (
	"context"
	"errors"
	"iter"
	"math"
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

// scheduled returns a schedule of rows with these values in a column, of which the
// first ones are settled, and some were sent before.
func scheduled(t *testing.T, w Waves, values []string, settled int, sent []int, passed int, closed bool) schedule {
	t.Helper()
	pending := func(yield func(batch.Row, error) bool) {
		for i := range values {
			if i >= settled && !yield(batch.Row{Number: i + 1}, nil) {
				return
			}
		}
	}
	all := func(yield func(waveRow, error) bool) {
		for i, value := range values {
			if !yield(waveRow{i + 1, value, i >= settled, slices.Contains(sent, i+1)}, nil) {
				return
			}
		}
	}
	s, err := w.schedule(pending, len(values)-settled, all, passed, closed)
	must(t, err)
	return s
}

func TestGatesThatAreLeft(t *testing.T) {
	for name, c := range map[string]struct {
		sizes           []int
		passed, settled int
		sent            []int // not settled all the same
		closed          bool
		rows            int
		want            []int
	}{
		"from the start":                        {[]int{5, 50}, 0, 0, nil, false, 100, []int{5, 55}},
		"no rows behind the last":               {[]int{5, 50}, 0, 0, nil, false, 55, []int{5}},
		"in the first wave":                     {[]int{5, 50}, 0, 3, nil, false, 100, []int{2, 52}},
		"at a gate that stayed closed":          {[]int{5, 50}, 0, 5, nil, true, 100, []int{0, 50}},
		"at a gate that waited":                 {[]int{5, 50}, 0, 5, nil, false, 100, []int{0, 50}},
		"at a gate that opened":                 {[]int{5, 50}, 1, 5, nil, false, 100, []int{50}},
		"in the second wave":                    {[]int{5, 50}, 1, 15, nil, false, 100, []int{40}},
		"settled beyond a closed gate":          {[]int{5, 50}, 0, 9, nil, true, 100, []int{0, 46}},
		"waves of other sizes at a closed gate": {[]int{9}, 0, 2, nil, true, 12, []int{0, 7}},
		"smaller waves at a closed gate":        {[]int{1, 1, 1}, 0, 5, nil, true, 12, []int{0}},
		"all gates passed":                      {[]int{5, 50}, 2, 60, nil, false, 100, nil},
		"no waves":                              {nil, 0, 0, nil, false, 100, nil},
		"nothing is left to be sent":            {[]int{5}, 0, 5, nil, true, 5, nil},
		"rows before a closed gate":             {[]int{5, 50}, 0, 3, []int{4, 5}, true, 100, []int{2, 52}},
		"rows before a gate that opened":        {[]int{5, 50}, 1, 4, []int{5}, false, 100, []int{51}},
		"a row of the wave that goes on":        {[]int{5, 50}, 0, 2, []int{3}, false, 100, []int{3, 53}},
		"a wave without end":                    {[]int{math.MaxInt, 5}, 0, 0, nil, false, 100, nil},
	} {
		if got := scheduled(t, Waves{Sizes: c.sizes}, make([]string, c.rows), c.settled, c.sent, c.passed, c.closed).gates; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// No two rows of a wave have the same value in the column, whatever that takes, and
// a row's wave is the same in each session.
func TestWavesKeepApart(t *testing.T) {
	values := []string{"desk", "desk", "", "", "hall", "desk", "hall", "yard"}
	for name, c := range map[string]struct {
		settled     int
		sent        []int
		passed      int
		rows, gates []int
	}{
		"from the start":        {0, nil, 0, []int{1, 3, 2, 4, 5, 6, 7, 8}, []int{2, 5}},
		"in the first wave":     {1, nil, 0, []int{3, 2, 4, 5, 6, 7, 8}, []int{1, 4}},
		"a row is sent again":   {0, []int{1, 3}, 0, []int{1, 3, 2, 4, 5, 6, 7, 8}, []int{2, 5}},
		"behind the first gate": {0, []int{3}, 1, []int{3, 1, 2, 4, 5, 6, 7, 8}, []int{5}},
	} {
		s := scheduled(t, Waves{Sizes: []int{2, 3}, Apart: "place"}, values, c.settled, c.sent, c.passed, false)
		var got []int
		for row, err := range s.rows {
			must(t, err)
			got = append(got, row.Number)
		}
		if !slices.Equal(got, c.rows) || !slices.Equal(s.gates, c.gates) {
			t.Errorf("%s: rows %v, gates after %v, want %v and %v", name, got, s.gates, c.rows, c.gates)
		}
	}
}

// A gate looks at the phones ten times or more before it gives up.
func TestAGateWaitsForPhones(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait  time.Duration
		opens time.Duration // so long after the proofs; 0: it stays closed
		why   string
	}{
		"until they are back": {2 * time.Hour, 16 * time.Minute, ""},
		"in vain":             {8 * time.Minute, 0, "100% proved, 100% wanted; 20% adopted, 60% wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rows = 10
				started := time.Now()
				phone := func(sipID string) []registrar.Binding { // renewed after 6 minutes, 7 ... 11; four are not
					n, _ := strconv.Atoi(strings.TrimPrefix(sipID, "sip"))
					end := started.Add(time.Hour)
					if renews := started.Add(time.Duration(n+5) * time.Minute); n <= 6 && time.Now().After(renews) {
						end = renews.Add(time.Hour)
					}
					return []registrar.Binding{{Contact: sipID, End: end}}
				}
				j, err := journal.Open(rotatedRun(t, rows), journal.Plain)
				must(t, err)
				defer j.Close()
				must(t, j.BeginVerify("test"))
				f := &fakeRegistrar{t: t, force: inForceFor(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), phone: phone, wrong: map[string][]time.Time{}}
				r := Rotation{Proofs: Proofs{Prover: f}, Waves: Waves{Proved: 1, Adopted: 0.6, Wait: c.wait}, Events: func(Event) {}}
				p := r.newProving(j, rows)
				p.start(t.Context())
				defer p.finish()
				must(t, p.round(j, Verification{}))
				must(t, p.drain(t.Context()))
				began := time.Now()
				err = r.decide(t.Context(), j, p, &Gated{Gate: 1, Rows: rows}, false)
				switch took := time.Since(began); {
				case c.why == "" && (err != nil || took > c.opens):
					t.Errorf("%v after %v", err, took)
				case c.why != "" && (err == nil || err.Error() != c.why || took > c.wait+time.Minute):
					t.Errorf("%v after %v, want %q", err, took, c.why)
				}
			})
		})
	}
}

// A person who is asked at a gate again hears of the phones that came back since.
func TestAskingAgainLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows = 3
		started := time.Now()
		phone := func(sipID string) []registrar.Binding { // renewed after five minutes
			end := started.Add(time.Hour)
			if renewed := started.Add(5 * time.Minute); time.Now().After(renewed) {
				end = renewed.Add(time.Hour)
			}
			return []registrar.Binding{{Contact: sipID, End: end}}
		}
		j, err := journal.Open(rotatedRun(t, rows), journal.Plain)
		must(t, err)
		defer j.Close()
		must(t, j.BeginVerify("test"))
		f := &fakeRegistrar{t: t, force: inForceFor(1, 2, 3), phone: phone, wrong: map[string][]time.Time{}}
		var asked []string
		r := Rotation{Proofs: Proofs{Prover: f}, Events: func(Event) {}, Waves: Waves{
			Wait: 30 * time.Minute,
			Ask: func(_ context.Context, gate Gated) error {
				asked = append(asked, gate.Why)
				return nil
			},
		}}
		p := r.newProving(j, rows)
		p.start(t.Context())
		defer p.finish()
		must(t, p.round(j, Verification{}))
		must(t, r.decide(t.Context(), j, p, &Gated{Gate: 1, Rows: rows}, false))
		time.Sleep(10 * time.Minute)
		must(t, r.decide(t.Context(), j, p, &Gated{Gate: 1, Rows: rows}, true))
		if want := []string{"3 proved, 0 adopted", "3 proved, 3 adopted"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
}

// begunRun returns a run at work on so many rows, of which the first one is rotated.
func begunRun(t *testing.T, rows int) *journal.Journal {
	j := planned(t, filepath.Join(t.TempDir(), "users.run"), rows, provedRow)
	must(t, j.Begin("test", false))
	send(t, j, provedRow(1), nil)
	return j
}

// A row of the wave that could not be sent is not proved.
func TestUnsentRowsKeepAGateClosed(t *testing.T) {
	j := begunRun(t, 4)
	defer j.Close()
	must(t, j.Prove(1, batch.Proof{Verdict: batch.ProofAccepted, Adopted: true}))
	for rows, want := range map[int]Share{1: 1, 2: 0.5} {
		if proved, adopted, err := shares(j, rows); err != nil || proved != want || adopted != want {
			t.Errorf("%d rows: %v proved, %v adopted, want %v (%v)", rows, proved, adopted, want, err)
		}
	}
}

// A registrar that told passwords apart in an earlier session is not asked for one
// that was never set again.
func TestTheControlIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, earlier := range []batch.Proof{{}, {Verdict: batch.ProofAccepted, At: time.Now()}} {
			j := begunRun(t, 2)
			if earlier.Verdict != "" {
				must(t, j.Prove(1, earlier))
			}
			f := &fakeRegistrar{t: t, force: inForceFor(1), wrong: map[string][]time.Time{}}
			p, err := Rotation{Proofs: Proofs{Prover: f}, Events: func(Event) {}}.prove(t.Context(), j)
			must(t, err)
			p.finish()
			if want := map[batch.Verdict]int{"": 1 + 1, batch.ProofAccepted: 0}[earlier.Verdict]; f.asked != want {
				t.Errorf("%q before: asked %d times, want %d", earlier.Verdict, f.asked, want)
			}
			must(t, j.Close())
		}
	})
}

// Wrong answers of an earlier session count for a row that is sent in this one.
func TestTheBudgetOutlivesASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := begunRun(t, 2)
		defer j.Close()
		must(t, j.Prove(1, batch.Proof{Verdict: batch.ProofAccepted})) // so that no control is done
		must(t, j.Prove(2, batch.Proof{Answered: []time.Time{time.Now(), time.Now()}}))
		f := &fakeRegistrar{t: t, wrong: map[string][]time.Time{}}
		p, err := Rotation{Proofs: Proofs{Prover: f}, Events: func(Event) {}}.prove(t.Context(), j)
		must(t, err)
		p.add(provedRow(2), batch.Result{Row: 2, Outcome: batch.Rotated})
		p.finish()
		if f.asked > 0 {
			t.Errorf("asked %d times", f.asked)
		}
	})
}

// growing is a source that has a row more in each pass.
type growing struct{ passes int }

func (*growing) Name() string            { return "growing" }
func (*growing) Columns() []string       { return []string{"team"} }
func (*growing) Digest() (string, error) { return "", nil }

func (g *growing) Rows() iter.Seq2[batch.Row, error] {
	g.passes++
	return func(yield func(batch.Row, error) bool) {
		for i := range g.passes {
			row := batch.Row{Number: i + 1, Line: i + 2, UserID: "sample", DeviceID: strconv.Itoa(i), Extra: []string{"desk"}}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// The waves are planned from the rows that were checked, and no others.
func TestWavesOfAChangedSource(t *testing.T) {
	r := Rotation{Dir: filepath.Join(t.TempDir(), "x.run"), Waves: Waves{Sizes: []int{1}, Apart: "team"}}
	if _, err := r.Preview(&growing{}); !errors.Is(err, ErrChanged) {
		t.Errorf("the source has a row more than was checked: %v", err)
	}
}

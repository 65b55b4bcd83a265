package rotation

import (
	"context"
	"fmt"
	"iter"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
)

// Waves say in which portions the rows of a run are sent, and what has to hold
// before the next one: a gate. What a gate decided stands in the journal, so that a
// resumed run asks again at the gate that it stopped at.
type Waves struct {
	Sizes []int // rows of the first wave, the second ...; what is left is the last
	Apart int   // the place of a column in the rows' Extra: no two rows of a wave have the same value there; below 0: no matter

	// A gate opens when both shares of the rows that were sent are reached, which it
	// waits for; or, with Ask, when that returns nil.
	Proved, Adopted Share
	Wait            time.Duration
	Ask             func(ctx context.Context, gate Gated) error
}

// gatePoll is how often a gate looks at the proofs. Phones renew their
// registrations every few minutes; an account may be asked twice in ten.
const (
	gatePoll  = time.Second
	gateAgain = budgetWindow / answerBudget
)

// ends returns the number of rows before each gate, of the whole run.
func (w Waves) ends() (ends []int) {
	sum := 0
	for _, size := range w.Sizes {
		sum += size
		ends = append(ends, sum)
	}
	return ends
}

// gates returns after how many rows of this session the gates come that are not
// passed yet. settled are the rows that need no more work.
func (w Waves) gates(passed, settled, rows int) (gates []int) {
	for i, end := range w.ends() {
		if i >= passed && end < rows {
			gates = append(gates, max(0, end-settled))
		}
	}
	return gates
}

// order returns the rows so that no two of a wave have the same value in the
// column: a row that would is put off until a later wave.
func (w Waves) order(rows iter.Seq2[batch.Row, error], gates []int) iter.Seq2[batch.Row, error] {
	if w.Apart < 0 || len(gates) == 0 {
		return rows
	}
	return func(yield func(batch.Row, error) bool) {
		o := &apart{column: w.Apart, gates: gates, seen: map[string]bool{}, yield: yield}
		for row, err := range rows {
			if err != nil {
				yield(row, err)
				return
			}
			if !o.add(row) {
				return
			}
		}
		o.rest()
	}
}

// An apart hands rows on, and puts those off whose value stands in the wave already.
type apart struct {
	column  int
	gates   []int
	handed  int
	seen    map[string]bool // values of the present wave
	waiting []batch.Row
	yield   func(batch.Row, error) bool
}

func (o *apart) value(row batch.Row) string {
	if o.column < len(row.Extra) {
		return row.Extra[o.column]
	}
	return ""
}

func (o *apart) add(row batch.Row) bool {
	value := o.value(row)
	if len(o.gates) > 0 && value != "" && o.seen[value] {
		o.waiting = append(o.waiting, row)
		return true
	}
	o.seen[value] = true
	if !o.yield(row, nil) {
		return false
	}
	if o.handed++; len(o.gates) > 0 && o.handed >= o.gates[0] {
		return o.next()
	}
	return true
}

// next begins the next wave, with the rows that waited for it.
func (o *apart) next() bool {
	o.gates, o.seen = o.gates[1:], map[string]bool{}
	waiting := o.waiting
	o.waiting = nil
	for _, row := range waiting {
		if !o.add(row) {
			return false
		}
	}
	return true
}

// rest hands on what still waits: the last wave takes all.
func (o *apart) rest() {
	o.gates = nil
	for _, row := range o.waiting {
		if !o.yield(row, nil) {
			return
		}
	}
}

// gate decides whether the next gate opens, and records it.
func (r Rotation) gate(ctx context.Context, j *journal.Journal, p *proving, sent int) error {
	gate := Gated{Gate: j.Gates() + 1, Rows: sent}
	err := r.wait(ctx, j, p, gate)
	gate.Passed = err == nil
	if err != nil {
		gate.Why = err.Error()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // nothing was decided
	}
	if recording := j.Gate(gate.Gate, gate.Passed, gate.Why); recording != nil {
		return recording
	}
	r.Events(gate)
	return err
}

// wait returns nil once the gate may open, and why it may not.
func (r Rotation) wait(ctx context.Context, j *journal.Journal, p *proving, gate Gated) error {
	w := r.Waves
	if w.Ask != nil {
		return w.Ask(ctx, gate)
	}
	if p == nil || w.Proved+w.Adopted == 0 {
		return nil
	}
	deadline := time.Now().Add(w.Wait)
	asked := time.Now()
	for {
		proved, adopted, err := shares(j)
		if err != nil {
			return err
		}
		if proved >= w.Proved && adopted >= w.Adopted {
			return nil
		}
		if idle := p.idle(); time.Now().After(deadline) || idle && w.Adopted == 0 || p.isStopped() {
			return fmt.Errorf("gate %d: %v proved of %v, %v adopted of %v", gate.Gate, proved, w.Proved, adopted, w.Adopted)
		} else if idle && time.Since(asked) > gateAgain {
			asked = time.Now()
			if err := p.again(j); err != nil {
				return err
			}
		}
		select {
		case <-time.After(gatePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// shares returns which parts of the rows that were sent are proved, and have been
// taken up by a phone.
func shares(j *journal.Journal) (proved, adopted Share, err error) {
	sent, accepted, taken := 0, 0, 0
	for entry, err := range j.Entries() {
		if err != nil {
			return 0, 0, err
		}
		if entry.Result.Outcome == batch.NotAttempted || entry.Result.Outcome == batch.Invalid {
			continue
		}
		sent++
		if entry.Result.Proof.Verdict == batch.ProofAccepted {
			accepted++
		}
		if entry.Result.Proof.Adopted {
			taken++
		}
	}
	if sent == 0 {
		return 1, 1, nil
	}
	return Share(accepted) / Share(sent), Share(taken) / Share(sent), nil
}

package rotation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/report"
)

// Waves say in which portions the rows of a run are sent, and what has to hold
// before the next one: a gate. What a gate decided stands in the journal, so that a
// resumed run asks again at the gate that it stopped at.
type Waves struct {
	Sizes []int  // rows of the first wave, the second ...; what is left is the last
	Apart string // a column: no two rows of a wave have the same value there; empty: no matter

	// A gate opens when both shares of the rows that were sent are reached, which it
	// waits for; or, with Ask, when that returns nil.
	Proved, Adopted Share
	Wait            time.Duration
	Ask             func(ctx context.Context, gate Gated) error
}

// gatePoll is how often a gate looks at the proofs.
const gatePoll = time.Second

// lookEvery is how often a gate asks about the phones that it waits for: whether
// one has adopted its password shows in a second look.
func (w Waves) lookEvery() time.Duration { return min(w.Wait/10, 5*time.Minute) }

// left returns the sizes of the waves that are not through, of which the first may
// be 0: a gate that was asked and stayed closed. passed is how many gates opened,
// settled how many rows need no more work.
func (w Waves) left(passed, settled int) (sizes []int) {
	end := 0
	for i, size := range w.Sizes {
		if end += size; i >= passed {
			sizes = append(sizes, max(0, end-max(settled, end-size)))
		}
	}
	return sizes
}

// A schedule is the rows of a session in the order in which they are sent.
type schedule struct {
	rows    iter.Seq2[batch.Row, error]
	count   int   // of the rows
	gates   []int // after how many of them they come
	settled int   // rows of earlier sessions that need no more work
}

// sizes returns how many rows each wave has, if there are several.
func (s schedule) sizes() (sizes []int) {
	sent := 0
	for _, end := range append(slices.Clone(s.gates), s.count) {
		if end > sent {
			sizes = append(sizes, end-sent)
		}
		sent = end
	}
	if len(sizes) < 2 {
		return nil
	}
	return sizes
}

// waves puts what is pending of a run into waves.
func (r Rotation) waves(v *journal.View) (schedule, error) {
	pending, rows := v.Pending(r.Engine.RetryFailed)
	passed, closed := v.Gates()
	info := v.Info()
	settled := info.Rows - pending - v.Counts()[batch.Invalid]
	return r.Waves.schedule(rows, info.Columns, passed, closed, settled, pending)
}

// ErrGateClosed says that a run stands at a gate that stayed closed, and that
// nothing says what has to hold there.
var ErrGateClosed = errors.New("the run stands at a gate that stayed closed")

// schedule puts the pending rows into waves. A gate that stayed closed is asked
// before anything else, whatever the sizes of the waves are by now.
func (w Waves) schedule(pending iter.Seq2[batch.Row, error], columns []string, passed int, closed bool, settled, count int) (schedule, error) {
	sizes := w.left(passed, settled)
	s := schedule{rows: pending, count: count, settled: settled}
	switch {
	case len(sizes) > 0 && sizes[0] == 0:
		sizes, s.gates = sizes[1:], []int{0}
	case closed:
		s.gates = []int{0}
	}
	sum := 0
	if w.Apart == "" {
		for _, size := range sizes {
			if sum += size; sum < count {
				s.gates = append(s.gates, sum)
			}
		}
		return s, nil
	}
	waves, err := keepApart(pending, report.FindColumn(columns, w.Apart), sizes)
	if err != nil {
		return schedule{}, err
	}
	s.rows = inWaves(pending, waves)
	for _, wave := range waves[:max(0, len(waves)-1)] {
		sum += len(wave)
		s.gates = append(s.gates, sum)
	}
	return s, nil
}

// keepApart puts each row into the first wave that has room and no other row with
// the same value in the column. Waves beyond those with a size take any number.
func keepApart(rows iter.Seq2[batch.Row, error], column int, sizes []int) (waves []map[int]bool, err error) {
	var values []map[string]bool
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		value := ""
		if column >= 0 && column < len(row.Extra) {
			value = row.Extra[column]
		}
		i := 0
		for i < len(waves) && (i < len(sizes) && len(waves[i]) >= sizes[i] || value != "" && values[i][value]) {
			i++
		}
		if i == len(waves) {
			waves, values = append(waves, map[int]bool{}), append(values, map[string]bool{})
		}
		waves[i][row.Number], values[i][value] = true, true
	}
	return waves, nil
}

// inWaves returns the rows wave by wave, in one pass for each.
func inWaves(rows iter.Seq2[batch.Row, error], waves []map[int]bool) iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		for _, wave := range waves {
			for row, err := range rows {
				if err == nil && !wave[row.Number] {
					continue
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// gate decides whether the next gate opens, and records it.
func (r Rotation) gate(ctx context.Context, j *journal.Journal, p *proving, sent int) error {
	passed, _ := j.Gates()
	gate := Gated{Gate: passed + 1, Rows: sent}
	err := r.decide(ctx, j, p, &gate)
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
	if err != nil && r.Waves.Ask == nil {
		err = fmt.Errorf("gate %d: %w", gate.Gate, err)
	}
	return err
}

// decide returns nil once the gate may open, and why it may not.
func (r Rotation) decide(ctx context.Context, j *journal.Journal, p *proving, gate *Gated) error {
	w := r.Waves
	switch {
	case w.Ask != nil && p != nil:
		if err := p.drain(ctx); err != nil {
			return err
		}
		c, err := count(j, wasSent)
		if err != nil {
			return err
		}
		gate.Why = fmt.Sprintf("%d proved, %d adopted", c.accepted, c.adopted)
		fallthrough
	case w.Ask != nil:
		return w.Ask(ctx, *gate)
	case p == nil || w.Proved+w.Adopted == 0:
		return nil
	}
	deadline := time.Now().Add(w.Wait)
	asked, told := time.Now(), ""
	for {
		// Before the journal is read: what is recorded in between counts.
		idle, state := p.idle(), p.state.Load()
		late := state == provingOver || time.Now().After(deadline)
		proved, adopted, err := shares(j, gate.Rows)
		if err != nil {
			return err
		}
		if proved >= w.Proved && adopted >= w.Adopted {
			return nil
		}
		switch {
		case late || idle && w.Adopted == 0 && state != provingPaused:
			return errors.New(w.compare(proved, adopted))
		case idle && time.Since(asked) > w.lookEvery():
			asked = time.Now()
			p.goOn()
			unsettled := func(e batch.Entry) bool { return w.Adopted > 0 || e.Result.Proof.Verdict != batch.ProofAccepted }
			if err := p.round(j, Verification{Want: unsettled, Every: w.lookEvery()}); err != nil {
				return err
			}
		}
		if now := w.compare(proved, adopted); now != told {
			told = now
			r.Events(Gating{gate.Gate, gate.Rows, now, deadline})
		}
		select {
		case <-time.After(gatePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// compare says how the shares stand that the gates want.
func (w Waves) compare(proved, adopted Share) string {
	var parts []string
	if w.Proved > 0 {
		parts = append(parts, fmt.Sprintf("%v proved, %v wanted", proved, w.Proved))
	}
	if w.Adopted > 0 {
		parts = append(parts, fmt.Sprintf("%v adopted, %v wanted", adopted, w.Adopted))
	}
	return strings.Join(parts, "; ")
}

// shares returns which parts of the rows up to a gate are proved, and have been
// taken up by a phone. A row that could not be sent is neither; what is no valid
// row does not count.
func shares(j *journal.Journal, rows int) (proved, adopted Share, err error) {
	c, err := count(j, wasSent)
	sent := Share(max(c.rows, rows))
	if err != nil || sent == 0 {
		return 1, 1, err
	}
	return Share(c.accepted) / sent, Share(c.adopted) / sent, nil
}

func wasSent(e batch.Entry) bool {
	return e.Result.Outcome != batch.NotAttempted && e.Result.Outcome != batch.Invalid
}

// A Share is a part of a whole, from 0 to 1.
type Share float64

func (s Share) String() string { return fmt.Sprintf("%.4g%%", float64(s)*100) }

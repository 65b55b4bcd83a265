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

// A schedule is the rows of a session in the order in which they are sent.
type schedule struct {
	rows    iter.Seq2[batch.Row, error]
	count   int   // of the rows
	gates   []int // after how many of them they come
	settled int   // rows of earlier sessions that need no more work
}

// sizes returns how many rows each wave has, if there are several; the first one has
// none where a gate comes before any row.
func (s schedule) sizes() (sizes []int) {
	sent := 0
	for _, end := range append(slices.Clone(s.gates), s.count) {
		if end > sent || end == 0 {
			sizes = append(sizes, end-sent)
		}
		sent = end
	}
	if len(sizes) < 2 {
		return nil
	}
	return sizes
}

// A waveRow is what the waves need to know of a sound row.
type waveRow struct {
	number  int
	value   string // in the column of Apart
	pending bool
	sent    bool // in an earlier session
}

// waves puts what is pending of a run into waves. Which wave a row is of depends on
// the plan alone, so that every session finds the same ones.
func (r Rotation) waves(v *journal.View) (schedule, error) {
	pending, rows := v.Pending(r.Engine.RetryFailed)
	passed, closed := v.Gates()
	info := v.Info()
	const isPending, isSent = 1, 2
	state := make([]uint8, info.Rows+1) // of each row
	all := func(yield func(waveRow, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(waveRow{}, err)
				return
			}
			state[row.Number] = isPending
			if row.Attempts.Count > 0 {
				state[row.Number] |= isSent
			}
		}
		column := report.FindColumn(info.Columns, r.Waves.Apart)
		for e, err := range v.Entries() {
			if err == nil && e.Result.Outcome == batch.Invalid {
				continue
			}
			of := state[e.Row.Number]
			if !yield(waveRow{e.Row.Number, extra(&e.Row, column), of&isPending > 0, of&isSent > 0}, err) {
				return
			}
		}
	}
	s, err := r.Waves.schedule(rows, pending, all, passed, closed)
	s.settled = info.Rows - pending - v.Counts()[batch.Invalid]
	return s, err
}

// extra returns the row's cell in one of the input's other columns; none if it is
// below 0.
func extra(row *batch.Row, column int) string {
	if column < 0 || column >= len(row.Extra) {
		return ""
	}
	return row.Extra[column]
}

// ErrGateClosed says that a run stands at a gate that stayed closed, and that
// nothing says what has to hold there.
var ErrGateClosed = errors.New("the run stands at a gate that stayed closed")

// schedule puts the pending rows into waves; all are the sound ones of the plan.
// Those that were sent before go first: they are of waves whose gates opened, or of
// the one whose gate is next, which counts them. A gate that stayed closed is asked
// before any new row is sent, whatever the sizes of the waves are by now.
func (w Waves) schedule(pending iter.Seq2[batch.Row, error], count int, all iter.Seq2[waveRow, error], passed int, closed bool) (schedule, error) {
	s := schedule{rows: pending, count: count}
	if len(w.Sizes) == 0 && !closed {
		return s, nil
	}
	const again = -1 // the wave of those that were sent before
	var sizes []int  // of the waves, in new rows
	var waves []int  // of the rows, by their numbers
	assign, retried := w.assigner(), 0
	for row, err := range all {
		if err != nil {
			return schedule{}, err
		}
		wave := assign(row.value)
		for len(sizes) <= wave {
			sizes = append(sizes, 0)
		}
		switch {
		case row.pending && row.sent:
			wave = again
			retried++
		case row.pending:
			sizes[wave]++
		}
		waves = append(waves, make([]int, row.number-len(waves))...)
		waves = append(waves, wave)
	}
	if closed {
		s.gates = append(s.gates, retried)
	}
	sum := retried
	for wave, size := range sizes[:max(0, len(sizes)-1)] {
		sum += size
		if wave >= passed && !slices.Contains(s.gates, sum) {
			s.gates = append(s.gates, sum)
		}
	}
	s.gates = slices.DeleteFunc(s.gates, func(sent int) bool { return sent >= count })
	turns := []func(wave int) bool{func(wave int) bool { return wave == again }, func(wave int) bool { return wave != again }}
	if w.Apart != "" { // between a wave's rows are those of others
		turns = turns[:1]
		for turn, size := range sizes {
			if size > 0 {
				turns = append(turns, func(wave int) bool { return wave == turn })
			}
		}
	}
	if retried == 0 {
		turns = turns[1:]
	}
	s.rows = func(yield func(batch.Row, error) bool) {
		for _, turn := range turns {
			for row, err := range pending {
				if err == nil && !turn(waves[row.Number]) {
					continue
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
	return s, nil
}

// assigner returns what says of one row after the other which wave it is of: the
// first one, counted from 0, that has room for it, and no other row with its value
// that it is kept apart from. A wave beyond those with a size takes any number.
func (w Waves) assigner() func(value string) int {
	var rows []int               // of the waves so far
	var values []map[string]bool // in them
	return func(value string) int {
		i := 0
		if w.Apart == "" {
			i = max(0, len(rows)-1)
		}
		for i < len(rows) && (i < len(w.Sizes) && rows[i] >= w.Sizes[i] || w.Apart != "" && value != "" && values[i][value]) {
			i++
		}
		if i == len(rows) {
			rows, values = append(rows, 0), append(values, map[string]bool{})
		}
		rows[i]++
		if w.Apart != "" {
			values[i][value] = true
		}
		return i
	}
}

// gate decides whether the next gate opens, and records it. So many rows were sent
// before it, none of them in this session if it comes again.
func (r Rotation) gate(ctx context.Context, j *journal.Journal, p *proving, sent int, again bool) error {
	passed, _ := j.Gates()
	gate := Gated{Gate: passed + 1, Rows: sent}
	err := r.decide(ctx, j, p, &gate, again)
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

// decide returns nil once the gate may open, and why it may not. A person who is
// asked again hears which phones have come back meanwhile.
func (r Rotation) decide(ctx context.Context, j *journal.Journal, p *proving, gate *Gated, again bool) error {
	w := r.Waves
	switch {
	case w.Ask != nil && p != nil:
		if again {
			if err := p.round(j, Verification{Want: wasSent, Every: w.lookEvery()}); err != nil {
				return err
			}
		}
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

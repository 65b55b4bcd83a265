package rotation

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/exotel"
	"siprotate/exotel/registrar"
)

// A Prover asks the SIP registrar whether a password is in force, and answers one
// challenge at most. A [*registrar.Client] is one.
type Prover interface {
	ProveOnce(ctx context.Context, sipID, password string) (registrar.Proof, error)
	Reset()
}

// Proofs say whether and how passwords are proved.
type Proofs struct {
	Prover Prover        // nil: none is
	Every  time.Duration // one proof in so much time; 0: DefaultProofPace
	Sample int           // prove about so many rows, spread over the run; 0: every row
}

const (
	// DefaultProofPace is what registrars as they are shipped put up with: one
	// proof, of two requests, every 300 ms passes, every 250 ms gets an address banned
	// (run, see the package registrar).
	DefaultProofPace = time.Second

	// A registrar locks an account after three wrong answers, the agent's phone with
	// it (run). So many an account gets in budgetWindow.
	answerBudget = 2
	budgetWindow = 10 * time.Minute

	// So many unclear proofs in a row end the proving.
	unclearInARow = 2
)

// A proving proves passwords, one after the other and at a pace of its own. What
// it does never holds a rotation up.
type proving struct {
	Proofs
	log    *journal.Journal
	events func(Event)
	limit  *rate.Limiter
	gated  bool // gates wait for proofs
	again  bool // somebody goes on after a pause: a gate, or the next look of a verification
	total  int  // rows that may be added
	added  int  // rows that were

	queue  chan *batch.Entry
	done   chan struct{}
	handed atomic.Int64 // rows that were put into the queue
	asked  atomic.Int64 // those that are done with
	state  atomic.Int32 // provingOn, provingPaused or provingOver

	// Of the one goroutine that asks; of others while the proving is idle.
	answers map[string][]time.Time // by SIP id: when answers were sent of late that were not right
	unclear int                    // proofs in a row
	barred  int                    // rows that were not asked about, since their accounts' budgets are spent
	next    time.Time              // when the first of them may be
}

// The states of a proving.
const (
	provingOn     int32 = iota
	provingPaused       // nothing is proved until goOn
	provingOver         // nothing is proved any more
)

// newProving starts nothing.
func (r Rotation) newProving(j *journal.Journal, total int) *proving {
	gated := r.Waves.Proved+r.Waves.Adopted > 0
	return &proving{
		Proofs: r.Proofs, log: j, events: r.Events, total: total, gated: gated, again: gated,
		limit: rate.NewLimiter(rate.Every(cmp.Or(r.Proofs.Every, DefaultProofPace)), 1),
		queue: make(chan *batch.Entry, total), done: make(chan struct{}), answers: map[string][]time.Time{},
	}
}

// start proves the rows that are added, until finish or the end of ctx.
func (p *proving) start(ctx context.Context) {
	go func() {
		defer close(p.done)
		for entry := range p.queue {
			p.prove(ctx, entry)
			p.asked.Add(1)
		}
	}()
}

// add hands over a row whose password may be in force, unless it is none of the
// sample. It never waits, and is called by one goroutine at a time.
func (p *proving) add(row batch.Row, result batch.Result) {
	p.added++
	if p.Sample > 0 && p.added*p.Sample/p.total == (p.added-1)*p.Sample/p.total {
		return
	}
	p.hand(&batch.Entry{Row: row, Result: result})
}

func (p *proving) hand(entry *batch.Entry) {
	p.handed.Add(1)
	p.queue <- entry
}

// idle reports whether nothing waits to be proved.
func (p *proving) idle() bool { return p.handed.Load() == p.asked.Load() }

// finish returns once all that was added is proved, or will not be.
func (p *proving) finish() {
	close(p.queue)
	<-p.done
	p.tellBarred()
}

// control is the negative control: a registrar that accepts a new password before
// it was set accepts anything, and no proof counts.
func (p *proving) control(ctx context.Context, entry *batch.Entry) {
	proof, asked := p.askFresh(ctx, entry)
	switch {
	case !asked:
	case proof.Verdict == registrar.Accepted:
		p.stop(provingOver, "the registrar accepts a password that was never set, so that its word proves nothing")
	case proof.Verdict == registrar.Unclear:
		p.stop(provingOver, "the registrar does not say whether a password is right: "+proof.Reason)
	}
}

// stop proves no more: for good, or until goOn.
func (p *proving) stop(state int32, why string) {
	if p.state.Swap(state) == provingOn {
		p.events(ProvingStopped{Why: why, Gated: p.gated, Again: state == provingPaused && p.again})
	}
}

// goOn proves again after a registrar was of no use. Nothing may wait to be proved.
func (p *proving) goOn() {
	if p.state.Load() == provingPaused {
		p.unclear = 0
		p.state.Store(provingOn)
	}
}

// sip401 is the code of a challenge.
const sip401 = 401

// notConfirmed is why a refusal does not count: the account's budget is spent, or
// the proving ended.
const notConfirmed = "refused once, and not asked again"

// prove asks for the row's password, confirms a refusal once, and records what
// that says. A row that is in doubt is settled by an accepted password, and by
// nothing else.
func (p *proving) prove(ctx context.Context, entry *batch.Entry) {
	proof, asked := p.askFresh(ctx, entry)
	switch {
	case !asked:
		p.noteBarred(exotel.SIPID(entry.Row.SIPID))
		return
	case proof.Verdict == registrar.Refused:
		p.Prover.Reset() // some registrars remember credentials
		if proof, asked = p.ask(ctx, entry); !asked {
			proof = registrar.Proof{Verdict: registrar.Unclear, Reason: notConfirmed}
		}
	}
	now := toProof(proof)
	now.Adopted, now.Answered = now.AdoptedSince(entry.Result.Proof), p.answers[exotel.SIPID(entry.Row.SIPID)]
	err := p.log.Prove(entry.Row.Number, now)
	if err == nil && entry.Result.Outcome == batch.Unknown && now.Verdict == batch.ProofAccepted {
		settled := entry.Result
		settled.Outcome, settled.Note = batch.Rotated, ""
		err = p.log.Finish(settled)
	}
	if err != nil {
		p.stop(provingOver, "a proof could not be recorded: "+err.Error())
	}
}

// noteBarred counts a row that was not asked about, if its account's budget is why.
func (p *proving) noteBarred(sipID string) {
	if recent := p.answers[sipID]; p.state.Load() == provingOn && len(recent) >= answerBudget {
		from := recent[len(recent)-answerBudget].Add(budgetWindow)
		if p.barred == 0 || from.Before(p.next) {
			p.next = from
		}
		p.barred++
	}
}

// tellBarred says how many rows could not be asked about since it said so last.
// Nothing may wait to be proved.
func (p *proving) tellBarred() {
	if p.barred > 0 {
		p.events(Barred{p.barred, time.Unix(p.next.Unix(), 0)})
		p.barred = 0
	}
}

// askFresh asks, and once more where the registrar calls its nonce stale.
func (p *proving) askFresh(ctx context.Context, entry *batch.Entry) (proof registrar.Proof, asked bool) {
	proof, asked = p.ask(ctx, entry)
	if asked && proof.Verdict == registrar.Unclear && proof.Code == sip401 {
		if again, asked := p.ask(ctx, entry); asked {
			return again, true
		}
	}
	return proof, asked
}

// ask asks the registrar once, within the pace and the account's budget, and
// reports whether it did. What it may take of the budget is recorded before; a
// right answer takes nothing.
func (p *proving) ask(ctx context.Context, entry *batch.Entry) (proof registrar.Proof, asked bool) {
	sipID, password := exotel.SIPID(entry.Row.SIPID), entry.Row.Password
	if p.state.Load() != provingOn || sipID == "" || password.Empty() {
		return proof, false
	}
	before := p.recent(sipID)
	if len(before) >= answerBudget || p.limit.Wait(ctx) != nil {
		return proof, false
	}
	intent := entry.Result.Proof
	intent.Answered = append(slices.Clip(before), time.Now())
	if err := p.log.Prove(entry.Row.Number, intent); err != nil {
		p.stop(provingOver, "a proof could not be recorded: "+err.Error())
		return proof, false
	}
	proof, err := p.Prover.ProveOnce(ctx, sipID, password.Reveal())
	if proof.Verdict != registrar.Accepted {
		p.answers[sipID] = append(slices.Clip(before), slices.Repeat([]time.Time{time.Now()}, proof.Answers)...)
	}
	if err != nil {
		return proof, false
	}
	p.watch(proof)
	return proof, true
}

// watch stops the proving where the registrar is of no use.
func (p *proving) watch(proof registrar.Proof) {
	if proof.Verdict != registrar.Unclear {
		p.unclear = 0
		return
	}
	switch p.unclear++; {
	case proof.Stop:
		p.stop(provingOver, cmp.Or(proof.Reason, "the registrar does not want to be asked"))
	case p.unclear == unclearInARow:
		p.stop(provingPaused, "two proofs in a row were unclear, the latest since "+proof.Reason)
	}
}

// recent returns when the account was answered of late, as far as that takes of its
// budget.
func (p *proving) recent(sipID string) []time.Time {
	p.answers[sipID] = slices.DeleteFunc(slices.Clone(p.answers[sipID]), func(at time.Time) bool { return time.Since(at) >= budgetWindow })
	return p.answers[sipID]
}

// remember takes in when the account of a row was answered in earlier sessions. The
// latest record says it, of whichever row.
func (p *proving) remember(entry *batch.Entry) {
	sipID, answered := exotel.SIPID(entry.Row.SIPID), entry.Result.Proof.Answered
	known := p.answers[sipID]
	if len(answered) > 0 && (len(known) == 0 || answered[len(answered)-1].After(known[len(known)-1])) {
		p.answers[sipID] = answered
	}
}

func (p *proving) rememberAll(entries iter.Seq2[batch.Entry, error]) error {
	for entry, err := range entries {
		if err != nil {
			return err
		}
		p.remember(&entry)
	}
	return nil
}

func toProof(p registrar.Proof) batch.Proof {
	proof := batch.Proof{Verdict: batch.Verdict(p.Verdict.String()), Code: p.Code, Reason: p.Reason, At: time.Now()}
	for _, b := range p.Bindings {
		proof.Bindings = append(proof.Bindings, batch.Binding{Contact: b.Contact, Ends: b.End})
	}
	return proof
}

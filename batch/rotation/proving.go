package rotation

import (
	"cmp"
	"context"
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
	total  int  // rows that may be added
	added  int  // rows that were

	queue chan probe
	done  chan struct{}

	// Of the one goroutine that asks, and of control before it.
	answers map[string][]time.Time // by SIP id: when answers were sent of late that were not right
	unclear int                    // proofs in a row
	handed  atomic.Int64           // rows that were put into the queue
	asked   atomic.Int64           // those that are done with
	over    atomic.Bool            // no more is proved
	pausing atomic.Bool            // over, until somebody wants to go on
	barred  atomic.Int64           // rows that were not asked about, since their accounts' budgets are spent
	next    atomic.Int64           // when the first of them may be, in Unix seconds
}

// A probe is a row to be proved.
type probe struct {
	row      int
	sipID    string
	password batch.Secret
	before   batch.Proof
	unknown  *batch.Result // how the row stands, where a proof settles it
}

// newProving starts nothing.
func (r Rotation) newProving(j *journal.Journal, total int) *proving {
	return &proving{
		Proofs: r.Proofs, log: j, events: r.Events, total: total, gated: r.Waves.Proved+r.Waves.Adopted > 0,
		limit: rate.NewLimiter(rate.Every(cmp.Or(r.Proofs.Every, DefaultProofPace)), 1),
		queue: make(chan probe, total), done: make(chan struct{}), answers: map[string][]time.Time{},
	}
}

// start proves the rows that are added, until finish or the end of ctx.
func (p *proving) start(ctx context.Context) {
	go func() {
		defer close(p.done)
		for row := range p.queue {
			p.prove(ctx, row)
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
	p.hand(row, result)
}

func (p *proving) hand(row batch.Row, result batch.Result) {
	next := probe{row: row.Number, sipID: exotel.SIPID(row.SIPID), password: row.Password, before: result.Proof}
	if result.Outcome == batch.Unknown {
		next.unknown = &result
	}
	p.handed.Add(1)
	p.queue <- next
}

// idle reports whether nothing waits to be proved.
func (p *proving) idle() bool { return len(p.queue) == 0 && p.handed.Load() == p.asked.Load() }

// finish returns once all that was added is proved, or will not be.
func (p *proving) finish() {
	close(p.queue)
	<-p.done
	p.tellBarred()
}

// control is the negative control: a registrar that accepts a new password before
// it was set accepts anything, and no proof counts.
func (p *proving) control(ctx context.Context, row batch.Row, before batch.Proof) {
	proof, asked := p.askFresh(ctx, probe{row: row.Number, sipID: exotel.SIPID(row.SIPID), password: row.Password, before: before})
	switch {
	case !asked:
	case proof.Verdict == registrar.Accepted:
		p.stop("the registrar accepts a password that was never set, so that its word proves nothing")
	case proof.Verdict == registrar.Unclear:
		p.stop("the registrar does not say whether a password is right: " + proof.Reason)
	}
}

func (p *proving) stop(why string) {
	p.pausing.Store(false)
	p.end(cmp.Or(why, "the registrar does not want to be asked"))
}

// pause stops until goOn.
func (p *proving) pause(why string) {
	p.pausing.Store(true)
	p.end(why)
}

func (p *proving) end(why string) {
	if !p.over.Swap(true) {
		p.events(ProvingStopped{Why: why, Gated: p.gated, Again: p.isPausing()})
	}
}

// isPausing reports whether nothing is proved until goOn.
func (p *proving) isPausing() bool { return p.pausing.Load() }

// isOver reports whether nothing is proved any more.
func (p *proving) isOver() bool { return p.over.Load() && !p.pausing.Load() }

// goOn proves again after a registrar was of no use. Nothing may wait to be proved.
func (p *proving) goOn() {
	if p.pausing.Swap(false) {
		p.unclear = 0
		p.over.Store(false)
	}
}

// sip401 is the code of a challenge.
const sip401 = 401

const notConfirmed = "refused once; the account may not be asked again for ten minutes"

// prove asks for the row's password, confirms a refusal once, and records what
// that says. A row that is in doubt is settled by an accepted password, and by
// nothing else.
func (p *proving) prove(ctx context.Context, row probe) {
	proof, asked := p.askFresh(ctx, row)
	switch {
	case !asked:
		p.noteBarred(row)
		return
	case proof.Verdict == registrar.Refused:
		p.Prover.Reset() // some registrars remember credentials
		again, asked := p.ask(ctx, row)
		if proof = again; !asked {
			proof = registrar.Proof{Verdict: registrar.Unclear, Reason: notConfirmed}
		}
	}
	now := toProof(proof)
	now.Adopted, now.Answered = now.AdoptedSince(row.before), p.answers[row.sipID]
	err := p.log.Prove(row.row, now)
	if err == nil && row.unknown != nil && now.Verdict == batch.ProofAccepted {
		settled := *row.unknown
		settled.Outcome, settled.Note = batch.Rotated, ""
		err = p.log.Finish(settled)
	}
	if err != nil {
		p.stop("a proof could not be recorded: " + err.Error())
	}
}

// noteBarred counts a row that was not asked about, if its account's budget is why.
func (p *proving) noteBarred(row probe) {
	if recent := p.answers[row.sipID]; !p.over.Load() && len(recent) >= answerBudget {
		p.barred.Add(1)
		from := recent[len(recent)-answerBudget].Add(budgetWindow).Unix()
		if next := p.next.Load(); next == 0 || from < next {
			p.next.Store(from)
		}
	}
}

// tellBarred says how many rows could not be asked about since it said so last.
func (p *proving) tellBarred() {
	if rows := p.barred.Swap(0); rows > 0 {
		p.events(Barred{int(rows), time.Unix(p.next.Swap(0), 0)})
	}
}

// askFresh asks, and once more where the registrar calls its nonce stale.
func (p *proving) askFresh(ctx context.Context, row probe) (proof registrar.Proof, asked bool) {
	proof, asked = p.ask(ctx, row)
	if asked && proof.Verdict == registrar.Unclear && proof.Code == sip401 {
		if again, asked := p.ask(ctx, row); asked {
			return again, true
		}
	}
	return proof, asked
}

// ask asks the registrar once, within the pace and the account's budget, and
// reports whether it did. What it may take of the budget is recorded before; a
// right answer takes nothing.
func (p *proving) ask(ctx context.Context, row probe) (proof registrar.Proof, asked bool) {
	if p.over.Load() || row.sipID == "" || row.password.Empty() {
		return proof, false
	}
	if p.budget(row, time.Now()) == 0 || p.limit.Wait(ctx) != nil {
		return proof, false
	}
	before := p.answers[row.sipID]
	intent := row.before
	intent.Answered = append(slices.Clip(before), time.Now())
	if err := p.log.Prove(row.row, intent); err != nil {
		p.stop("a proof could not be recorded: " + err.Error())
		return proof, false
	}
	proof, err := p.Prover.ProveOnce(ctx, row.sipID, row.password.Reveal())
	if proof.Verdict != registrar.Accepted {
		p.answers[row.sipID] = append(slices.Clip(before), slices.Repeat([]time.Time{time.Now()}, proof.Answers)...)
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
		p.stop(proof.Reason)
	case p.unclear == unclearInARow:
		p.pause("two proofs in a row were unclear, the latest since " + proof.Reason)
	}
}

// budget returns how many more answers the row's account may get now.
func (p *proving) budget(row probe, now time.Time) int {
	recent, known := p.answers[row.sipID]
	if !known {
		recent = row.before.Answered
	}
	recent = slices.DeleteFunc(slices.Clone(recent), func(at time.Time) bool { return now.Sub(at) >= budgetWindow })
	p.answers[row.sipID] = recent
	return max(0, answerBudget-len(recent))
}

func toProof(p registrar.Proof) batch.Proof {
	proof := batch.Proof{Verdict: batch.Verdict(p.Verdict.String()), Code: p.Code, Reason: p.Reason, At: time.Now()}
	for _, b := range p.Bindings {
		proof.Bindings = append(proof.Bindings, batch.Binding{Contact: b.Contact, Ends: b.End})
	}
	return proof
}

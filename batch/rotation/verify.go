package rotation

import (
	"context"
	"errors"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/exotel/registrar"
	"siprotate/report"
)

// A Verification says which rows of a run to prove again, and how often.
type Verification struct {
	Want  func(batch.Entry) bool // of the rows whose new password is or may be in force; nil: all
	Every time.Duration          // ask about the phones that are not back again so much later; 0: once
	Until Share                  // of the rows, that phones have taken up; with Every
	Limit time.Duration          // give up after that; with Every; 0: never
}

// ErrRefused says that the registrar refuses some of the new passwords.
var ErrRefused = errors.New("the registrar refuses some of the new passwords")

// ErrUnproved says that the registrar has said nothing clear of some passwords.
var ErrUnproved = errors.New("some passwords could not be proved")

// ErrNotAdopted says that too few phones have taken their password up in time.
var ErrNotAdopted = errors.New("too few phones have taken their password up")

// Verify proves the passwords of the run in Dir, which no other process may be at
// work on, records that and renders the reports, adoption.csv among them. It sends
// nothing to the API. The error is [ErrRefused], [ErrUnproved], [ErrNotAdopted], a
// [*batch.Stop] where ctx ended it, or one of the journal.
func (r Rotation) Verify(ctx context.Context, v Verification) (report.Digest, error) {
	r = r.complete()
	j, err := journal.Open(r.Dir, r.Vault)
	if err != nil {
		return report.Digest{}, err
	}
	defer j.Close()
	if err := j.BeginVerify(r.Tool); err != nil {
		return report.Digest{}, err
	}
	verifying := r.verify(ctx, j, v)
	r.Formats = append(r.Formats[:len(r.Formats):len(r.Formats)], report.AdoptionCSV)
	stopping := j.Stop(journal.Totals{})
	digest, reporting := r.render(&j.View, report.Owner, 0)
	if err := errors.Join(stopping, reporting); err != nil {
		return digest, &RunError{r.Dir, err}
	}
	return digest, verifying
}

// verify asks for the wanted rows, again and again if that is asked for.
func (r Rotation) verify(ctx context.Context, j *journal.Journal, v Verification) error {
	began := time.Now()
	p := r.newProving(j, j.Info().Rows)
	p.Sample, p.again = 0, v.Every > 0
	if err := p.rememberAll(j.Entries()); err != nil {
		return err
	}
	p.start(ctx)
	defer p.finish()
	for {
		p.goOn()
		if err := p.round(j, v); err != nil {
			return err
		}
		r.Events(Working{func() Progress {
			return Progress{Proving: true, Total: int(p.handed.Load()), Done: int(p.asked.Load())}
		}})
		err := p.drain(ctx)
		r.Events(Rested{})
		if err != nil {
			return batch.InterruptedBy(ctx)
		}
		p.tellBarred()
		c, err := count(j, v.wants)
		switch {
		case err != nil:
			return err
		case p.state.Load() == provingOver, v.Every == 0 && c.accepted+c.refused < c.rows:
			return c.verdict(ErrUnproved)
		case v.Every == 0:
			return c.verdict(nil)
		}
		reached := c.rows == 0 || Share(c.adopted)/Share(c.rows) >= v.Until
		late := v.Limit > 0 && time.Since(began)+v.Every > v.Limit
		now := Adoptions{Wanted: c.rows, Adopted: c.adopted}
		if !reached && !late {
			now.Next = time.Now().Add(v.Every)
		}
		r.Events(now)
		switch {
		case reached:
			return c.verdict(nil)
		case late:
			return ErrNotAdopted
		}
		select {
		case <-time.After(v.Every):
		case <-ctx.Done():
			return batch.InterruptedBy(ctx)
		}
	}
}

// round hands over the wanted rows that no phone has taken up yet.
func (p *proving) round(j *journal.Journal, v Verification) error {
	for entry, err := range j.Entries() {
		switch {
		case err != nil:
			return err
		case !v.wants(entry):
		case v.Every == 0 || !entry.Result.Proof.Adopted:
			p.hand(&entry)
		}
	}
	return nil
}

// The counts of some rows are how their passwords stand.
type counts struct {
	rows              int
	accepted, refused int // by the registrar
	adopted           int // by a phone
}

// verdict returns ErrRefused where a password is refused, and otherwise err.
func (c counts) verdict(err error) error {
	if c.refused > 0 {
		return ErrRefused
	}
	return err
}

// count counts the wanted rows of a run.
func count(j *journal.Journal, wants func(batch.Entry) bool) (c counts, err error) {
	for entry, err := range j.Entries() {
		if err != nil {
			return c, err
		}
		if !wants(entry) {
			continue
		}
		c.rows++
		proof := entry.Result.Proof
		switch proof.Verdict {
		case batch.ProofAccepted:
			c.accepted++
		case batch.ProofRefused:
			c.refused++
		}
		if proof.Adopted {
			c.adopted++
		}
	}
	return c, nil
}

func (v Verification) wants(e batch.Entry) bool {
	return e.Result.Outcome.MayBeInForce() && (v.Want == nil || v.Want(e))
}

// drain returns once nothing waits to be proved, or ctx ended.
func (p *proving) drain(ctx context.Context) error {
	for !p.idle() {
		select {
		case <-time.After(gatePoll / 10):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Old says what became of passwords that were replaced.
type Old struct {
	Asked, Refused, Accepted int
	NotAsked                 int // for now, since the account was asked twice lately, or no more is asked
}

// VerifyOld asks for the passwords that an earlier run gave the devices of the
// run in Dir: they must be refused by now. It records nothing but what that takes
// of the accounts' budget.
func (r Rotation) VerifyOld(ctx context.Context, earlier string, v Verification) (old Old, err error) {
	r = r.complete()
	before, err := journal.Read(earlier, r.Vault)
	if err != nil {
		return old, err
	}
	defer before.Close()
	passwords := map[string]batch.Secret{}
	for entry, err := range before.Entries() {
		if err != nil {
			return old, err
		}
		if entry.Result.Outcome == batch.Rotated {
			passwords[batch.DeviceKey(entry.Row.UserID, entry.Row.DeviceID)] = entry.Row.Password
		}
	}
	j, err := journal.Open(r.Dir, r.Vault)
	if err != nil {
		return old, err
	}
	defer j.Close()
	if err := j.BeginVerify(r.Tool); err != nil {
		return old, err
	}
	old, err = r.askOld(ctx, j, v, passwords)
	return old, errors.Join(err, j.Stop(journal.Totals{}))
}

// askOld asks for these passwords, by device, in the place of the run's.
func (r Rotation) askOld(ctx context.Context, j *journal.Journal, v Verification, passwords map[string]batch.Secret) (old Old, err error) {
	p := r.newProving(j, j.Info().Rows)
	if err := p.rememberAll(j.Entries()); err != nil {
		return old, err
	}
	for entry, err := range j.Entries() {
		if err != nil {
			return old, err
		}
		password := passwords[batch.DeviceKey(entry.Row.UserID, entry.Row.DeviceID)]
		if !v.wants(entry) || password.Empty() || password.Reveal() == entry.Row.Password.Reveal() {
			continue
		}
		entry.Row.Password = password
		proof, asked := p.askFresh(ctx, &entry)
		switch {
		case ctx.Err() != nil:
			return old, batch.InterruptedBy(ctx)
		case !asked:
			old.NotAsked++
			continue
		}
		old.Asked++
		switch proof.Verdict {
		case registrar.Refused:
			old.Refused++
		case registrar.Accepted:
			old.Accepted++
		}
	}
	return old, nil
}

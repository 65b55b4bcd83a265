// Package rotation is the application: it plans a rotation of passwords, runs
// it, resumes it, and renders its reports.
//
// It takes a source of rows, a client of the API and a vault, and tells what
// happens as events. It knows no flag, no exit code and no terminal. Every
// promise that needs more than one part of the program is kept here: the whole
// source is checked before the first request, the whole plan is on disk before the
// first password leaves, one process at a time sends for an account, and every
// row stands in the reports.
package rotation

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"siprotate/batch"
	"siprotate/batch/handout"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/exotel"
	"siprotate/report"
)

// A Source gives the rows of a rotation, as often as it is asked to.
type Source interface {
	// Name says for people what the rows come from, such as "users.csv".
	Name() string
	// Rows makes one pass over the rows, in order, numbered from 1. What is wrong
	// with a row stands in its Faults. An error that is a [batch.Fault] is one of the
	// source as a whole, and the pass goes on to find others; any other ends it.
	Rows() iter.Seq2[batch.Row, error]
	// Columns are the names of the rows' Extra. They are known once a pass has
	// yielded its first row, or ended.
	Columns() []string
	// Digest tells the source from another, and from itself once it has changed.
	Digest() (string, error)
}

// A warner is a source that has something to say of itself after a pass.
type warner interface{ Warnings() []string }

// An Account is whose passwords are rotated, and where its API is.
type Account struct{ SID, Host string }

// A Rotation says what to rotate, where and how. Dir and Account are always
// needed, and Client unless nothing is sent; the zero value of everything else
// has a meaning. A Rotation is not changed, and may be used again.
type Rotation struct {
	Dir     string         // the run directory
	Account Account        // must be the client's
	Client  *exotel.Client // through which passwords are set and users are found
	Vault   journal.Vault  // seals passwords in the journal; nil: [journal.Plain]
	State   string         // the folder that makes this the account's only sender on the machine; empty: it need not be
	Wait    bool           // wait for another sender on the account, instead of giving up with [account.ErrBusy]
	Replace bool           // a run of the account in Dir that is finished, or of another source, gives way to a new one
	Pace    pace.Options   // the allowance; the zero value: [DefaultRate], learning
	Engine  batch.Config   // how to send; its Pacer, Redraw and Observe are set here

	Proofs Proofs // whether passwords are proved by SIP
	Waves  Waves  // in which portions rows are sent

	Generate    func() (string, error) // draws a password, for several workers at once; nil: [exotel.Generate] with [DefaultLength]
	SkipInvalid bool                   // rotate the sound rows of a source with faults
	Formats     []report.Format        // of the reports; nil: [report.Formats]
	Tool        string                 // the program's name and version, for the journal
	Settings    json.RawMessage        // what the journal keeps for whoever resumes the run; may be nil
	By          string                 // the name of a column by whose values the reports count rows, too; may be empty
	BOM         bool                   // CSV files for a spreadsheet on Windows begin with a byte order mark

	Confirm func(context.Context, Plan) error // is asked before anything is written; nil: go ahead
	Events  func(Event)                       // hears what happens, from one goroutine at a time; nil: nobody does
}

// DefaultRate is the allowance that the vendor grants every account (doc).
var DefaultRate = pace.Rate{N: 50, Per: time.Minute}

// DefaultLength is the length of generated passwords, in characters.
const DefaultLength = 20

// The errors of a rotation, beside the types below, [account.ErrBusy], and the
// journal's.
var (
	// ErrIncomplete says that a run came to its end, and some rows were not rotated.
	ErrIncomplete = errors.New("some rows were not rotated")
	// ErrNothing says that the source has no row to rotate, and is not at fault.
	ErrNothing = errors.New("nothing to rotate")
	// ErrChanged says that the source changed between the pass that checked it and
	// the one that wrote the plan.
	ErrChanged = errors.New("changed while it was read")
)

// complete returns the rotation with what it left open filled in.
func (r Rotation) complete() Rotation {
	if r.Vault == nil {
		r.Vault = journal.Plain
	}
	if r.Pace.Rate == (pace.Rate{}) {
		r.Pace.Rate, r.Pace.Learn = DefaultRate, true
	}
	if r.Generate == nil {
		r.Generate = func() (string, error) { return exotel.Generate(rand.Reader, DefaultLength) }
	}
	if r.Formats == nil {
		r.Formats = report.Formats
	}
	r.Formats = formatsFor(r.Vault, r.Formats)
	if r.Confirm == nil {
		r.Confirm = func(context.Context, Plan) error { return nil }
	}
	events := r.Events
	if events == nil {
		events = func(Event) {}
	}
	var mu sync.Mutex // proofs happen beside the rest
	r.Events = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events(e)
	}
	return r
}

// Run rotates the rows of the source: it begins a new run in Dir, or resumes the
// unfinished one of the same source and account that is there.
//
// The digest tells how every row stands; it is zero if nothing was sent. The
// error is nil only if every row was rotated.
func (r Rotation) Run(ctx context.Context, src Source) (report.Digest, error) {
	r = r.complete()
	a, err := r.allowance(ctx)
	if err != nil {
		return report.Digest{}, err
	}
	defer a.close()
	j, err := r.reopen(a, src)
	if err == nil && j == nil {
		j, err = r.begin(ctx, a, src)
	}
	if err != nil {
		return report.Digest{}, err
	}
	return r.execute(ctx, a, j)
}

// Resume goes on with the run in Dir, whatever its source was. With RetryFailed
// in Engine, rows that the API refused are sent again, too.
func (r Rotation) Resume(ctx context.Context) (report.Digest, error) {
	r = r.complete()
	a, err := r.allowance(ctx)
	if err != nil {
		return report.Digest{}, err
	}
	defer a.close()
	j, err := journal.Open(r.Dir, r.Vault)
	if err != nil {
		return report.Digest{}, err
	}
	p, err := r.left(&j.View)
	if err == nil {
		err = a.prime(j.Recent(), j.Held())
	}
	if err != nil {
		j.Close()
		return report.Digest{}, err
	}
	r.Events(Planned{r.schedule(p, a.Pacer)})
	return r.execute(ctx, a, j)
}

// reopen opens the unfinished run of the source, if Dir holds one; nil if there
// is no run.
func (r Rotation) reopen(a *allowance, src Source) (*journal.Journal, error) {
	if !journal.Exists(r.Dir) {
		return nil, nil
	}
	j, err := journal.Open(r.Dir, r.Vault)
	if errors.Is(err, journal.ErrUnplanned) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := r.mayResume(&j.View, src)
	if err == nil {
		err = r.learn(j, src)
	}
	if err == nil {
		err = a.prime(j.Recent(), j.Held())
	}
	if err != nil {
		if r.Replace && (errors.As(err, new(*FinishedError)) || errors.As(err, new(*OtherSourceError))) {
			return nil, errors.Join(j.Remove(reportFiles()...), j.Close())
		}
		j.Close()
		return nil, err
	}
	r.Events(Planned{r.schedule(p, a.Pacer)})
	return j, nil
}

// reportFiles returns the names of all files that reports and deliveries leave in a
// run directory, also where their writer died.
func reportFiles() (names []string) {
	names = append(filesOf(SealedCredentials), filesOf(reportLength)...)
	for _, format := range slices.Concat(report.Formats, report.Optional, []report.Format{report.AdoptionCSV}) {
		names = append(names, filesOf(format.File)...)
	}
	return append(names, ".report.lock", handout.DeliveriesName, handout.LockName)
}

// reportLength is the file that says how long the journal was of which the reports
// are.
const reportLength = ".report.length"

// filesOf returns the names that a report has in a run directory, also where its
// writer died.
func filesOf(report string) []string {
	hidden := "." + strings.TrimPrefix(report, ".")
	return []string{report, hidden + ".owner.tmp", hidden + ".reader.tmp"}
}

// An AccountError says that a run is of another account.
type AccountError struct {
	Dir       string
	Run, Want Account
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("%s holds a run of account %s at %s, not of %s at %s", e.Dir, e.Run.SID, e.Run.Host, e.Want.SID, e.Want.Host)
}

func (r Rotation) sameAccount(h journal.Head) error {
	if run := (Account{h.Account, h.Host}); run != r.Account {
		return &AccountError{r.Dir, run, r.Account}
	}
	return nil
}

// A FinishedError says that the run in a directory has come to its end.
type FinishedError struct {
	Dir    string
	Failed int // rows that RetryFailed would send again
}

func (e *FinishedError) Error() string { return fmt.Sprintf("the run in %s is finished", e.Dir) }

// An OtherSourceError says that the run in a directory is one of another source,
// or of the same one before it changed.
type OtherSourceError struct {
	Dir, Input string
	Changed    bool // they have the same name
}

func (e *OtherSourceError) Error() string {
	if e.Changed {
		return fmt.Sprintf("%s has changed since the run in %s began", e.Input, e.Dir)
	}
	return fmt.Sprintf("%s holds a run of another input (%s)", e.Dir, e.Input)
}

// mayResume says what is left of the unfinished run of the source, or why it may
// not be resumed.
func (r Rotation) mayResume(v *journal.View, src Source) (Plan, error) {
	info := v.Info()
	// The account comes first: a run of another one is never replaced.
	if err := r.sameAccount(info.Head); err != nil {
		return Plan{}, err
	}
	digest, err := src.Digest()
	switch {
	case err != nil:
		return Plan{}, &SourceError{err}
	case digest != info.Digest:
		return Plan{}, &OtherSourceError{r.Dir, info.Input, info.Input == src.Name()}
	}
	return r.left(v)
}

// left says what is left of a run, or that it is finished.
func (r Rotation) left(v *journal.View) (Plan, error) {
	info := v.Info()
	if err := r.sameAccount(info.Head); err != nil {
		return Plan{}, err
	}
	r.Events(Opened{info.Run})
	waves, err := r.waves(v)
	if err != nil {
		return Plan{}, err
	}
	if waves.count == 0 && reported(v, r.Formats) {
		failed, _ := v.Pending(true)
		return Plan{}, &FinishedError{r.Dir, failed}
	}
	return Plan{Dir: r.Dir, Account: r.Account, Resumed: true, Rows: info.Rows, Left: waves.count, Waves: waves.sizes()}, nil
}

// begin checks the source, asks, and writes the plan of a new run.
func (r Rotation) begin(ctx context.Context, a *allowance, src Source) (*journal.Journal, error) {
	if err := a.prime(nil, time.Time{}); err != nil {
		return nil, err
	}
	if e, ok := src.(*Everybody); ok {
		if err := r.list(ctx, a, e); err != nil {
			return nil, err
		}
	}
	c, err := r.check(src)
	if err == nil {
		err = r.lookUp(ctx, a, c)
	}
	if err != nil {
		return nil, err
	}
	if len(c.rows) == 0 {
		return nil, ErrNothing
	}
	if err := r.mayBegin(src); err != nil {
		return nil, err
	}
	plan, err := r.planOf(c)
	if err != nil {
		return nil, err
	}
	plan = r.schedule(plan, a.Pacer)
	r.Events(Planned{plan})
	if err := r.Confirm(ctx, plan); err != nil {
		return nil, err
	}
	return r.write(src, c)
}

// A ColumnError says that a source lacks the column that By names.
type ColumnError struct {
	Column  string
	Columns []string // that there are
}

func (e *ColumnError) Error() string { return fmt.Sprintf("the input has no column %q", e.Column) }

// mayBegin says what stands in the way of a new run, before anybody is asked.
func (r Rotation) mayBegin(src Source) error {
	for _, column := range []string{r.By, r.Waves.Apart} {
		if column != "" && report.FindColumn(src.Columns(), column) < 0 {
			return &ColumnError{column, src.Columns()}
		}
	}
	return journal.Check(r.Dir)
}

// write writes the plan: a second pass over the source, since passwords are
// drawn only now that the whole of it is known to be sound. No password stays
// behind if it fails.
func (r Rotation) write(src Source, c *checked) (*journal.Journal, error) {
	p, err := journal.Create(r.Dir, journal.Head{
		Run: newRunID(), Tool: r.Tool, Account: r.Account.SID, Host: r.Account.Host, Input: src.Name(), Settings: r.Settings,
		Scattered: r.Waves.Apart != "",
	}, r.Vault)
	if err != nil {
		return nil, err
	}
	if err := r.fill(p, src, c); err != nil {
		return nil, errors.Join(err, p.Discard())
	}
	j, err := p.Seal(c.digest, src.Columns())
	if err != nil {
		// A plan whose sync failed would read as whole, and might not be on disk.
		return nil, errors.Join(&PlanError{err}, p.Discard())
	}
	r.Events(Opened{j.Info().Run})
	return j, nil
}

// A PlanError says that the plan could not be written. Nothing was sent.
type PlanError struct{ Err error }

func (e *PlanError) Error() string { return e.Err.Error() }
func (e *PlanError) Unwrap() error { return e.Err }

func (r Rotation) fill(p *journal.Plan, src Source, c *checked) error {
	rows := 0
	for row, err := range src.Rows() {
		if err != nil {
			return changed(src, err)
		}
		rows++
		c.complete(&row)
		if len(row.Faults) == 0 && row.Password.Empty() {
			if err := r.draw(&row); err != nil {
				return &PlanError{err}
			}
		}
		if err := p.Add(row); err != nil {
			return &PlanError{err}
		}
	}
	if digest, err := src.Digest(); err != nil || digest != c.digest || rows != len(c.rows) {
		return changed(src, err)
	}
	return nil
}

// changed returns the error for a source that reads otherwise than when it was
// checked.
func changed(src Source, err error) error {
	if err != nil && !errors.As(err, new(batch.Fault)) {
		return &SourceError{err}
	}
	return fmt.Errorf("%s %w", src.Name(), ErrChanged)
}

func (r Rotation) draw(row *batch.Row) (err error) {
	row.Password, err = r.password()
	row.PasswordSource = batch.Generated
	return err
}

func (r Rotation) password() (batch.Secret, error) {
	text, err := r.Generate()
	return batch.NewSecret(text), err
}

// newRunID names a run: when it was planned, and enough randomness to tell two of
// the same second apart.
func newRunID() string {
	var random [4]byte
	rand.Read(random[:])
	return time.Now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(random[:])
}

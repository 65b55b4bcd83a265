// Package report shows a run to people and to programs: report.csv, one line
// per row of the input; credentials.csv, the passwords now in force;
// summary.json, the counts; the closing summary; and progress while the run
// lasts.
//
// A file is a [View] of the run's entries, and [Formats] lists the views there
// are. The package keeps no state of a run, decides nothing, and knows neither
// the journal nor the API nor the command line.
//
// What the API said is shown as text that does nothing (see [Sanitize]), and
// cells that a spreadsheet would run as a formula are escaped (see
// [escapeFormula]). What the input said, and the passwords, are written byte for
// byte, but for report.html, which shows all text as text that does nothing. A
// password stands in credentials.csv and nowhere else.
package report

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"siprotate/batch"
)

// A Run is what the views tell about a run as a whole.
type Run struct {
	ID      string
	Version string // of the program that wrote the journal
	Account string // the account's SID
	Host    string // the API's host

	Dir         string   // the run directory, as people shall see it
	Input       string   // the input's name
	InputDigest string   // tells this input from another
	Columns     []string // names of the input's other columns, as its header spells them
	Length      int64    // bytes of the journal that the entries come from

	BOM bool // begin CSV files with a byte order mark, for Excel on Windows

	StartedAt  time.Time
	FinishedAt time.Time     // zero while the run is live, or if it crashed
	Live       bool          // a process is at work on it
	Took       time.Duration // at work: the sum of the sessions, a crashed one up to its last record

	Requests  int            // requests sent
	Throttled int            // requests refused for exceeding the allowance
	Traffic   []batch.Minute // when they left, by time
	Waited    time.Duration  // spent waiting for the allowance
	Stopped   string         // why the run stopped early; empty if it did not

	Allowance float64 // requests a minute that were allowed; 0 if that is not known

	Canary int    // rows that went first and were all rotated; 0 if there were none
	By     string // the input's column by whose values rows are counted; empty for none

	// Only names the outcomes of the rows that the views get; empty for all. The
	// other rows are counted all the same.
	Only []batch.Outcome
}

// A View renders a run, one entry after the other. The first error ends it.
type View interface {
	Begin(Run) error
	Entry(*Entry) error // may keep no pointer to the entry
	End(Digest) error
}

// A digestView is a View of the digest alone.
type digestView struct {
	w     io.Writer
	write func(io.Writer, Digest) error
}

// ofDigest returns what makes a View of the digest alone.
func ofDigest(write func(io.Writer, Digest) error) func(io.Writer) View {
	return func(w io.Writer) View { return digestView{w, write} }
}

func (digestView) Begin(Run) error      { return nil }
func (digestView) Entry(*Entry) error   { return nil }
func (v digestView) End(d Digest) error { return v.write(v.w, d) }

// An Entry is a row, how it stands, and the answer as it may be shown.
type Entry struct {
	batch.Entry
	Answer Answer
}

// Render writes a run in one format to w. The entries come in the order of the
// input; one whose row number is not above the one before it is an error, since
// such a report would not add up. An entry with more or fewer cells than
// run.Columns, as an invalid row may have, is cut or filled up.
func Render(w io.Writer, run Run, entries iter.Seq2[batch.Entry, error], format Format) (Digest, error) {
	digest, err := render([]View{format.New(w)}, run, entries)
	if err != nil {
		return Digest{}, fmt.Errorf("writing the %s: %w", format.Name, err)
	}
	return digest, nil
}

// render shows the entries to all views in one pass.
func render(views []View, run Run, entries iter.Seq2[batch.Entry, error]) (Digest, error) {
	all := func(show func(View) error) error {
		for _, v := range views {
			if err := show(v); err != nil {
				return err
			}
		}
		return nil
	}
	if err := all(func(v View) error { return v.Begin(run) }); err != nil {
		return Digest{}, err
	}
	counts := newTally(run)
	last := 0
	for e, err := range entries {
		if err != nil {
			return Digest{}, err
		}
		if e.Row.Number <= last {
			return Digest{}, fmt.Errorf("row %d comes after row %d", e.Row.Number, last)
		}
		last = e.Row.Number
		entry := newEntry(e)
		counts.add(entry)
		if len(run.Only) > 0 && !slices.Contains(run.Only, e.Result.Outcome) {
			continue
		}
		if err := all(func(v View) error { return v.Entry(entry) }); err != nil {
			return Digest{}, err
		}
	}
	digest := counts.digest()
	return digest, all(func(v View) error { return v.End(digest) })
}

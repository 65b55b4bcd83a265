// Package report shows a run to people and to programs: report.csv, one line
// per row of the input; credentials.csv, the passwords now in force;
// summary.json, the counts; the closing summary; and progress while the run
// lasts.
//
// Every one of them is a view of the run's entries. The package keeps no state
// of a run, decides nothing, and knows neither the journal nor the API nor the
// command line.
//
// What the far side said is shown as text that does nothing (see [Plain]), and
// cells that a spreadsheet would run as a formula are disarmed. What the input
// said, and the passwords, are written byte for byte. A password stands in
// credentials.csv and nowhere else.
package report

import (
	"fmt"
	"io"
	"iter"
	"time"

	"siprotate/batch"
)

// The names of the files inside a run's directory.
const (
	CredentialsName = "credentials.csv"
	ReportName      = "report.csv"
	SummaryName     = "summary.json"
)

// A Run is what the views tell about a run as a whole.
type Run struct {
	ID      string
	Account string   // the account's SID at the far side
	Host    string   // the far side's host
	Columns []string // names of the input's other columns, as its header spells them

	StartedAt  time.Time
	FinishedAt time.Time // zero while the run is live, or if it crashed

	Requests  int           // requests sent
	Throttled int           // requests refused for exceeding the allowance
	Waited    time.Duration // spent waiting for the allowance
	Stopped   string        // why the run stopped early; empty if it did not
}

// A Digest is what one pass over a run's entries found.
type Digest struct {
	Summary Summary
	Groups  []Group // why rows were not rotated: most rows first, [Group.Rest] last
}

// Write renders the entries of run, which come in the order of the input, into
// report.csv, credentials.csv and summary.json in the folder dir, in one pass
// and in constant memory.
//
// The files are replaced atomically, all three or none as far as the file
// system can do it: an error, from entries too, leaves the files of before and
// no temporary ones. A crash between two renames leaves whole files, of which the
// later are those of before. credentials.csv is readable by its owner alone
// from its first byte on; the other two get 0644 less the umask. A symbolic
// link under one of the names is replaced, not followed.
//
// Two Writes on one folder, also of two processes, take turns; one that had to
// wait for [Patience] gives up with [ErrBusy]. Their lock is a hidden empty file
// in dir that stays there.
//
// An entry whose row number is not above the one before it is an error, since
// such a report would not add up. An entry with more or fewer cells than
// run.Columns, as an invalid row may have, is cut or filled up.
func Write(dir string, run Run, entries iter.Seq2[batch.Entry, error]) (Digest, error) {
	digest, err := write(dir, run, entries)
	if err != nil {
		return Digest{}, fmt.Errorf("writing the reports: %w", err)
	}
	return digest, nil
}

func write(dir string, run Run, entries iter.Seq2[batch.Entry, error]) (Digest, error) {
	unlock, err := lock(dir)
	if err != nil {
		return Digest{}, err
	}
	defer unlock()

	files := fileSet{dir: dir}
	defer files.discard()
	credentials := files.create(CredentialsName, 0o600)
	report := files.create(ReportName, 0o644)
	summary := files.create(SummaryName, 0o644)
	if files.err != nil {
		return Digest{}, files.err
	}
	digest, err := render(report, credentials, run, entries)
	if err != nil {
		return Digest{}, err
	}
	if err := digest.Summary.Encode(summary); err != nil {
		return Digest{}, err
	}
	return digest, files.install()
}

// render writes the two CSV files and counts.
func render(report, credentials io.Writer, run Run, entries iter.Seq2[batch.Entry, error]) (Digest, error) {
	var line csvLine
	write := func(w io.Writer) error {
		_, err := w.Write(line)
		return err
	}
	line = line.texts(credentialColumns).end()
	if err := write(credentials); err != nil {
		return Digest{}, err
	}
	line = line[:0].texts(reportColumns).texts(run.Columns).end()
	if err := write(report); err != nil {
		return Digest{}, err
	}

	var counts tally
	last := 0
	for entry, err := range entries {
		if err != nil {
			return Digest{}, err
		}
		if entry.Row.Number <= last {
			return Digest{}, fmt.Errorf("row %d comes after row %d", entry.Row.Number, last)
		}
		last = entry.Row.Number

		seen := words(&entry)
		line = line[:0].report(&entry, seen, len(run.Columns))
		if err := write(report); err != nil {
			return Digest{}, err
		}
		if holdsPassword(entry.Result.Outcome) {
			line = line[:0].credentials(&entry)
			if err := write(credentials); err != nil {
				return Digest{}, err
			}
		}
		counts.add(&entry, seen)
	}
	return Digest{Summary: summarize(run, &counts), Groups: counts.sorted()}, nil
}

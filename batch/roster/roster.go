// Package roster reads a CSV of users into checked rows: it is a source of a
// rotation.
//
// It takes what spreadsheets write: UTF-8 with or without a byte order mark,
// UTF-16, commas, semicolons or tabs, any line ends. It finds every fault of
// the whole input in one pass and says where each one is, so that nobody mends
// a file one error at a time. Passwords and unknown columns are kept byte for
// byte.
//
// The package knows neither the vendor's rules for passwords and ids nor how
// passwords are generated; it sends nothing. That a row names its device by
// both ids, and by no other row's, is for its user to see to.
package roster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path/filepath"

	"github.com/gocarina/gocsv"

	"siprotate/batch"
)

// The limits of an input. One that exceeds them is no list of users.
const (
	maxCell    = 64 << 10      // bytes of one cell, quotes included, as UTF-8
	MaxColumns = 1000          // cells of one record
	MaxLines   = math.MaxInt32 // lines of the whole input

	// A record may hold this many times the largest cell, so that a thousand
	// huge cells do not add up to a memory problem.
	recordCells = 16
)

// Options say how to check an input.
type Options struct {
	// CheckPassword returns an error for a password that the vendor's policy
	// refuses. Its text says what is wrong, and must not hold the password.
	// Required.
	CheckPassword func(password string) error

	// CheckID returns an error for a user or device id that the vendor cannot
	// have given. Its text follows the column's name, and must not hold the id,
	// which may be a password in the wrong column. Required.
	CheckID func(id string) error
}

// A Roster is a CSV that can be read more than once. It is not safe for
// concurrent use.
type Roster struct {
	Options
	name    string
	input   input
	maxCell int // bytes
	columns []string

	// Of the latest whole pass.
	digest   string
	warnings []string
}

// File returns the CSV that a path names. A regular file is opened anew for
// each pass, and must not change until the last one: see [ErrChanging]. What can
// be read only once, such as a named pipe, is read now, as [Reader] does. The
// error is [fs.ErrNotExist], [ErrFolder], [ErrTooLarge] or
// one of the system.
func File(path string, o Options) (*Roster, error) {
	in, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return newRoster(filepath.Base(path), in, o)
}

// Reader reads r to its end and returns the CSV that it gave. Faults call it by
// the name. At most 256 MiB are held in memory; more are [ErrTooLarge].
func Reader(name string, r io.Reader, o Options) (*Roster, error) {
	in, err := spool(name, r, maxSpool)
	if err != nil {
		return nil, err
	}
	return newRoster(name, in, o)
}

func newRoster(name string, in input, o Options) (*Roster, error) {
	if o.CheckPassword == nil || o.CheckID == nil {
		return nil, errors.New("a roster needs the rules for passwords and for ids")
	}
	return &Roster{Options: o, name: name, input: in, maxCell: maxCell}, nil
}

// Settle waits until the input was left alone for a second, which takes at most
// a second, and should be called once before the first pass: a file that was
// written just now may be half a file. It returns [ErrChanging] if the file
// changed meanwhile, or the cause of ctx. What is held in memory has settled.
func (r *Roster) Settle(ctx context.Context) error { return r.input.settle(ctx) }

// Name returns what people call the input, such as "users.csv".
func (r *Roster) Name() string { return r.name }

// Columns returns the names of the columns that are none of the known ones, as
// written and in order; some may be empty or equal. They are known once a pass
// yielded its first row or ended.
func (r *Roster) Columns() []string { return r.columns }

// Warnings returns what a person should look at, though nothing is wrong for
// sure, as the latest whole pass found it: one line of text each.
func (r *Roster) Warnings() []string { return r.warnings }

// Rows returns one pass over the input: every data row in order, the first with
// the number 1. Blank lines are no rows. A pass keeps nothing of its rows.
//
// What is wrong with one row stands in its Faults. A faulty row has whatever is
// known of it, but for ids that may be passwords in the wrong column; where the
// password cell has an id, that is all ids. Of one with too many or too few cells, in an input with a
// password column, only Number and Line are known, since any cell may hold the
// password. Extra has an element for each of [Roster.Columns].
//
// An error that is a [batch.Fault] is a fault of the input as a whole: of its
// header, encoding or quoting, or swapped columns, as the first row shows that
// shows them plainly. The pass goes on, so that all faults are found,
// unless what follows would make no sense; rows whose text is broken are not
// yielded. Any other error ends the pass: [ErrChanging] if the file's size or
// time of change moved since it was found, or one of the system, wrapped.
func (r *Roster) Rows() iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		p := &pass{roster: r, yield: yield, lines: make(chan line, 1)}
		err := r.read(func(in io.Reader) error {
			p.in = in
			return gocsv.UnmarshalDecoderToChan(p, p.lines)
		})
		switch {
		case err == nil:
			r.warnings = p.warnings()
		case err != errStopped:
			p.send(batch.Row{}, err)
		}
	}
}

// Digest returns the SHA-256 of the input's bytes, in hex: as the latest whole
// pass read them, or, before there was one, by reading them.
func (r *Roster) Digest() (string, error) {
	if r.digest != "" {
		return r.digest, nil
	}
	err := r.read(func(in io.Reader) error {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return fmt.Errorf("cannot read %s: %w", r.name, err)
		}
		return nil
	})
	return r.digest, err
}

// read opens the input and has it read to its end; then the digest is known.
func (r *Roster) read(use func(io.Reader) error) error {
	in, err := r.input.open()
	if err != nil {
		return err
	}
	defer in.Close()
	hash := sha256.New()
	if err := use(io.TeeReader(in, hash)); err != nil {
		return err
	}
	if err := r.input.unchanged(); err != nil {
		return err
	}
	r.digest = hex.EncodeToString(hash.Sum(nil))
	return nil
}

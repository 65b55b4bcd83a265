// Package roster reads a CSV of users into checked rows.
//
// It takes what spreadsheets write: UTF-8 with or without a byte order mark,
// UTF-16, commas, semicolons or tabs, any line ends. It finds every fault of
// the whole input in one pass and says where each one is, so that nothing is
// sent on bad input and nobody mends a file one error at a time. Passwords and
// unknown columns are carried byte for byte.
//
// Rows go to a [Sink] as they are read: beyond one row, memory grows by 16
// bytes a row, which finding the same device twice needs. The package knows
// neither the far side's password policy nor how passwords are drawn; both are
// given to it.
package roster

import (
	"crypto/sha256"
	"errors"
	"io"
	"math"

	"siprotate/batch"
)

// The limits of an input. One that exceeds them is no list of users.
const (
	DefaultMaxCell = 64 << 10      // bytes of one cell, quotes included, as UTF-8
	MaxColumns     = 1000          // cells of one record
	MaxLines       = math.MaxInt32 // lines of the whole input

	// A record may hold this many times the largest cell, so that a thousand
	// huge cells do not add up to a memory problem.
	recordCells = 16
)

// Options say how to read and check an input.
type Options struct {
	// Name is what faults call the input, such as "users.csv".
	Name string

	// Check returns an error for a password that the far side's policy would
	// refuse. Its text says what is wrong and must not hold the password.
	// Required.
	Check func(password string) error

	// Generate draws a password for a row that brings none. Required.
	Generate func() (string, error)

	// Find completes a row that lacks the user id or the device id, and brings a
	// SIP id, an email or the user id alone instead: it sets the ids, and the SIP
	// id and the email if they are empty, or returns what is wrong (of the Fault,
	// File and Line are filled in later). It is called for rows without another
	// fault, in the order of the input. A row that it leaves as it is passes
	// incomplete, for a first reading that only collects such rows. Nil means that
	// every row needs both ids.
	Find func(row *batch.Row) *batch.Fault

	// SkipInvalid refuses faulty rows one by one, instead of the whole input.
	SkipInvalid bool

	// MaxCell limits a cell, in bytes as UTF-8; 0 means DefaultMaxCell.
	MaxCell int
}

// A Sink takes the rows of an input. [Read] calls it from one goroutine.
type Sink interface {
	// Add takes the next row, in the order of the input. Its Extra is valid
	// until Add returns and has an element for each of [Summary].Columns. A
	// refused row is added too, with whatever ids it has; it has no password, and
	// an empty Source, unless the input gives one. Of a row with too many or too
	// few cells, in an input with a password column, only Number and Line are
	// told, since any cell may hold the password.
	Add(row batch.Row) error

	// Refuse says why a row that was added shall not be sent. It comes at most
	// once for a row, and only with SkipInvalid: straight after Add, or at the
	// end, in no order, for rows that name the same device.
	Refuse(row int, why string) error
}

// A Summary says what an input holds.
type Summary struct {
	Columns   []string // the names of the other columns as written, in order; some may be empty or equal
	Rows      int      // data rows; blank lines are none
	Provided  int      // rows handed on, refused ones too, with a password of the input
	Generated int      // rows handed on with a password drawn
	Refused   int      // rows refused with SkipInvalid
	SHA256    string   // of the raw bytes, in hex; empty if they were not read to the end
}

// Read reads the whole input, checks every row, and hands the rows to sink.
//
// Faults of the input are returned together as [*batch.Faults]. From the first one
// on, the sink is not called any more and no password is drawn, but checking
// goes on to the end, unless a limit is exceeded or the header or the encoding
// cannot be read: then what follows makes no sense. With SkipInvalid, faults
// of a row refuse the row instead; faults of the header, the encoding or the
// quoting, which put more than one row in doubt, are returned all the same.
//
// Errors of the sink and of Generate are returned as they are, at once; one
// of r is wrapped. Read starts no goroutine; calls with different sinks are
// independent of each other.
func Read(r io.Reader, o Options, sink Sink) (Summary, error) {
	if o.Check == nil || o.Generate == nil {
		return Summary{}, errors.New("a roster needs a password policy and a generator")
	}
	if o.MaxCell <= 0 {
		o.MaxCell = DefaultMaxCell
	}
	rd := &reading{Options: o, sink: sink, digest: sha256.New(), devices: newDevices()}
	err := rd.read(io.TeeReader(r, rd.digest))
	return rd.summary, err
}

package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"siprotate/batch"
	"siprotate/batch/roster"
	"siprotate/exotel"
)

// maxSpool bounds an input that can be read only once, and so is held in
// memory.
const (
	maxSpool   = 256 << 20
	spoolPiece = 1 << 20 // is read at a time: a growing slice would be copied again and again
)

// A source is an input that can be read more than once.
type source struct {
	name string // for people
	out  string // the run directory that goes with it
	open func() (io.ReadCloser, error)
	id   string // what tells it from another input; empty: the checksum of its bytes
}

// source finds the input that an argument names.
func (a *app) source(arg string) (source, error) {
	if arg == "-" {
		return spool("standard input", "stdin.run", a.in)
	}
	s := source{
		name: filepath.Base(arg),
		out:  strings.TrimSuffix(filepath.Base(arg), ".csv") + ".run",
		open: func() (io.ReadCloser, error) { return os.Open(arg) },
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, usagef("INPUT is a CSV file, or - for standard input", "%s: no such file", arg)
	case err != nil:
		return s, usage(err, "INPUT is a CSV file, or - for standard input")
	case info.IsDir():
		return s, usagef("INPUT is a CSV file; to go on with a run, use: siprotate resume "+arg, "%s is a folder", arg)
	case info.Mode().IsRegular():
		return s, nil
	}
	f, err := os.Open(arg) // a named pipe gives its text only once
	if err != nil {
		return s, usage(err, "")
	}
	defer f.Close()
	return spool(s.name, s.out, f)
}

func spool(name, out string, r io.Reader) (source, error) {
	var pieces [][]byte
	for {
		piece := make([]byte, spoolPiece)
		n, err := io.ReadFull(r, piece)
		pieces = append(pieces, piece[:n])
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return source{name: name, out: out, open: reader(pieces)}, nil
		case err != nil:
			return source{}, usage(fmt.Errorf("read %s: %w", name, err), "")
		case len(pieces)*spoolPiece > maxSpool:
			return source{}, usagef("put it into a file", "%s holds more than %d MiB", name, maxSpool>>20)
		}
	}
}

// reader returns what opens the pieces as one text.
func reader(pieces [][]byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		var readers []io.Reader
		for _, piece := range pieces {
			readers = append(readers, bytes.NewReader(piece))
		}
		return io.NopCloser(io.MultiReader(readers...)), nil
	}
}

// sum returns what tells the input from another one: the SHA-256 of its bytes,
// in hex, or of what stands for them.
func (s source) sum() (string, error) {
	if s.id != "" {
		return s.id, nil
	}
	r, err := s.open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", fmt.Errorf("read %s: %w", s.name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// read hands the rows of the input to sink. Faults of the input are an error
// for the user.
func (s source) read(o *options, generate func() (string, error), find func(*batch.Row) *batch.Fault, sink roster.Sink) (roster.Summary, error) {
	r, err := s.open()
	if err != nil {
		return roster.Summary{}, usage(err, "")
	}
	defer r.Close()
	summary, err := roster.Read(r, roster.Options{
		Name: s.name, Check: checkPassword, Generate: generate, Find: find, SkipInvalid: o.skipInvalid,
	}, sink)
	var faults *batch.Faults
	if errors.As(err, &faults) {
		return summary, usage(faults, s.faultHint(faults, o, find))
	}
	return summary, err
}

// faultHint says what to do about faults: to skip their rows only where that
// leaves rows to rotate.
func (s source) faultHint(faults *batch.Faults, o *options, find func(*batch.Row) *batch.Fault) string {
	hint := faults.Hint() + "\nnothing was sent"
	if !o.skipInvalid {
		skipping := *o
		skipping.skipInvalid = true
		if sum, err := s.check(&skipping, find); err == nil && sum.Refused < sum.Rows {
			hint += "; --skip-invalid rotates the good rows and reports the others"
		}
	}
	return strings.TrimPrefix(hint, "\n")
}

// checkPassword is the vendor's policy, in words that follow a column's name.
func checkPassword(password string) error {
	var policy *exotel.PolicyError
	if err := exotel.CheckPassword(password); errors.As(err, &policy) {
		return errors.New(strings.Join(policy.Faults, ", and "))
	}
	return nil
}

// check reads the whole input and keeps nothing of it.
func (s source) check(o *options, find func(*batch.Row) *batch.Fault) (roster.Summary, error) {
	return s.read(o, func() (string, error) { return "", nil }, find, nowhere{})
}

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Add(batch.Row) error      { return nil }
func (nowhere) Refuse(int, string) error { return nil }

func (o *options) generate() (string, error) {
	return exotel.Generate(rand.Reader, o.passwordLength)
}

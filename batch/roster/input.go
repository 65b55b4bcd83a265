package roster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Reasons for which an input is not read. The errors that wrap them say what to
// do, as Hint() string.
var (
	ErrFolder   = errors.New("is a folder")
	ErrTooLarge = errors.New("is too large")
	ErrChanging = errors.New("is being written")
)

const hintInput = "INPUT is a CSV file, or - for standard input"

// An inputError says why an input cannot be read, and what to do.
type inputError struct {
	text, hint string
	cause      error
}

func (e *inputError) Error() string { return e.text }
func (e *inputError) Hint() string  { return e.hint }
func (e *inputError) Unwrap() error { return e.cause }

// An input gives the same bytes each time that it is opened, or says that it
// does not.
type input interface {
	open() (io.ReadCloser, error)
	unchanged() error // whether it is still what it was when it was found
	settle(ctx context.Context) error
}

// openFile finds the input that a path names.
func openFile(path string) (input, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &inputError{path + ": no such file", hintInput, fs.ErrNotExist}
	case err != nil:
		return nil, &inputError{err.Error(), hintInput, err}
	case info.IsDir():
		return nil, &inputError{path + " is a folder", hintInput, ErrFolder}
	case info.Mode().IsRegular():
		return &file{path, info}, nil
	}
	f, err := os.Open(path) // a named pipe gives its text only once
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return spool(filepath.Base(path), f, maxSpool)
}

// A file is a regular file that nothing may write while it is in use: two
// passes that read the same do not prove that its writer is done.
type file struct {
	path string
	info fs.FileInfo // as it was found
}

func (f *file) open() (io.ReadCloser, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	if err := f.compare(in.Stat()); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

func (f *file) unchanged() error { return f.compare(os.Stat(f.path)) }

// compare returns [ErrChanging] if the file is not what was found.
func (f *file) compare(info fs.FileInfo, err error) error {
	if err != nil || os.SameFile(info, f.info) && info.Size() == f.info.Size() && info.ModTime().Equal(f.info.ModTime()) {
		return err
	}
	return &inputError{filepath.Base(f.path) + " is being written: it changed meanwhile", "run it again once nothing writes the file", ErrChanging}
}

// settled is for how long a file must have been left alone for its writer to
// be taken for done.
const settled = time.Second

// settle waits at most that long: a time of change in the future says that the
// clocks differ, and not how long ago it was.
func (f *file) settle(ctx context.Context) error {
	wait := min(settled-time.Since(f.info.ModTime()), settled)
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return f.unchanged()
}

const (
	maxSpool   = 256 << 20 // bytes that are held in memory
	spoolPiece = 1 << 20   // are read at a time: a growing slice would hold them twice
)

// A spooled input is held in memory, in pieces.
type spooled [][]byte

// spool reads r to its end, which is to come within so many bytes.
func spool(name string, r io.Reader, most int) (input, error) {
	var pieces spooled
	for {
		piece := make([]byte, spoolPiece)
		n, err := io.ReadFull(r, piece)
		pieces = append(pieces, piece[:n])
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return pieces, nil
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", name, err)
		case len(pieces)*spoolPiece > most:
			return nil, &inputError{fmt.Sprintf("%s holds more than %d MiB", name, most>>20), "put it into a file", ErrTooLarge}
		}
	}
}

func (s spooled) open() (io.ReadCloser, error) {
	var readers []io.Reader
	for _, piece := range s {
		readers = append(readers, bytes.NewReader(piece))
	}
	return io.NopCloser(io.MultiReader(readers...)), nil
}

func (spooled) unchanged() error             { return nil }
func (spooled) settle(context.Context) error { return nil }

package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Reasons for which there is nothing to read. The errors that wrap them say
// what to do, as Hint() string.
var (
	ErrFolder   = errors.New("is a folder")
	ErrTooLarge = errors.New("is too large")
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

// An input gives the same bytes each time that it is opened.
type input interface {
	open() (io.ReadCloser, error)
}

// openFile finds the input that a path names, and what to call it.
func openFile(path string) (name string, in input, err error) {
	name = filepath.Base(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, nil, &inputError{path + ": no such file", hintInput, fs.ErrNotExist}
	case err != nil:
		return name, nil, &inputError{err.Error(), hintInput, err}
	case info.IsDir():
		return name, nil, &inputError{path + " is a folder", hintInput, ErrFolder}
	case info.Mode().IsRegular():
		return name, file(path), nil
	}
	f, err := os.Open(path) // a named pipe gives its text only once
	if err != nil {
		return name, nil, err
	}
	defer f.Close()
	in, err = spool(name, f, maxSpool)
	return name, in, err
}

// A file is the path of a regular file.
type file string

func (f file) open() (io.ReadCloser, error) { return os.Open(string(f)) }

const (
	maxSpool   = 256 << 20 // bytes that are held in memory
	spoolPiece = 1 << 20   // are read at a time: a growing slice would be copied again and again
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

package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"siprotate/report"
)

// The exit codes. Programs rely on them.
const (
	exitOK         = 0 // every row was rotated
	exitFailure    = 1 // an unexpected failure; the run can be resumed
	exitUsage      = 2 // usage, or invalid input; nothing was sent
	exitUnfinished = 3 // finished, but some rows were not rotated
	exitStopped    = 4 // stopped early; can be resumed
	exitSignal     = 128
)

// An exitError ends the program with a code. The error is told to the user; it
// is nil where all has been said.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error, hint string) *exitError { return &exitError{exitUsage, err, hint} }

func usagef(hint, format string, args ...any) *exitError {
	return usage(fmt.Errorf(format, args...), hint)
}

// A signalError is a signal that asks the program to end.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string {
	switch e.signal {
	case os.Interrupt:
		return "SIGINT"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return "SIGTERM"
}

func (e *signalError) code() int {
	if number, ok := e.signal.(syscall.Signal); ok {
		return exitSignal + int(number)
	}
	return exitSignal
}

// printLines writes text for people line by line, each made harmless.
func printLines(w io.Writer, prefix, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(w, prefix+report.Sanitize(strings.TrimRight(line, "\n")))
	}
}

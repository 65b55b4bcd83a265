// Package cli is the command line of siprotate: flags, wiring, signals and exit
// codes. What it prints for people goes to standard error, data to standard
// output. Every error reaches the user here, and here only.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"siprotate/report"
)

// Main runs the command line of this process and returns its exit code.
//
// The first SIGINT, SIGTERM or SIGHUP cancels what is under way and waits for
// it; a second one returns at once, which is as safe as a crash.
func Main() int {
	budgetMemory()
	forbidCoreDumps()
	// A reader that went away must not end the process in the middle of a write.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // it is under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	said := newVoice(os.Stderr)
	a := &app{in: os.Stdin, out: os.Stdout, err: said, getenv: os.Getenv}
	code := make(chan int, 1)
	go func() { code <- a.run(ctx, os.Args[1:]) }()
	for interrupted := false; ; interrupted = true {
		select {
		case c := <-code:
			said.finish()
			return c
		case s := <-signals:
			caught := &signalError{s}
			if interrupted {
				return caught.code()
			}
			cancel(caught)
		}
	}
}

// An app is one invocation: its streams and its environment.
type app struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	getenv func(string) string

	mu   sync.Mutex
	tell func(string) // where lines for people go while progress is shown
}

// say prints one line for people.
func (a *app) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tell != nil {
		a.tell(line)
		return
	}
	fmt.Fprintln(a.err, report.Sanitize(line))
}

func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = usage(err, "siprotate --help lists the commands and their flags")
	}
	a.complain(exit)
	return exit.code
}

// complain tells an error: one line for each of its lines, then the hint.
func (a *app) complain(e *exitError) {
	if e.err != nil {
		printLines(a.err, "siprotate: ", e.err.Error())
	}
	if e.hint != "" {
		printLines(a.err, "hint: ", e.hint)
	}
}

// terminalWidth returns the columns of the terminal that w is, or 0 if it is
// none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return 0
	}
	return columns(int(f.Fd()))
}

// Package cli is the command line of siprotate: one file a command, flags,
// streams and signals. What it prints for people goes to standard error, data to
// standard output. Every error becomes an exit code and a hint in one place, see
// explain.
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"siprotate/batch/journal"
	"siprotate/batch/rotation"
	"siprotate/report"
)

// Main runs the command line of this process and returns its exit code.
//
// The first SIGINT, SIGTERM, SIGQUIT or SIGHUP cancels what is under way and waits
// for it. From a second later on, another one returns at once, which is as safe as
// a crash; before, it counts as the same one, which some programs send twice.
func Main() int {
	log.SetOutput(io.Discard) // libraries log there, and net/http quotes what a server sends
	// A panic that nobody recovers ends with a signal, since the runtime's own exit
	// code is that of wrong usage. (Windows has none: there it is 2.)
	debug.SetTraceback("crash")
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	forbidCoreDumps()
	// A reader that went away must not end the process in the middle of a write.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if !signal.Ignored(syscall.SIGHUP) { // it is under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stderr := newAsyncWriter(os.Stderr)
	a := &app{in: os.Stdin, out: os.Stdout, err: stderr, getenv: os.Getenv}
	code := make(chan int, 1)
	go func() { code <- a.run(ctx, os.Args[1:]) }()
	var first time.Time
	for {
		select {
		case c := <-code:
			stderr.finish()
			return c
		case s := <-signals:
			caught := &signalError{s.(syscall.Signal)} // as all of them are
			switch {
			case first.IsZero():
				first = time.Now()
				if a.isDumb() {
					fmt.Fprintln(stderr) // behind the ^C that stands there
				}
				cancel(caught)
			case time.Since(first) >= sameSignal:
				a.abandon()
				stderr.finish()
				return caught.code()
			}
		}
	}
}

// sameSignal is how long further signals count as the first one: timeout sends
// its signal to the process and to its group.
const sameSignal = time.Second

// abandon says what stands when the program ends without finishing what is under
// way: it looks whether the journal can be read.
func (a *app) abandon() {
	a.rest()
	dir := a.working.Load()
	if dir == nil {
		return
	}
	run, err := journal.Read(*dir, nil)
	if err != nil {
		a.say("stopped at once: the journal cannot be read, and passwords in force may be lost: %v", err)
		return
	}
	run.Close()
	a.say("stopped at once: the journal stands, the reports are not written")
	a.say("to go on: %s", a.resumeCommand(*dir))
}

// gcPercent lets the heap grow to several times what is in use before it is
// collected, unless the environment says otherwise: a run uses little, and a fast
// one would collect often.
const gcPercent = 200

// An app is one invocation: its streams and its environment.
type app struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	getenv func(string) string
	began  bool         // a command was found, and its flags make sense
	at     endpoint     // the account at work, once it is known
	quiet  bool         // nothing is said but errors
	log    *slog.Logger // takes lines for people, as records for machines; nil: they are printed

	groups  map[*cobra.Command][]*pflag.FlagSet // of flags, as help shows them
	runID   atomic.Pointer[string]              // the id of the run, once it is known
	advised bool                                // the closing words named the command that goes on
	outage  atomic.Pointer[rotation.Unanswered] // that is not over
	gating  atomic.Pointer[rotation.Gating]     // the gate that waits
	working atomic.Pointer[string]              // the run directory, while requests may be under way

	mu       sync.Mutex       // guards progress
	progress *report.Progress // how far work is; nil: there is none, not even a paused one
}

// say prints one line for people.
func (a *app) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.quiet:
	case a.log != nil:
		a.log.Info(report.Sanitize(line))
	case a.progress != nil:
		a.progress.Println(line)
	default:
		fmt.Fprintln(a.err, report.Sanitize(line))
	}
}

func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	if format := cmd.Flags().Lookup("log-format"); a.log == nil && format != nil && format.Value.String() == "json" {
		a.log = a.jsonLog(slog.LevelInfo) // what went wrong did so before the command read its flags
	}
	if err != nil && !a.began && !errors.As(err, new(*commandError)) {
		err = suggest(root, args, err)
	}
	return a.complain(err)
}

// logger returns where requests are logged: nowhere, unless it was asked for.
func (a *app) logger(verbose bool) *slog.Logger {
	level := slog.LevelError
	if verbose {
		level = slog.LevelDebug
	}
	if a.log != nil {
		return a.jsonLog(level)
	}
	return slog.New(slog.NewTextHandler(&lineWriter{say: func(line string) { a.say("%s", line) }}, &slog.HandlerOptions{Level: level}))
}

// jsonLog returns a log of records for machines, of the account if it is known.
func (a *app) jsonLog(level slog.Level) *slog.Logger {
	log := slog.New(runHandler{slog.NewJSONHandler(a.err, &slog.HandlerOptions{Level: level}), &a.runID})
	if a.at.SID != "" {
		log = log.With("account", a.at.SID)
	}
	return log
}

// A runHandler adds to each record which run it is of, once that is known.
type runHandler struct {
	slog.Handler
	run *atomic.Pointer[string]
}

func (h runHandler) Handle(ctx context.Context, record slog.Record) error {
	if run := h.run.Load(); run != nil {
		record = record.Clone()
		record.AddAttrs(slog.String("run", *run))
	}
	return h.Handler.Handle(ctx, record)
}

func (h runHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return runHandler{h.Handler.WithAttrs(attrs), h.run}
}

// A lineWriter is a writer that says each line.
type lineWriter struct {
	say  func(line string)
	rest []byte // the line that has no end yet
}

// maxLine is where a longer line is cut in two, in bytes.
const maxLine = 64 << 10

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ended := bytes.Cut(w.rest, []byte("\n"))
		if !ended && len(line) < maxLine {
			return len(p), nil
		}
		w.say(string(bytes.TrimSuffix(line, []byte("\r"))))
		w.rest = rest
	}
}

// finish says a last line that has no end.
func (w *lineWriter) finish() {
	if len(w.rest) > 0 {
		w.say(string(w.rest))
	}
}

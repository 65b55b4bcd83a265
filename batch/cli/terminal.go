package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"siprotate/batch"
	"siprotate/batch/rotation"
	"siprotate/report"
)

// terminalWidth returns the columns of the terminal that w is, 80 if it does not
// tell, and 0 if it is no terminal.
func terminalWidth(w any) int {
	if !isTerminal(w) {
		return 0
	}
	if width, _, err := term.GetSize(int(w.(fder).Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

type fder interface{ Fd() uintptr }

func isTerminal(stream any) bool {
	f, ok := stream.(fder)
	return ok && term.IsTerminal(int(f.Fd()))
}

// isDumb reports whether people read a terminal that does not move its cursor.
func (a *app) isDumb() bool { return isTerminal(a.err) && a.getenv("TERM") == "dumb" }

func (a *app) confirm(ctx context.Context, p rotation.Plan) error {
	return a.ask(ctx, "Rotate "+count(p.Left, "password")+" now?", "not confirmed: nothing was sent and nothing was written")
}

// canAsk returns an error where nobody can be asked.
func (a *app) canAsk(otherwise string) error {
	if isTerminal(a.in) && isTerminal(a.err) {
		return nil
	}
	return usagef(otherwise, "cannot ask for confirmation: not a terminal")
}

// ask asks a question on the terminal. The error is nil if the answer is yes, and
// otherwise says what follows from a no. Where nobody can be asked it is an error.
func (a *app) ask(ctx context.Context, question, no string) error {
	if err := a.canAsk("--yes goes ahead without asking"); err != nil {
		return err
	}
	defer a.pause()()
	fmt.Fprintf(a.err, "%s [y/N] ", report.Sanitize(question))
	line, err := await(ctx, func() (string, error) {
		line, _ := bufio.NewReader(io.LimitReader(a.in, 1<<10)).ReadString('\n')
		return strings.ToLower(strings.TrimSpace(line)), nil
	})
	switch {
	case err != nil:
		fmt.Fprintln(a.err)
		return err
	case line == "y" || line == "yes":
		return nil
	}
	return usagef("", "%s", no)
}

// await returns what read returns, or gives it up once ctx ends: what waits for a
// terminal cannot be cancelled.
func await[T any](ctx context.Context, read func() (T, error)) (got T, err error) {
	done := make(chan struct{})
	var typed T
	var failed error
	go func() {
		typed, failed = read()
		close(done)
	}()
	select {
	case <-done:
		return typed, failed
	case <-ctx.Done():
		return got, batch.InterruptedBy(ctx)
	}
}

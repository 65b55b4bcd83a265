package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// columns returns the width of the terminal behind a descriptor, 80 if it does
// not tell, and 0 if there is no terminal.
func columns(fd int) int {
	if !term.IsTerminal(fd) {
		return 0
	}
	if width, _, err := term.GetSize(fd); err == nil && width > 0 {
		return width
	}
	return 80
}

func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// confirm asks a question on the terminal and reports whether the answer was
// yes. Where nobody can be asked it is an error.
func (a *app) confirm(ctx context.Context, question string) error {
	if !isTerminal(a.in) || !isTerminal(a.err) {
		return usagef("--yes goes ahead without asking, --dry-run shows what would be done", "nobody to ask whether to go ahead: there is no terminal")
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(a.in, 1<<10)).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		if line == "y" || line == "yes" {
			return nil
		}
		return usagef("", "not confirmed: nothing was sent and nothing was written")
	case <-ctx.Done():
		fmt.Fprintln(a.err)
		return interrupted(ctx)
	}
}

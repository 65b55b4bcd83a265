package cli

import (
	"bytes"
	"context"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch/directory"
)

// A statusQuery is the flags of status.
type statusQuery struct {
	options
	csv    bool
	maxAge age
}

func newStatus(a *app) *cobra.Command {
	q := &statusQuery{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell which devices were rotated when",
		Long: `Status lists the account and tells of each SIP device when a run last rotated
it, from the journals of the run directories in the history; those that need it
most come first.

With --max-age it exits with 3 if a device was rotated longer ago than that, or
never.`,
		Example: `  siprotate status --history .
  siprotate status --history /var/lib/siprotate --max-age 90d --csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), q) },
	}
	f := cmd.Flags()
	f.StringVar(&q.history, "history", "", "the folder with the run directories (required)")
	f.Var(&q.maxAge, "max-age", "what was rotated longer ago is too old, such as 90d")
	f.BoolVar(&q.csv, "csv", false, "CSV instead of a table")
	f.BoolVar(&q.json, "json", false, "JSON lines instead of a table")
	q.accountFlags(f)
	q.paceFlags(f)
	f.SortFlags = false
	cmd.MarkFlagsMutuallyExclusive("csv", "json")
	return cmd
}

func (a *app) status(ctx context.Context, q *statusQuery) error {
	if q.history == "" {
		return usagef("name the folder that holds the run directories, such as . for the current one", "--history is not given")
	}
	acc, err := a.account(&q.options)
	if err != nil {
		return err
	}
	past, err := a.readHistory(q.history, acc)
	if err != nil {
		return err
	}
	var users []directory.User
	err = a.withDirectory(ctx, "status", &q.options, func(d *apiDirectory) (err error) {
		users, err = a.everybody(ctx, d)
		return err
	})
	if err != nil {
		return err
	}
	lines := statusLines(users, past, time.Duration(q.maxAge), time.Now())
	var text bytes.Buffer
	if err := q.encode(&text, lines); err != nil {
		return &exitError{exitFailure, err, ""}
	}
	if err := a.deliver("", text.Bytes()); err != nil {
		return err
	}
	return a.judgeAges(lines, q.maxAge)
}

// judgeAges says how the devices stand, and whether that is an error.
func (a *app) judgeAges(lines []statusLine, limit age) error {
	counts := map[deviceState]int{}
	for _, line := range lines {
		counts[line.State]++
	}
	if limit == 0 {
		a.say("%s: %s rotated, %s never", count(len(lines), "device"), thousands.Sprint(counts[rotatedState]), thousands.Sprint(counts[neverState]))
		return nil
	}
	a.say("%s: %s rotated within %v, %s longer ago, %s never", count(len(lines), "device"),
		thousands.Sprint(counts[rotatedState]), &limit, thousands.Sprint(counts[oldState]), thousands.Sprint(counts[neverState]))
	if counts[oldState]+counts[neverState] > 0 {
		return &exitError{code: exitUnfinished}
	}
	return nil
}

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/report"
)

func newRuns(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "runs [DIR]",
		Short: "the runs in a folder, and how they stand",
		Long: `Runs lists the run directories in a folder, the current one if none is named, or
the one run directory that is named: when each run began, what it rotates for
whom, how it ended and what is left. It reads the journals alone and sends
nothing.`,
		Example: `  siprotate runs
  siprotate runs /var/lib/siprotate --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		RunE: func(_ *cobra.Command, args []string) error {
			folder := "."
			if len(args) > 0 {
				folder = args[0]
			}
			return a.runs(folder, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON lines instead of a table")
	return cmd
}

type runLine struct {
	Run       string       `json:"run"`
	StartedAt report.Stamp `json:"started_at"`
	Input     string       `json:"input"`
	Account   string       `json:"account"`
	Host      string       `json:"host"`
	State     string       `json:"state"` // running, finished, unfinished, stopped, died, not begun
	Rows      int          `json:"rows"`
	Rotated   int          `json:"rotated"`
	Left      int          `json:"left"` // rows that resume would send
	Failed    int          `json:"failed"`
	Invalid   int          `json:"invalid"`
	Stopped   string       `json:"stopped,omitempty"`
}

func (a *app) runs(folder string, asJSON bool) error {
	dirs, err := runDirs(folder)
	if err != nil {
		return usage(err, "name a folder that holds run directories")
	}
	var lines []runLine
	for _, dir := range dirs {
		line, err := readRun(dir)
		switch {
		case errors.Is(err, journal.ErrUnplanned):
		case err != nil:
			a.say("warning: skipped: %v", err)
		default:
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(x, y runLine) int { return x.StartedAt.Compare(y.StartedAt.Time) })
	if len(lines) == 0 {
		a.say("there is no run in %s", folder)
		return nil
	}
	if asJSON {
		return jsonLines(a.out, lines)
	}
	return runsTable(a.out, lines, terminalWidth(a.out))
}

// runDirs returns the run directories in a folder, or the folder if it is one.
func runDirs(folder string) (dirs []string, err error) {
	if journal.Exists(folder) {
		return []string{folder}, nil
	}
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if dir := filepath.Join(folder, entry.Name()); entry.IsDir() && journal.Exists(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, err
}

// runsTable writes a table for a terminal of width columns; 0: there is none.
func runsTable(w io.Writer, lines []runLine, width int) error {
	rows := [][]string{{"STARTED", "RUN", "INPUT", "ACCOUNT", "STATE", "ROTATED", "LEFT", "FAILED"}}
	faulty := slices.ContainsFunc(lines, func(l runLine) bool { return l.Invalid > 0 })
	if faulty {
		rows[0] = append(rows[0], "INVALID")
	}
	for _, l := range lines {
		started := "-"
		if !l.StartedAt.IsZero() {
			started = l.StartedAt.Local().Format("2006-01-02 15:04")
		}
		rows = append(rows, []string{
			started, report.Sanitize(l.Run), report.Sanitize(l.Input), report.Sanitize(l.Account), cmp.Or(l.State, "-"),
			fmt.Sprintf("%d/%d", l.Rotated, l.Rows), strconv.Itoa(l.Left), strconv.Itoa(l.Failed),
		})
		if faulty {
			rows[len(rows)-1] = append(rows[len(rows)-1], strconv.Itoa(l.Invalid))
		}
	}
	return writeTable(w, fitted(rows, width, "ACCOUNT", "INPUT", "STARTED", "LEFT"))
}

func readRun(dir string) (runLine, error) {
	v, err := journal.Read(dir, nil)
	if err != nil {
		return runLine{}, err
	}
	defer v.Close()
	info, counts := v.Info(), v.Counts()
	left, _ := v.Pending(false)
	return runLine{
		Run: dir, StartedAt: report.Stamp{Time: info.StartedAt}, Input: info.Input, Account: info.Account, Host: info.Host,
		State: stateOf(v, info, left), Rows: info.Rows, Rotated: counts[batch.Rotated], Left: left, Failed: counts[batch.Failed], Invalid: counts[batch.Invalid],
		Stopped: info.Stopped,
	}, nil
}

// stateOf says in a word or two how a run stands.
func stateOf(v *journal.View, info journal.Info, left int) string {
	switch {
	case info.StartedAt.IsZero():
		return "not begun"
	case v.Live():
		return "running"
	case info.StoppedAt.IsZero():
		return "died"
	case info.Stopped != "":
		return "stopped"
	case left > 0:
		return "unfinished"
	}
	return "finished"
}

package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch/journal"
	"siprotate/exotel"
	"siprotate/report"
)

// Status flags are those of status alone.
type statusFlags struct {
	accountFlags
	paceFlags
	history string
	maxAge  age
	csv     bool
	json    bool
}

func newStatus(a *app) *cobra.Command {
	o := &statusFlags{}
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
		RunE: a.do(func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.history, "history", "", "the folder with the run directories (required)")
	f.Var(&o.maxAge, "max-age", "what was rotated longer ago is too old, such as 90d")
	f.BoolVar(&o.csv, "csv", false, "CSV instead of a table")
	f.BoolVar(&o.json, "json", false, "JSON lines instead of a table")
	o.accountFlags.add(f)
	o.paceFlags.add(f)
	f.SortFlags = false
	cmd.MarkFlagsMutuallyExclusive("csv", "json")
	return cmd
}

func (a *app) status(ctx context.Context, o *statusFlags) error {
	if o.history == "" {
		return usagef("name the folder that holds the run directories, such as . for the current one", "--history is not given")
	}
	e, err := a.endpoint(o.accountFlags)
	if err != nil {
		return err
	}
	past, err := a.readHistory(o.history, e.Account)
	if err != nil {
		return err
	}
	users, err := a.list(ctx, o.accountFlags, &o.paceFlags, nil)
	if err != nil {
		return err
	}
	lines := statusLines(users, past, time.Duration(o.maxAge), time.Now())
	var text bytes.Buffer
	if err := o.encode(&text, lines); err != nil {
		return err
	}
	if err := a.deliver("", text.Bytes()); err != nil {
		return err
	}
	return a.checkAges(lines, o.maxAge)
}

// checkAges says how the devices stand, and whether that is an error.
func (a *app) checkAges(lines []statusLine, limit age) error {
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
		return errTooOld
	}
	return nil
}

// A deviceState is how old a device's password is.
type deviceState string

const (
	rotatedState deviceState = "rotated"
	oldState     deviceState = "old" // longer ago than is asked for
	neverState   deviceState = "never"
)

// A statusLine is a device and its latest rotation.
type statusLine struct {
	UserID    string      `json:"user_id"`
	DeviceID  string      `json:"device_id"`
	SIPID     string      `json:"sip_id"`
	Email     string      `json:"email"`
	State     deviceState `json:"state"`
	RotatedAt time.Time   `json:"rotated_at,omitzero"`
	Run       string      `json:"run,omitempty"`
	age       time.Duration
}

// statusLines returns a line for each device, those never rotated first, and
// then from the oldest to the youngest. With a limit, what is older is told so.
func statusLines(users []exotel.User, past *journal.History, limit time.Duration, now time.Time) (lines []statusLine) {
	for _, u := range users {
		for _, d := range sipDevices(u) {
			line := statusLine{
				UserID: report.Sanitize(u.ID), DeviceID: report.Sanitize(d.ID), SIPID: report.Sanitize(exotel.SIPID(d.ContactURI)), Email: report.Sanitize(u.Email),
				State: neverState,
			}
			if last, known := past.Last(u.ID, d.ID); known {
				line.State, line.RotatedAt, line.Run = rotatedState, last.At.UTC().Truncate(time.Millisecond), last.Run
				line.age = now.Sub(last.At)
				if limit > 0 && line.age > limit {
					line.State = oldState
				}
			}
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(x, y statusLine) int { return x.RotatedAt.Compare(y.RotatedAt) })
	return lines
}

func (o *statusFlags) encode(w io.Writer, lines []statusLine) error {
	switch {
	case o.csv:
		return statusCSV(w, lines)
	case o.json:
		return jsonLines(w, lines)
	}
	return statusTable(w, lines)
}

func statusCSV(w io.Writer, lines []statusLine) error {
	out := csv.NewWriter(w)
	out.Write([]string{"user_id", "device_id", "sip_id", "email", "state", "rotated_at", "run"})
	for _, l := range lines {
		at := ""
		if !l.RotatedAt.IsZero() {
			at = l.RotatedAt.Format("2006-01-02T15:04:05.000Z07:00")
		}
		out.Write([]string{l.UserID, l.DeviceID, l.SIPID, l.Email, string(l.State), at, l.Run})
	}
	out.Flush()
	return out.Error()
}

func statusTable(w io.Writer, lines []statusLine) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "SIP ID\tEMAIL\tDEVICE\tSTATE\tROTATED\tAGE\tRUN")
	for _, l := range lines {
		at, age := "-", "-"
		if !l.RotatedAt.IsZero() {
			at, age = l.RotatedAt.Local().Format("2006-01-02 15:04"), report.FormatDuration(l.age)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			cmp.Or(l.SIPID, "-"), cmp.Or(l.Email, "-"), l.DeviceID, l.State, at, age, cmp.Or(report.Sanitize(l.Run), "-"))
	}
	return out.Flush()
}

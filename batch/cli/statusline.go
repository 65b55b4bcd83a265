package cli

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"siprotate/batch/directory"
	"siprotate/batch/journal"
	"siprotate/report"
)

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
func statusLines(users []directory.User, past *journal.History, limit time.Duration, now time.Time) (lines []statusLine) {
	for _, u := range users {
		for _, d := range u.Devices {
			line := statusLine{
				UserID: report.Sanitize(u.ID), DeviceID: report.Sanitize(d.ID), SIPID: report.Sanitize(d.SIPID), Email: report.Sanitize(u.Email),
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

func (q *statusQuery) encode(w io.Writer, lines []statusLine) error {
	switch {
	case q.csv:
		return statusCSV(w, lines)
	case q.json:
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

package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch/directory"
	"siprotate/batch/journal"
	"siprotate/batch/rotation"
	"siprotate/exotel"
	"siprotate/report"
)

type statusFlags struct {
	accountFlags
	paceFlags
	history string
	maxAge  age
	offline bool
	csv     bool
	json    bool
	format  string
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
  siprotate status --history /var/lib/siprotate --max-age 90d --csv
  siprotate status --history /var/lib/siprotate --max-age 90d --format prometheus`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), o) },
	}
	f := a.group(cmd, "What")
	f.StringVar(&o.history, "history", "", "the folder with the run directories (required)")
	f.Var(&o.maxAge, "max-age", "what was rotated longer ago is too old, such as 90d")
	f.BoolVar(&o.offline, "offline", false, "ask the API for nothing: the devices that the runs know")
	f.StringVar(&o.format, "format", "table", "table, csv, jsonl, html, prometheus or summary (the counts as JSON)")
	f.BoolVar(&o.csv, "csv", false, "the same as --format csv")
	f.BoolVar(&o.json, "json", false, "the same as --format jsonl")
	o.accountFlags.add(a.group(cmd, "Account"))
	o.paceFlags.add(a.group(cmd, "Pace"), a.group(cmd, "Output"))
	a.joinGroups(cmd)
	cmd.MarkFlagsMutuallyExclusive("csv", "json", "format")
	return cmd
}

func (a *app) status(ctx context.Context, o *statusFlags) error {
	if o.history == "" {
		return usagef("name the folder that holds the run directories, such as . for the current one", "--history is not given")
	}
	switch {
	case o.csv:
		o.format = "csv"
	case o.json:
		o.format = "jsonl"
	case !slices.Contains(statusFormats, o.format):
		return flagError("format", o.format, errors.New("want one of "+strings.Join(statusFormats, ", ")))
	}
	var e endpoint
	var err error
	if o.offline && a.setting(o.sid, "EXOTEL_ACCOUNT_SID") == "" {
		e, err = endpointIn(o.history)
	} else {
		e, err = a.endpoint(o.accountFlags)
	}
	if err != nil {
		return err
	}
	var r rotation.Rotation
	if err := o.paceFlags.apply(a, e, &r); err != nil {
		return err
	}
	past, err := a.readHistory(o.history, e.Account)
	if err != nil {
		return err
	}
	devices := slices.Collect(past.All())
	if !o.offline {
		if r.Client, err = a.client(e, 1); err != nil {
			return err
		}
		users, err := r.Users(ctx, nil)
		if err != nil {
			return err
		}
		devices = devicesOf(users)
	}
	lines := statusLines(devices, past, time.Duration(o.maxAge), time.Now())
	var text bytes.Buffer
	if err := o.encode(&text, lines, e, terminalWidth(a.out)); err != nil {
		return err
	}
	if err := a.deliver("", text.Bytes()); err != nil {
		return err
	}
	return a.checkAges(lines, o.maxAge)
}

// endpointIn returns the endpoint of all runs in a folder. Those of the built-in
// stand-in count only where there are no others.
func endpointIn(folder string) (e endpoint, err error) {
	dirs, err := runDirs(folder)
	if err != nil {
		return e, usage(err, "--history wants the folder that holds run directories, such as . for the current one")
	}
	for _, dir := range dirs {
		head, err := journal.ReadHead(dir)
		found := endpoint{rotation.Account{SID: head.Account, Host: head.Host}, readSettings(head).BaseURL}
		switch {
		case err != nil:
			return e, err
		case e.Account == (rotation.Account{}), e.Host == sandboxHost:
			e = found
		case found.Host != sandboxHost && found.Account != e.Account:
			return e, usagef("name one with --account-sid or EXOTEL_ACCOUNT_SID, and --region or --base-url",
				"the runs in %s are of several accounts: %s at %s, %s at %s", folder, e.SID, e.Host, found.SID, found.Host)
		}
	}
	if e.SID == "" {
		return e, usagef("--history wants the folder that holds run directories, such as . for the current one", "there is no run in %s", folder)
	}
	return e, nil
}

// checkAges says how the devices stand, and whether that is an error.
func (a *app) checkAges(lines []statusLine, limit age) error {
	counts := map[string]int{}
	for _, line := range lines {
		counts[line.State]++
	}
	if limit == 0 {
		a.say("%s: %s rotated, %s never", count(len(lines), "device"), number(counts[rotatedState]), number(counts[neverState]))
		return nil
	}
	a.say("%s: %s rotated within %v, %s longer ago, %s never", count(len(lines), "device"),
		number(counts[rotatedState]), &limit, number(counts[oldState]), number(counts[neverState]))
	if counts[oldState]+counts[neverState] > 0 {
		return errTooOld
	}
	return nil
}

// The states of a device: how old its password is.
const (
	rotatedState = "rotated"
	oldState     = "old" // longer ago than is asked for
	neverState   = "never"
)

// deviceStates are the states, in the order in which people are told of them.
var deviceStates = []string{rotatedState, oldState, neverState}

// A statusLine is a device and its latest rotation.
type statusLine struct {
	UserID    string    `json:"user_id"`
	DeviceID  string    `json:"device_id"`
	SIPID     string    `json:"sip_id"`
	Email     string    `json:"email"`
	State     string    `json:"state"`
	RotatedAt time.Time `json:"rotated_at,omitzero"`
	Run       string    `json:"run,omitempty"`
	age       time.Duration
}

// devicesOf returns the SIP devices of users, as a history names them.
func devicesOf(users []exotel.User) (devices []journal.Rotation) {
	for _, u := range users {
		for d := range directory.SIPDevices(&u) {
			devices = append(devices, journal.Rotation{UserID: u.ID, DeviceID: d.ID, SIPID: exotel.SIPID(d.ContactURI), Email: u.Email})
		}
	}
	return devices
}

// statusLines returns a line for each device. Those never rotated come first, and
// then from the oldest to the youngest. With a limit, what is older is called so.
func statusLines(devices []journal.Rotation, past *journal.History, limit time.Duration, now time.Time) (lines []statusLine) {
	for _, device := range devices {
		line := statusLine{
			UserID: report.Sanitize(device.UserID), DeviceID: report.Sanitize(device.DeviceID),
			SIPID: report.Sanitize(device.SIPID), Email: report.Sanitize(device.Email), State: neverState,
		}
		if last, known := past.Last(device.UserID, device.DeviceID); known {
			line.State, line.RotatedAt, line.Run = rotatedState, last.At.UTC().Truncate(time.Millisecond), report.Sanitize(last.Run)
			line.age = now.Sub(last.At)
			if limit > 0 && line.age > limit {
				line.State = oldState
			}
		}
		lines = append(lines, line)
	}
	slices.SortStableFunc(lines, func(x, y statusLine) int {
		return cmp.Or(x.RotatedAt.Compare(y.RotatedAt), cmp.Compare(x.UserID, y.UserID), cmp.Compare(x.DeviceID, y.DeviceID))
	})
	return lines
}

var statusFormats = []string{"table", "csv", "jsonl", "html", "prometheus", "summary"}

func (o *statusFlags) encode(w io.Writer, lines []statusLine, e endpoint, width int) error {
	switch o.format {
	case "csv":
		return statusCSV(w, lines)
	case "jsonl":
		return jsonLines(w, lines)
	case "html":
		return statusPage(w, lines, e)
	case "prometheus", "summary":
		return o.figures(w, lines, e)
	}
	return statusTable(w, lines, width)
}

func statusPage(w io.Writer, lines []statusLine, e endpoint) error {
	var devices []report.DeviceAge
	for _, l := range lines {
		devices = append(devices, report.DeviceAge{
			DeviceID: l.DeviceID, SIPID: l.SIPID, Email: l.Email, State: l.State, RotatedAt: l.RotatedAt, Run: l.Run,
		})
	}
	return report.WriteAgesPage(w, e.SID, e.Host, time.Now(), deviceStates, devices)
}

// figures writes counts alone.
func (o *statusFlags) figures(w io.Writer, lines []statusLine, e endpoint) error {
	var oldest time.Time
	states := map[string]int{}
	for _, l := range lines {
		states[l.State]++
		if !l.RotatedAt.IsZero() && (oldest.IsZero() || l.RotatedAt.Before(oldest)) {
			oldest = l.RotatedAt
		}
	}
	if o.format == "prometheus" {
		return errors.Join(
			report.WriteStates(w, e.SID, e.Host, "devices", "SIP devices of the account, by how old their password is.",
				deviceStates, states),
			report.WriteTime(w, e.SID, e.Host, "oldest_rotation_timestamp_seconds",
				"When the device was rotated whose password is the oldest; missing if none ever was.", oldest))
	}
	return json.NewEncoder(w).Encode(struct {
		Account string       `json:"account"`
		Host    string       `json:"host"`
		Devices int          `json:"devices"`
		Rotated int          `json:"rotated"`
		Old     int          `json:"old"`
		Never   int          `json:"never"`
		Oldest  report.Stamp `json:"oldest_rotation_at"`
	}{e.SID, e.Host, len(lines), states[rotatedState], states[oldState], states[neverState], report.Stamp{Time: oldest}})
}

func statusCSV(w io.Writer, lines []statusLine) error {
	records := [][]string{{"user_id", "device_id", "sip_id", "email", "state", "rotated_at", "run"}}
	for _, l := range lines {
		at := ""
		if !l.RotatedAt.IsZero() {
			at = l.RotatedAt.Format("2006-01-02T15:04:05.000Z07:00")
		}
		records = append(records, []string{l.UserID, l.DeviceID, l.SIPID, l.Email, l.State, at, l.Run})
	}
	return csv.NewWriter(w).WriteAll(records)
}

// fullTable is how wide a terminal has to be for every column of the table.
const fullTable = 132

// statusTable writes a table, which a terminal of width columns shows without
// wrapping; 0 means that there is no terminal.
func statusTable(w io.Writer, lines []statusLine, width int) error {
	narrow := width > 0 && width < fullTable
	// Beside the two columns that give way: a state, a date, the gaps between.
	email := max(10, (width-len("rotated  2006-01-02  ")-16-4)*3/5)
	run := max(8, width-len("rotated  2006-01-02  ")-16-4-email)
	rows := [][]string{{"SIP ID", "EMAIL", "DEVICE", "STATE", "ROTATED", "AGE", "RUN"}}
	if narrow {
		rows = [][]string{{"SIP ID", "EMAIL", "STATE", "ROTATED", "RUN"}}
	}
	for _, l := range lines {
		day, clock, age := "-", "-", "-"
		if !l.RotatedAt.IsZero() {
			local := l.RotatedAt.Local()
			day, clock, age = local.Format(time.DateOnly), local.Format("2006-01-02 15:04"), report.FormatDuration(l.age)
		}
		sip, mail, dir := cmp.Or(l.SIPID, "-"), cmp.Or(l.Email, "-"), cmp.Or(l.Run, "-")
		if narrow {
			rows = append(rows, []string{report.Truncate(sip, 16), report.Truncate(mail, email), l.State, day, report.Truncate(dir, run)})
		} else {
			rows = append(rows, []string{sip, mail, l.DeviceID, l.State, clock, age, dir})
		}
	}
	return writeTable(w, rows)
}

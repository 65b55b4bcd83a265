package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/exotel"
	"siprotate/report"
)

type usersFlags struct {
	accountFlags
	paceFlags
	out           string
	json          bool
	emails        []string
	role          string
	withoutDevice bool
}

func newUsers(a *app) *cobra.Command {
	o := &usersFlags{}
	cmd := &cobra.Command{
		Use:   "users",
		Short: "list the account's SIP devices as CSV: a ready INPUT",
		Long: `Users lists the account's SIP devices, one line each. What it writes can be the
INPUT of run, also through a pipe.

It takes one request for 50 users, from the same allowance as a run, and does
not list while a run on the account is at work. With --email it takes fewer.`,
		Example: `  siprotate users -o users.csv
  siprotate users --role supervisor
  siprotate users --email asha@example.com,ravi@example.com --json
  siprotate users | siprotate run - --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.users(cmd.Context(), o) },
	}
	f := a.group(cmd, "What")
	f.StringVarP(&o.out, "out", "o", "", "write to this file instead of standard output")
	f.BoolVar(&o.json, "json", false, "JSON lines instead of CSV")
	f.StringSliceVar(&o.emails, "email", nil, "only the users with these emails, separated by commas")
	f.StringVar(&o.role, "role", "", "only the users with this role")
	f.BoolVar(&o.withoutDevice, "without-device", false, "the users that have no SIP device, instead of those that have")
	o.accountFlags.add(a.group(cmd, "Account"))
	o.paceFlags.add(a.group(cmd, "Pace"), a.group(cmd, "Output"))
	a.joinGroups(cmd)
	return cmd
}

// users writes the list once it is complete and the account is free again: a run
// that reads it through a pipe takes the account next.
func (a *app) users(ctx context.Context, o *usersFlags) error {
	if slices.Contains(o.emails, "") {
		return usagef("", "--email: an email is empty")
	}
	e, r, err := o.paceFlags.on(a, o.accountFlags)
	if err != nil {
		return err
	}
	if r.Client, err = a.client(e, 1); err != nil {
		return err
	}
	users, err := r.Users(ctx, o.emails)
	if fault, ok := errors.AsType[batch.Fault](err); ok {
		return usagef(fault.Hint, "--email: %s", fault.Text)
	}
	if err != nil {
		return err
	}
	if err := checkRole(o.role, users); err != nil {
		return err
	}
	write := usersCSV
	if o.json {
		write = jsonLines[userLine]
	}
	var text bytes.Buffer
	if err := write(&text, o.lines(users)); err != nil {
		return err
	}
	return a.deliver(o.out, text.Bytes())
}

// lines returns what of the users was asked for.
func (o *usersFlags) lines(users []exotel.User) (lines []userLine) {
	for _, u := range users {
		if o.role != "" && !strings.EqualFold(u.Role, o.role) {
			continue
		}
		if devices := slices.Collect(directory.SIPDevices(&u)); o.withoutDevice == (len(devices) == 0) {
			lines = append(lines, linesOf(u, devices)...)
		}
	}
	return lines
}

// checkRole says that no user has the role, where it is a slip.
func checkRole(role string, users []exotel.User) error {
	roles := map[string]bool{}
	for _, u := range users {
		if strings.EqualFold(u.Role, role) {
			return nil
		}
		roles[strings.ToLower(report.Sanitize(u.Role))] = true
	}
	if role == "" || len(users) == 0 {
		return nil
	}
	return usagef("the roles in the account are: "+strings.Join(slices.Sorted(maps.Keys(roles)), ", "), "--role %q: no user has it", role)
}

// A userLine is a SIP device and its user, or a user without a SIP device.
type userLine struct {
	UserID    string `json:"user_id"`
	DeviceID  string `json:"device_id"`
	SIPID     string `json:"sip_id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Role      string `json:"role"`
	Available *bool  `json:"available"` // nil without a device
	Verified  *bool  `json:"verified"`
}

// linesOf returns a line for each of the user's devices, or one without a device.
// What the API says is made harmless, should it come to a terminal.
func linesOf(u exotel.User, devices []*exotel.Device) (lines []userLine) {
	line := userLine{
		UserID: report.Sanitize(u.ID), Email: report.Sanitize(u.Email),
		FirstName: report.Sanitize(u.FirstName), LastName: report.Sanitize(u.LastName), Role: report.Sanitize(u.Role),
	}
	if len(devices) == 0 {
		return []userLine{line}
	}
	for _, d := range devices {
		line.DeviceID, line.SIPID = report.Sanitize(d.ID), report.Sanitize(exotel.SIPID(d.ContactURI))
		line.Available, line.Verified = &d.Available, &d.Verified
		lines = append(lines, line)
	}
	return lines
}

func usersCSV(w io.Writer, lines []userLine) error {
	records := [][]string{{"user_id", "device_id", "sip_id", "email", "first_name", "last_name", "role", "available", "verified"}}
	for _, l := range lines {
		records = append(records, []string{
			l.UserID, l.DeviceID, l.SIPID, l.Email, l.FirstName, l.LastName, l.Role, yesOrNo(l.Available), yesOrNo(l.Verified),
		})
	}
	return csv.NewWriter(w).WriteAll(records)
}

func yesOrNo(is *bool) string {
	if is == nil {
		return ""
	}
	return strconv.FormatBool(*is)
}

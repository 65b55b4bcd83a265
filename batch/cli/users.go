package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"

	"siprotate/batch/directory"
)

// A usersQuery is the flags of users.
type usersQuery struct {
	options
	emails        []string
	role          string
	withoutDevice bool
}

func newUsers(a *app) *cobra.Command {
	q := &usersQuery{}
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
		RunE: func(cmd *cobra.Command, _ []string) error { return a.users(cmd.Context(), q) },
	}
	f := cmd.Flags()
	f.StringVarP(&q.out, "out", "o", "", "write to this file instead of standard output")
	f.BoolVar(&q.json, "json", false, "JSON lines instead of CSV")
	f.StringSliceVar(&q.emails, "email", nil, "only the users with these emails, separated by commas")
	f.StringVar(&q.role, "role", "", "only the users with this role")
	f.BoolVar(&q.withoutDevice, "without-device", false, "the users that have no SIP device, instead of those that have")
	q.accountFlags(f)
	q.paceFlags(f)
	f.SortFlags = false
	return cmd
}

// users writes the list once it is complete and the lease is given back: a run
// that reads it through a pipe takes the lease next.
func (a *app) users(ctx context.Context, q *usersQuery) error {
	var users []directory.User
	err := a.withDirectory(ctx, "users", &q.options, func(d *apiDirectory) (err error) {
		if len(q.emails) > 0 {
			users, err = a.withEmails(ctx, d, q.emails)
		} else {
			users, err = a.everybody(ctx, d)
		}
		return err
	})
	if err != nil {
		return err
	}
	encode := usersCSV
	if q.json {
		encode = jsonLines[userLine]
	}
	var text bytes.Buffer
	if err := encode(&text, q.lines(users)); err != nil {
		return &exitError{exitFailure, err, ""}
	}
	return a.deliver(q.out, text.Bytes())
}

// withEmails finds the users that have one of the emails.
func (a *app) withEmails(ctx context.Context, d *apiDirectory, emails []string) ([]directory.User, error) {
	var wanted directory.Wanted
	for _, email := range emails {
		if email == "" {
			return nil, usagef("", "--email: an email is empty")
		}
		wanted.Add(directory.Reference{Email: email})
	}
	index, err := a.lookUp(ctx, d, &wanted)
	if err != nil {
		return nil, err
	}
	var users []directory.User
	known := map[*directory.User]bool{}
	for _, email := range emails {
		found, problem := index.Users(directory.Reference{Email: email})
		if problem != nil {
			return nil, usagef(problem.Hint, "--email: %s", problem.Text)
		}
		for _, user := range found {
			if !known[user] {
				known[user] = true
				users = append(users, *user)
			}
		}
	}
	return users, nil
}

// lines returns what of the users was asked for.
func (q *usersQuery) lines(users []directory.User) (lines []userLine) {
	for _, u := range users {
		if q.role != "" && !strings.EqualFold(u.Role, q.role) || q.withoutDevice != (len(u.Devices) == 0) {
			continue
		}
		lines = append(lines, linesOf(u)...)
	}
	return lines
}

// deliver writes the data of a command to a file, or to standard output if none
// is named. The file is for its owner alone: it may name people.
func (a *app) deliver(file string, text []byte) error {
	var err error
	if file == "" {
		_, err = a.out.Write(text)
	} else {
		err = maybe.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return &exitError{exitFailure, fmt.Errorf("write what was listed: %w", err), ""}
	}
	return nil
}

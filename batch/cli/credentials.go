package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/handout"
	"siprotate/batch/journal"
)

const credentialsLong = `Credentials hands out the passwords of a run that are in force: as data on
standard output or in a file, as one file a row, or to a command that runs once
a row. Rows whose outcome is unknown are held back unless --outcome asks for
them; where two passwords may be in force, both are handed out.

A template is Go's text/template over a row's columns: row, user_id, device_id,
sip_id, email, password, outcome and account, and the input's others by their
names: {{.mac}}, or {{index . "MAC address"}}. Functions: xml, ini, json, shell
and url escape a text, line refuses what is not one plain line, sipuser is the
user name in a sip_id, and column . "team" "none" takes a column that need not be
there. Everything is made once before the first file is written.

The command of --to runs in /bin/sh -c (cmd /C on Windows) with the row as a JSON
object on its standard input, as --format jsonl prints it. Its environment is
this one without the credentials of the API and AGE_IDENTITY_FILE; what it prints
is discarded, but for the last line on standard error if it fails. Exit code 0
means that it took the row, which deliveries.jsonl in the run directory records:
the same command again gets the other rows, and those sent to the API since.
It may get a row twice if siprotate is killed just in between.

It exits with 3 if the command failed for some rows, and with 4 if it failed for
too many.`

const credentialsExample = `  siprotate credentials users.run --row 3,5-9
  siprotate credentials users.run --format bitwarden -o import.json
  siprotate credentials users.run --identity key.txt --user asha@example.com
  siprotate credentials users.run --template yealink --name '{{.mac}}.cfg' --out phones
  siprotate credentials users.run --to ./deliver.sh --parallel 4`

type credentialsFlags struct {
	format, outcome, rows, user, proof, identity string
	template, name, out                          string
	to, maxFailures                              string
	parallel                                     int
	damaged                                      bool
	timeout                                      time.Duration
}

func newCredentials(a *app) *cobra.Command {
	o := &credentialsFlags{}
	cmd := &cobra.Command{
		Use:     "credentials RUN-DIR",
		Short:   "hand the passwords of a run out: formats, templates, a command a row",
		Long:    credentialsLong,
		Example: credentialsExample,
		Args:    oneArg("RUN-DIR", "the folder that run made"),

		ValidArgsFunction: completeRunDirs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.handOut(cmd.Context(), args[0], o) },
	}
	f := a.group(cmd, "Which")
	f.StringVar(&o.outcome, "outcome", "rotated", "rotated, unknown, or both with a comma between")
	f.StringVar(&o.rows, "row", "", "only these rows, such as 3,5-9")
	f.StringVar(&o.user, "user", "", "only the rows of this user: a user id, an email or a SIP id")
	f.StringVar(&o.proof, "proof", "", "only rows of whose password the SIP registrar says so: accepted, refused or unclear")
	f.StringVar(&o.identity, "identity", "", identityUsage)
	f.BoolVar(&o.damaged, "damaged", false, "of a damaged journal, hand out what is left: a row counts as unknown unless its rotation is on record")
	f = a.group(cmd, "As data")
	f.StringVar(&o.format, "format", "", "csv, jsonl, bitwarden (its JSON import) or 1password (its CSV import), on standard output (default csv)")
	f = a.group(cmd, "As files")
	f.StringVar(&o.template, "template", "", "make one file a row: a template file, yealink or polycom")
	f.StringVar(&o.name, "name", "", "with --template: the template of the files' names, such as '{{.mac}}.cfg'")
	f.StringVarP(&o.out, "out", "o", "", "with --template: the folder to write to; else a file for the data, for its owner alone")
	f = a.group(cmd, "To a command")
	f.StringVar(&o.to, "to", "", "run this command once a row, with the row as JSON on its standard input")
	f.IntVar(&o.parallel, "parallel", 1, "with --to: commands at once")
	f.StringVar(&o.maxFailures, "max-failures", "", "with --to: stop once so many failed: N, or N% of those finished (default ten in a row)")
	f.DurationVar(&o.timeout, "timeout", batch.DefaultTimeout, "with --to: time for one command")
	a.joinGroups(cmd)
	completeValues(cmd, "format", "csv", "jsonl", "bitwarden", "1password")
	completeValues(cmd, "proof", "accepted", "refused", "unclear")
	completeValues(cmd, "outcome", "rotated", "unknown", "rotated,unknown")
	return cmd
}

// errUndelivered says that commands failed; what they were is said before.
var errUndelivered = errors.New("some rows were not delivered")

func (a *app) handOut(ctx context.Context, dir string, o *credentialsFlags) error {
	s, err := o.selection()
	if err != nil {
		return err
	}
	hand, err := a.way(ctx, o)
	if err != nil {
		return err
	}
	head, err := journal.ReadHead(dir)
	if err != nil {
		return err
	}
	vault, err := a.toOpen(ctx, dir, head, o.identity)
	if err != nil {
		return err
	}
	read := journal.Read
	if o.damaged {
		read = journal.Salvage
	}
	v, err := read(dir, vault)
	if err != nil {
		return err
	}
	defer v.Close()
	a.warnOfLater(dir, func(e batch.Entry) bool { return e.Result.Outcome.MayBeInForce() && s.Has(&e.Row) }, "the passwords of this run are no longer in force there")
	entries := entriesOf(dir) // no password of theirs is opened
	if o.damaged {
		entries = v.Entries()
	}
	if err := hasAny(entries, s, o, v.Info().Rows); err != nil {
		return err
	}
	if info := v.Info(); info.EndUnread {
		a.say("the journal is damaged: %s of the plan cannot be read, and perhaps more; they may have been sent", count(info.Unread, "row"))
	} else if info.Unread > 0 {
		a.say("the journal is damaged: %s of the plan cannot be read; they may have been sent", count(info.Unread, "row"))
	}
	var heldBack, refused int
	selected := s.Pick(v.Entries(), &heldBack)
	err = hand(v, func(yield func(handout.Credential, error) bool) {
		refused = 0 // a template passes over them twice
		for c, err := range selected {
			if c.Result.Proof.Verdict == batch.ProofRefused {
				refused++
			}
			if !yield(c, err) {
				return
			}
		}
	})
	if refused > 0 && o.proof == "" {
		a.say("warning: the SIP registrar refused %s of these when it was asked; --proof accepted hands out those that work", count(refused, "password"))
	}
	if left := v.Counts()[batch.NotAttempted]; left > 0 {
		a.say("the run is not finished: %s not rotated yet", rowsThat(left, "was", "were"))
	}
	if heldBack > 0 {
		a.say("held back: %s of unknown outcome, where either password may stand; --outcome rotated,unknown hands them out, too", count(heldBack, "row"))
	}
	return err
}

// hasAny returns an error where --user or --row select no row of so many.
func hasAny(entries iter.Seq2[batch.Entry, error], s handout.Selection, o *credentialsFlags, rows int) error {
	if o.user == "" && o.rows == "" {
		return nil
	}
	found, err := anyRow(entries, func(e batch.Entry) bool { return s.Has(&e.Row) })
	if err != nil || found {
		return err
	}
	if o.user != "" {
		return usagef("it takes a row's user id, SIP id or email", "--user %q: no row of the run has it", o.user)
	}
	return usagef("", "--row %s: the run has rows 1 to %d", o.rows, rows)
}

func (o *credentialsFlags) selection() (s handout.Selection, err error) {
	for name := range strings.SplitSeq(o.outcome, ",") {
		var outcome batch.Outcome
		err := outcome.UnmarshalText([]byte(strings.TrimSpace(name)))
		if err != nil || !outcome.MayBeInForce() {
			return s, usagef("only those have a password of the run in force, or perhaps", "--outcome %q: want rotated, unknown, or both", o.outcome)
		}
		s.Outcomes = append(s.Outcomes, outcome)
	}
	if o.rows != "" {
		if s.Rows, err = handout.ParseRows(o.rows); err != nil {
			return s, flagError("row", o.rows, err)
		}
	}
	s.User = o.user
	if o.proof != "" {
		for name := range strings.SplitSeq(o.proof, ",") {
			verdict := batch.Verdict(strings.TrimSpace(name))
			if !slices.Contains(batch.Verdicts, verdict) {
				return s, usagef("", "--proof %q: want accepted, refused or unclear", o.proof)
			}
			s.Proofs = append(s.Proofs, verdict)
		}
	}
	return s, nil
}

// A way hands out the selected passwords of a run.
type way func(run *journal.View, selected iter.Seq2[handout.Credential, error]) error

// way checks how the passwords are to be handed out, and returns what does it.
func (a *app) way(ctx context.Context, o *credentialsFlags) (way, error) {
	ways := slices.DeleteFunc([]string{o.format, o.template, o.to}, func(flag string) bool { return flag == "" })
	switch {
	case len(ways) > 1:
		return nil, usagef("", "--format, --template and --to: give one of them")
	case o.template == "" && o.name != "":
		return nil, usagef("", "--name is for --template")
	case o.to != "" && o.out != "":
		return nil, usagef("", "--to gives each row to a command, and --out takes them all")
	case o.template != "":
		return a.templateWay(o)
	case o.to != "":
		return a.commandWay(ctx, o)
	}
	return a.formatWay(o)
}

func (a *app) formatWay(o *credentialsFlags) (way, error) {
	name := cmp.Or(o.format, handout.CSV.Name)
	i := slices.IndexFunc(handout.Formats, func(f handout.Format) bool { return f.Name == name })
	if i < 0 {
		return nil, usagef("", "--format %q: want csv, jsonl, bitwarden or 1password", o.format)
	}
	return func(run *journal.View, selected iter.Seq2[handout.Credential, error]) error {
		write := func(w io.Writer) error {
			out := bufio.NewWriter(w)
			_, err := handout.Write(out, handout.Formats[i], run.Info().Columns, selected)
			return cmp.Or(err, out.Flush())
		}
		if o.out != "" && o.out != "-" {
			if err := mayReplace(o.out); err != nil {
				return err
			}
			if err := replaceFile(o.out, 0o600, write); err != nil {
				return failure(fmt.Errorf("hand the passwords out: %w", err), "nothing was written")
			}
			a.say("wrote %s", o.out)
			return nil
		}
		if err := write(a.out); err != nil {
			return failure(fmt.Errorf("hand the passwords out: %w", err), "what is on standard output is not whole")
		}
		return nil
	}, nil
}

func (a *app) templateWay(o *credentialsFlags) (way, error) {
	if o.name == "" || o.out == "" {
		return nil, usagef(`such as --name '{{.mac}}.cfg' --out phones`, "--template needs --name and --out")
	}
	text, builtIn := handout.BuiltIn(o.template)
	if !builtIn {
		content, err := readable("template", o.template)
		if err != nil {
			return nil, err
		}
		text = string(content)
	}
	if journal.Exists(o.out) {
		return nil, usagef("name another folder with --out", "%s is a run directory", o.out)
	}
	t, err := handout.NewTemplate(o.name, text)
	if err != nil {
		return nil, usage(err, "")
	}
	return func(run *journal.View, selected iter.Seq2[handout.Credential, error]) error {
		w, err := t.Write(o.out, run.Info().Account, run.Info().Columns, selected)
		switch {
		case err != nil && w.Files == 0:
			return usage(err, "nothing was written")
		case err != nil:
			return failure(err, fmt.Sprintf("%s written before; the same command again writes the rest", count(w.Changed, "file")))
		}
		a.say("%s in %s: %s written, %s as they should be", count(w.Files, "file"), o.out, number(w.Changed), number(w.Files-w.Changed))
		if info, err := os.Stat(o.out); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			a.say("warning: the folder %s has mode %#o: others may look into it, though not into the files", o.out, info.Mode().Perm())
		}
		return nil
	}, nil
}

func (a *app) commandWay(ctx context.Context, o *credentialsFlags) (way, error) {
	if err := checkRange("parallel", "number", o.parallel, 1, maxWorkers); err != nil {
		return nil, err
	}
	if err := checkRange("timeout", "time", o.timeout, minTimeout, maxTimeout); err != nil {
		return nil, err
	}
	d := handout.Delivery{
		Command: o.to, Parallel: o.parallel, Timeout: o.timeout, Environ: withoutSecrets(os.Environ()),
		Failed: func(row int, err error) { a.say("row %d was not delivered: %v", row, err) },
	}
	if o.maxFailures != "" {
		var err error
		if d.MaxFailures, err = batch.ParseThreshold(o.maxFailures); err != nil {
			return nil, flagError("max-failures", o.maxFailures, err)
		}
	}
	return func(run *journal.View, selected iter.Seq2[handout.Credential, error]) error {
		done, err := handout.Deliver(ctx, run.Root(), d, run.Info().Columns, selected)
		if done != (handout.Delivered{}) || err == nil {
			a.say("delivered: %s; failed: %s; before: %s; left: %s",
				number(done.Delivered), number(done.Failed), number(done.Before), number(done.Left))
		}
		if err == nil && done.Failed > 0 {
			err = errUndelivered
		}
		return err
	}, nil
}

// withoutSecrets drops the credentials of the API, and what opens sealed runs.
func withoutSecrets(environ []string) []string {
	return slices.DeleteFunc(environ, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "EXOTEL_API_") || name == identityVariable
	})
}

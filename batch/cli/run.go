package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch/journal"
	"siprotate/batch/roster"
)

const runExample = `  siprotate run users.csv --dry-run
  siprotate run users.csv --canary 5
  siprotate run users.csv --yes --stop-after 2h --json
  siprotate run - --yes -o monday.run <users.csv
  siprotate run users.csv --sandbox`

func newRun(a *app) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "run INPUT",
		Short: "rotate the rows of INPUT (a CSV file, or - for standard input)",
		Long: `Run rotates the rows of INPUT, a CSV file with the columns user_id and
device_id, and a password column if passwords are given. Rows without a
password get a generated one.

The whole input is checked before anything is sent. All passwords are written
to the run directory before the first request. The same command again goes on
with an unfinished run; it never starts a run over.`,
		Example: runExample,
		Args:    oneArg("INPUT", "a CSV file, or - for standard input"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.rotate(cmd.Context(), args[0], o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "the run directory (default INPUT's name with .run for .csv, in the current folder)")
	o.accountFlags(f)
	f.BoolVar(&o.sandbox, "sandbox", false, "run against a built-in stand-in of the API that holds the input's users")
	o.sendFlags(f)
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything, say what would be done, send nothing, write nothing")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.BoolVar(&o.skipInvalid, "skip-invalid", false, "report invalid rows as such and rotate the others")
	f.SortFlags = false
	return cmd
}

func oneArg(name, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("siprotate "+cmd.Name()+" --help shows examples", "want one %s (%s), got %d", name, what, len(args))
		}
		return nil
	}
}

// rotate runs INPUT, or goes on with its unfinished run.
func (a *app) rotate(ctx context.Context, arg string, o *options) error {
	s, err := o.settings()
	if err != nil {
		return err
	}
	acc, err := a.account(o)
	if err != nil {
		return err
	}
	if !o.sandbox {
		// Bad credentials are told before anything else is done.
		if _, err := a.client(acc, s.config.Workers); err != nil {
			return err
		}
	}
	src, err := a.source(arg)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = src.out
	}
	if o.dryRun {
		return a.dryRun(src, acc, s, o)
	}
	al, err := a.allowance(ctx, acc, s, o.out, o.wait)
	if err != nil {
		return err
	}
	defer al.done()
	j, err := a.reopen(src, acc, s, al, o)
	if err == nil && j == nil {
		al.prime(nil, time.Time{})
		j, err = a.plan(ctx, src, acc, s, al, o)
	}
	if err != nil {
		return err
	}
	return a.execute(ctx, j, al, acc, s, o)
}

// dryRun says what a run of INPUT would do.
func (a *app) dryRun(src source, acc account, s settings, o *options) error {
	defer a.say("dry run: nothing was sent and nothing was written")
	v, done, err := journal.Read(o.out)
	switch {
	case err == nil:
		defer done()
		return a.mayGoOn(v, src, acc, s, o, s.pace.Rate.Estimate)
	case !errors.Is(err, journal.ErrNoRun) && !errors.Is(err, journal.ErrUnplanned):
		return dirError(err, o.out)
	}
	sum, err := src.check(o)
	if err != nil {
		return err
	}
	a.sayPlan(sum, acc, s, o, s.pace.Rate.Estimate)
	return nil
}

// reopen opens the unfinished run of the same input and account, if the run
// directory holds one. A run of another kind there is an error.
func (a *app) reopen(src source, acc account, s settings, al *allowance, o *options) (*journal.Journal, error) {
	if !journal.Exists(o.out) {
		return nil, nil
	}
	j, err := open(o.out, s)
	if errors.Is(err, journal.ErrUnplanned) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	al.prime(j.Recent(), j.Held())
	if err := a.mayGoOn(&j.View, src, acc, s, o, al.Estimate); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// mayGoOn refuses to go on with a run of another input or account, or with one
// that is finished.
func (a *app) mayGoOn(v *journal.View, src source, acc account, s settings, o *options, estimate func(int) time.Duration) error {
	info := v.Info()
	sum, err := src.sum()
	if err != nil {
		return usage(err, "")
	}
	if sum != info.SHA256 {
		return usagef(fmt.Sprintf("name another folder with -o; `siprotate resume %s` goes on with the run that is there", o.out),
			"%s holds a run of another input (%s)", o.out, info.Input)
	}
	if err := sameAccount(info.Head, acc, o.out); err != nil {
		return err
	}
	pending, _ := v.Pending(false)
	if pending == 0 && reported(o.out) {
		hint := "for a new rotation name another folder with -o"
		if failed, _ := v.Pending(true); failed > 0 {
			hint += fmt.Sprintf("; `siprotate resume %s --retry-failed` sends its failed rows again", o.out)
		}
		return usagef(hint, "the run in %s is finished", o.out)
	}
	a.say("going on with the run in %s: %s of %s to send", o.out, thousands.Sprint(pending), count(info.Rows, "row"))
	a.sayEstimate(pending, s, estimate)
	return nil
}

// plan checks the input, asks, and writes the plan.
func (a *app) plan(ctx context.Context, src source, acc account, s settings, al *allowance, o *options) (*journal.Journal, error) {
	checked, err := src.check(o)
	if err != nil {
		return nil, err
	}
	a.sayPlan(checked, acc, s, o, al.Estimate)
	if !o.yes && !o.sandbox {
		if err := a.confirm(ctx, "Rotate "+count(checked.Rows-checked.Refused, "password")+" now?"); err != nil {
			return nil, err
		}
	}
	return a.writePlan(src, acc, o, checked)
}

func (a *app) writePlan(src source, acc account, o *options, checked roster.Summary) (*journal.Journal, error) {
	p, err := journal.Create(o.out, journal.Head{
		Run: newRunID(), Tool: tool(), Account: acc.sid, Host: acc.host(), Input: src.name,
	})
	if err != nil {
		return nil, dirError(err, o.out)
	}
	planned, err := src.read(o, o.generate, p)
	if err == nil && planned.SHA256 != checked.SHA256 {
		err = usagef("run it again once nothing writes the file any more; nothing was sent", "%s changed while it was read", src.name)
	}
	if err != nil {
		return nil, errors.Join(err, p.Discard())
	}
	j, err := p.Seal(planned.SHA256, planned.Columns)
	if err != nil {
		return nil, &exitError{exitFailure, err, "nothing was sent"}
	}
	return j, nil
}

// newRunID names a run: when it was planned, and enough chance to tell two of
// the same second apart.
func newRunID() string {
	var chance [4]byte
	rand.Read(chance[:])
	return time.Now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(chance[:])
}

// sayPlan says what a run of the input would do.
func (a *app) sayPlan(sum roster.Summary, acc account, s settings, o *options, estimate func(int) time.Duration) {
	rows := sum.Rows - sum.Refused
	what := count(sum.Rows, "row") + ": " + count(rows-sum.Generated, "password") + " given, " + thousands.Sprint(sum.Generated) + " to be generated"
	if sum.Refused > 0 {
		what += "; invalid and left out: " + count(sum.Refused, "row")
	}
	a.say("%s", what)
	a.say("account %s at %s, run directory %s", acc.sid, acc.host(), o.out)
	a.sayEstimate(rows, s, estimate)
}

// open opens a run, with errors for the user.
func open(dir string, s settings) (*journal.Journal, error) {
	keep := max(s.pace.Rate.N, 0)
	j, err := journal.Open(dir, keep)
	if err != nil {
		return nil, dirError(err, dir)
	}
	return j, nil
}

// dirError turns an error of a run directory into one for the user.
func dirError(err error, dir string) error {
	var damage *journal.DamageError
	switch {
	case errors.Is(err, journal.ErrUnplanned):
		return usage(err, "run the same `siprotate run` command again")
	case errors.Is(err, journal.ErrNoRun):
		return usage(err, "name the folder that `siprotate run` made, such as users.run")
	case errors.Is(err, journal.ErrLocked):
		return usage(err, "wait until it is done; `siprotate report "+dir+"` shows how far it is")
	case errors.Is(err, journal.ErrNotEmpty):
		return usage(err, "name a new folder with -o")
	case errors.Is(err, journal.ErrUnsafe):
		return usage(err, "the folder holds passwords: it must be yours alone; make it so with chmod 700, or name another one with -o")
	case errors.Is(err, journal.ErrNotAJournal):
		return usage(err, "use the version of siprotate that wrote it")
	case errors.As(err, &damage):
		return &exitError{exitFailure, err, "nothing was sent; the passwords in the journal can still be read; put back an undamaged copy of the file"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
		return usage(err, "name another folder with -o; nothing was sent")
	}
	return &exitError{exitFailure, err, "nothing was sent"}
}

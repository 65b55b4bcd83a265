package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/roster"
)

const runExample = `  siprotate run users.csv --dry-run
  siprotate run users.csv --canary 5
  siprotate run users.csv --yes --stop-after 2h --json
  siprotate run - --yes -o monday.run <users.csv
  siprotate run users.csv --sandbox
  siprotate run --all --exclude managers.csv --yes
  siprotate run --all --history . --older-than 90d --stop-after 1h --yes`

const runLong = `Run rotates the rows of INPUT, a CSV file, or with --all every SIP device of the
account. Rows without a password get a generated one.

A row names its device by user_id and device_id, or by its sip_id, its email or
its user_id. The latter are looked up in the account, within the allowance: in
groups of 25, or by listing the account, whichever takes fewer requests. The
dry run says how many that are; it sends none of them.

The whole input is checked before any password is sent. All passwords are
written to the run directory before the first of them. The same command again
goes on with an unfinished run; it never starts a run over.

With --all, each rotation is a run of its own, in all-DATE.run. An unfinished one
in the current folder, with the same --exclude and --older-than, is gone on with
first, as it was planned, also on a later date.`

func newRun(a *app) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:     "run [INPUT]",
		Short:   "rotate the rows of INPUT (a CSV file, or - for standard input), or --all",
		Long:    runLong,
		Example: runExample,
		Args:    func(cmd *cobra.Command, args []string) error { return o.checkInput(cmd, args) },
		RunE:    func(cmd *cobra.Command, args []string) error { return a.rotate(cmd.Context(), args, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "the run directory (default INPUT's name with .run for .csv, in the current folder; all-DATE.run for --all)")
	f.BoolVar(&o.all, "all", false, "rotate every SIP device of the account, instead of INPUT")
	f.StringVar(&o.exclude, "exclude", "", "with --all: leave out the users and devices that this CSV file names")
	f.StringVar(&o.history, "history", "", "with --all and --older-than: the folder with the run directories of earlier runs")
	f.Var(&o.olderThan, "older-than", "leave out what a run in the history rotated less than this ago, such as 90d")
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

// checkInput checks what says which devices to rotate.
func (o *options) checkInput(cmd *cobra.Command, args []string) error {
	switch {
	case !o.all && (o.exclude != "" || o.history != "" || o.olderThan != 0):
		return usagef("", "--exclude, --history and --older-than are for --all")
	case !o.all:
		return oneArg("INPUT", "a CSV file, or - for standard input")(cmd, args)
	case len(args) > 0:
		return usagef("", "--all takes the place of INPUT: give one of them")
	case o.sandbox:
		return usagef("`siprotate sandbox` serves one with users of its own", "the built-in stand-in holds the input's users, and --all has no input")
	case (o.history == "") != (o.olderThan == 0):
		return usagef("", "--history and --older-than go together")
	}
	return nil
}

// A rotation is one call of run: what to rotate, where, and how.
type rotation struct {
	*app
	o   *options
	s   settings
	acc endpoint
	src source
	all *selection // nil for an INPUT
	al  *allowance // nil for a dry run
}

// rotate runs INPUT or --all, or goes on with its unfinished run.
func (a *app) rotate(ctx context.Context, args []string, o *options) error {
	r, err := a.newRotation(args, o)
	if err != nil {
		return err
	}
	if o.dryRun {
		return r.dryRun()
	}
	if r.al, err = a.allowance(ctx, r.acc, r.s, runHolder(o.out), o.wait); err != nil {
		return err
	}
	defer r.al.done()
	j, err := r.reopen()
	if err == nil && j == nil {
		if err = r.al.prime(nil, time.Time{}); err == nil {
			j, err = r.plan(ctx)
		}
	}
	switch {
	case errors.Is(err, errNothing):
		a.say("%v", err)
		return nil
	case err != nil:
		return err
	}
	return a.execute(ctx, j, r.al, r.acc, r.s, o)
}

// newRotation checks what can be checked without a request.
func (a *app) newRotation(args []string, o *options) (*rotation, error) {
	r := &rotation{app: a, o: o}
	var err error
	if r.s, err = o.settings(); err != nil {
		return nil, err
	}
	if r.acc, err = a.account(o); err != nil {
		return nil, err
	}
	if !o.sandbox {
		// Bad credentials are told before anything else is done.
		if _, err := a.client(r.acc, r.s.config.Workers); err != nil {
			return nil, err
		}
	}
	if o.all {
		err = r.selectAll()
	} else {
		r.src, err = a.source(args[0])
	}
	if o.out == "" {
		o.out = r.src.out
	}
	return r, err
}

// dryRun says what a run would do.
func (r *rotation) dryRun() error {
	defer r.say("dry run: nothing was sent and nothing was written")
	v, done, err := journal.Read(r.o.out)
	switch {
	case err == nil:
		defer done()
		return r.mayGoOn(v, r.s.pace.Rate.Estimate)
	case !errors.Is(err, journal.ErrNoRun) && !errors.Is(err, journal.ErrUnplanned):
		return dirError(err, r.o.out)
	}
	if r.all != nil {
		r.say("--all: the account is listed first, one request for 50 users; `siprotate users` shows whom that finds")
		return nil
	}
	l := lookups{also: func(*batch.Row) {}}
	sum, err := r.src.check(r.o, l.collect)
	if err != nil {
		return err
	}
	r.sayPlan(sum, r.s.pace.Rate.Estimate)
	if !l.wanted.Empty() {
		r.sayCost(&l.wanted)
	}
	return nil
}

// reopen opens the unfinished run of the same input and account, if the run
// directory holds one. A run of another kind there is an error.
func (r *rotation) reopen() (*journal.Journal, error) {
	if !journal.Exists(r.o.out) {
		return nil, nil
	}
	j, err := open(r.o.out, r.s)
	if errors.Is(err, journal.ErrUnplanned) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = r.al.prime(j.Recent(), j.Held())
	if err == nil {
		err = r.mayGoOn(&j.View, r.al.Estimate)
	}
	if err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// mayGoOn refuses to go on with a run of another input or account, or with one
// that is finished.
func (r *rotation) mayGoOn(v *journal.View, estimate func(int) time.Duration) error {
	info, out := v.Info(), r.o.out
	sum, err := r.src.sum()
	if err != nil {
		return usage(err, "")
	}
	if sum != info.SHA256 {
		return usagef(fmt.Sprintf("name another folder with -o; `siprotate resume %s` goes on with the run that is there", out),
			"%s holds a run of another input (%s)", out, info.Input)
	}
	if err := sameAccount(info.Head, r.acc, out); err != nil {
		return err
	}
	pending, _ := v.Pending(false)
	if pending == 0 && reported(out) {
		hint := "for a new rotation name another folder with -o"
		if failed, _ := v.Pending(true); failed > 0 {
			hint += fmt.Sprintf("; `siprotate resume %s --retry-failed` sends its failed rows again", out)
		}
		return usagef(hint, "the run in %s is finished", out)
	}
	r.say("going on with the run in %s: %s of %s to send", out, thousands.Sprint(pending), count(info.Rows, "row"))
	r.sayEstimate(pending, r.s, estimate)
	return nil
}

// errNothing says that a rotation of all devices has none to rotate.
var errNothing = errors.New("nothing to rotate")

// plan checks the input, asks, and writes the plan.
func (r *rotation) plan(ctx context.Context) (*journal.Journal, error) {
	if r.all != nil {
		if err := r.snapshot(ctx); err != nil {
			return nil, err
		}
	}
	checked, err := r.check(ctx)
	if err != nil {
		return nil, err
	}
	r.sayPlan(checked.Summary, r.al.Estimate)
	if !r.o.yes && !r.o.sandbox {
		if err := r.confirm(ctx, "Rotate "+count(checked.Rows-checked.Refused, "password")+" now?"); err != nil {
			return nil, err
		}
	}
	return r.writePlan(checked)
}

func (r *rotation) writePlan(checked checked) (*journal.Journal, error) {
	p, err := journal.Create(r.o.out, journal.Head{
		Run: newRunID(), Tool: tool(), Account: r.acc.sid, Host: r.acc.host(), Input: r.src.name,
	})
	if err != nil {
		return nil, dirError(err, r.o.out)
	}
	planned, err := r.src.read(r.o, r.o.generate, checked.find, p)
	if err == nil && planned.SHA256 != checked.SHA256 {
		err = usagef("run it again once nothing writes the file any more; nothing was sent", "%s changed while it was read", r.src.name)
	}
	var exit *exitError
	if err != nil && !errors.As(err, &exit) {
		err = &exitError{exitFailure, err, "nothing was sent"}
	}
	if err != nil {
		return nil, errors.Join(err, p.Discard())
	}
	j, err := p.Seal(cmp.Or(r.src.id, planned.SHA256), planned.Columns)
	if err != nil {
		// A plan whose sync failed would read as whole, and might not be on disk.
		return nil, &exitError{exitFailure, errors.Join(err, p.Discard()), "nothing was sent"}
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
func (r *rotation) sayPlan(sum roster.Summary, estimate func(int) time.Duration) {
	rows := sum.Rows - sum.Refused
	what := count(sum.Rows, "row") + ": " + count(rows-sum.Generated, "password") + " given, " + thousands.Sprint(sum.Generated) + " to be generated"
	if sum.Refused > 0 {
		what += "; invalid and left out: " + count(sum.Refused, "row")
	}
	r.say("%s", what)
	r.say("account %s at %s, run directory %s", r.acc.sid, r.acc.host(), r.o.out)
	r.sayEstimate(rows, r.s, estimate)
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
	var path *fs.PathError
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
		return usage(err, "the folder and its files hold passwords and must be yours alone: chmod -R go= makes them so; or name another one with -o")
	case errors.Is(err, journal.ErrNotAJournal):
		return usage(err, "use the version of siprotate that wrote it")
	case errors.As(err, &damage):
		return &exitError{exitFailure, err, "nothing was sent; the passwords in the journal can still be read; put back an undamaged copy of the file"}
	case errors.As(err, &path) && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO):
		return usage(err, "name another folder with -o; nothing was sent")
	}
	return &exitError{exitFailure, err, "nothing was sent"}
}

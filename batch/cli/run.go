package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/roster"
	"siprotate/batch/rotation"
	"siprotate/exotel"
	"siprotate/report"
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
resumes an unfinished run; it never starts a run over.

With --all, each rotation is a run of its own, in all-DATE.run. An unfinished one
in the current folder, with the same --exclude and --older-than, is resumed first,
as it was planned, also on a later date.`

type runFlags struct {
	accountFlags
	sendFlags
	proveFlags
	out         string
	all         bool
	exclude     string
	history     string
	olderThan   age
	sandbox     bool
	dryRun      bool
	yes         bool
	skipInvalid bool
	sealTo      []string
}

func newRun(a *app) *cobra.Command {
	o := &runFlags{}
	cmd := &cobra.Command{
		Use:     "run [INPUT]",
		Short:   "rotate the rows of INPUT (a CSV file, or - for standard input), or --all",
		Long:    runLong,
		Example: runExample,
		Args:    o.checkInput,

		ValidArgsFunction: cobra.FixedCompletions([]string{"csv"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.rotate(cmd, args, o) },
	}
	f := a.group(cmd, "What")
	f.StringVarP(&o.out, "out", "o", "", "the run directory (default INPUT's name with .run for .csv, in the current folder; all-DATE.run for --all)")
	f.BoolVar(&o.all, "all", false, "rotate every SIP device of the account, instead of INPUT")
	f.StringVar(&o.exclude, "exclude", "", "with --all: leave out the users and devices that this CSV file names")
	f.StringVar(&o.history, "history", "", "with --all and --older-than: the folder with the run directories of earlier runs")
	f.Var(&o.olderThan, "older-than", "leave out what a run in the history rotated less than this ago, such as 90d")
	f.StringArrayVar(&o.sealTo, "seal-to", nil, sealToUsage)
	f.BoolVar(&o.skipInvalid, "skip-invalid", false, "report invalid rows as such and rotate the others")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "check everything, say what would be done, send nothing, write nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.sandbox, "sandbox", false, "run against a built-in stand-in of the API that holds the input's users")
	o.sendFlags.add(a.group(cmd, "Pace"), a.group(cmd, "Stop rules"), a.group(cmd, "Output"))
	o.proveFlags.add(a.group(cmd, "Proof"), a.group(cmd, "Waves"))
	o.accountFlags.add(a.group(cmd, "Account"))
	a.joinGroups(cmd)
	return cmd
}

func (o *runFlags) checkInput(cmd *cobra.Command, args []string) error {
	if o.sandbox && (o.sid != "" || o.region != "" || o.baseURL != "") {
		return usagef("`siprotate sandbox` serves a stand-in at an address of its own", "--sandbox has an account of its own: it takes no --account-sid, --region or --base-url")
	}
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

// rotate runs INPUT or --all, or resumes its unfinished run.
func (a *app) rotate(cmd *cobra.Command, args []string, o *runFlags) error {
	ctx := cmd.Context()
	var err error
	e := sandboxEndpoint
	if !o.sandbox {
		if e, err = a.endpoint(o.accountFlags); err != nil {
			return err
		}
	}
	if o.prove != "" && !o.sandbox {
		if err := a.keepRegistrar(cmd.Flags()); err != nil {
			return err
		}
	}
	r := rotation.Rotation{SkipInvalid: o.skipInvalid, Settings: settingsOf(e, cmd.Flags())}
	if err := o.sendFlags.apply(a, e, &r); err != nil {
		return err
	}
	// Bad credentials are reported before anything else is done.
	if !o.sandbox && !o.dryRun {
		if r.Client, err = a.client(e, r.Engine.Workers); err != nil {
			return err
		}
	}
	if r.Vault, err = a.sealTo(ctx, o.sealTo); err != nil {
		return err
	}
	src, err := a.source(ctx, args, o, e)
	if err != nil {
		return err
	}
	if r.Dir = o.out; r.Dir == "" {
		r.Dir = a.directory(args, o, src, e)
	}
	if err := begunWith(r.Dir, src, e.Account).apply(cmd.Flags()); err != nil {
		return err
	}
	r.Engine.Canary = o.canary
	var local func() (rotation.Proofs, error)
	if o.sandbox {
		r.Replace = o.out == ""
		if r.Client, local, err = standIn(src.Rows()); err != nil {
			return err
		}
	}
	if err := o.proveFlags.apply(a, &r, e, local, o.dryRun); err != nil {
		return err
	}
	if o.dryRun {
		return a.preview(r.Preview(src))
	}
	if !o.yes && !o.sandbox {
		r.Confirm = a.confirm
	}
	return a.conclude(ctx, r, &o.sendFlags, func(ctx context.Context) (report.Digest, error) { return r.Run(ctx, src) })
}

func (a *app) source(ctx context.Context, args []string, o *runFlags, e endpoint) (rotation.Source, error) {
	if !o.all {
		return a.roster(ctx, args[0], checkPassword)
	}
	s := rotation.Selection{Young: time.Duration(o.olderThan)}
	if o.exclude != "" {
		exclude, err := a.roster(ctx, o.exclude, func(string) error { return nil }) // no password of it is used
		if err != nil && errors.As(err, new(*rotation.SourceError)) {
			return nil, usage(fmt.Errorf("--exclude: %w", err), "name a CSV file of the users and devices to leave out")
		}
		if err != nil {
			return nil, err
		}
		s.Exclude = exclude
	}
	if o.history != "" {
		var err error
		if s.History, err = a.readHistory(o.history, e.Account); err != nil {
			return nil, err
		}
	}
	return rotation.NewEverybody(s)
}

// roster returns the CSV that an argument names.
func (a *app) roster(ctx context.Context, arg string, check func(string) error) (*roster.Roster, error) {
	o := roster.Options{CheckPassword: check, CheckID: exotel.CheckID}
	var r *roster.Roster
	var err error
	if arg == "-" {
		r, err = roster.Reader("standard input", a.in, o)
	} else {
		r, err = roster.File(arg, o)
	}
	if err == nil {
		err = r.Settle(ctx)
	}
	if ctx.Err() != nil {
		return nil, batch.InterruptedBy(ctx)
	}
	if err != nil {
		return nil, &rotation.SourceError{Err: err}
	}
	return r, nil
}

// checkPassword is the vendor's policy, in words that follow a column's name.
func checkPassword(password string) error {
	if policy, ok := errors.AsType[*exotel.PolicyError](exotel.CheckPassword(password)); ok {
		return errors.New(strings.Join(policy.Faults, ", and "))
	}
	return nil
}

// directory returns the run directory where none is named: that of the input, or
// for --all the newest unfinished one of the same selection in the current
// folder.
func (a *app) directory(args []string, o *runFlags, src rotation.Source, e endpoint) string {
	if o.all {
		return a.directoryOfAll(src, e.Account)
	}
	stem := "stdin"
	if args[0] != "-" {
		stem = strings.TrimSuffix(filepath.Base(args[0]), ".csv")
	}
	if o.sandbox {
		stem += ".sandbox"
	}
	return stem + ".run"
}

func (a *app) directoryOfAll(src rotation.Source, acc rotation.Account) string {
	dirs, _ := filepath.Glob("all-*.run") // the pattern is sound
	slices.Sort(dirs)
	for _, dir := range slices.Backward(dirs) {
		switch _, unfinished, err := rotation.Holds(dir, src, acc); {
		case err != nil:
			a.say("warning: skipped: %v", err)
		case unfinished:
			return dir
		}
	}
	today := "all-" + time.Now().Format(time.DateOnly)
	dir := today + ".run"
	for n := 2; ; n++ {
		if holds, _, err := rotation.Holds(dir, src, acc); err != nil || holds || !journal.Exists(dir) {
			return dir
		}
		dir = fmt.Sprintf("%s-%d.run", today, n)
	}
}

// readHistory reads the runs in a folder, with errors for the user.
func (a *app) readHistory(folder string, acc rotation.Account) (*journal.History, error) {
	h, err := journal.ReadHistory(folder, acc.SID, acc.Host, "")
	switch {
	case err == nil:
		a.say("history: %s of the account in %s", count(h.Runs, "run"), folder)
		return h, nil
	case errors.Is(err, journal.ErrRun), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, usage(err, "--history wants the folder that holds run directories, such as . for the current one")
	}
	return nil, failure(fmt.Errorf("read the history: %w", err), "what that run rotated is not known; mend it, or move it out of "+folder)
}

func (a *app) preview(p rotation.Plan, err error) error {
	if err != nil {
		return err
	}
	a.sayPlan(p)
	a.say("dry run: nothing was sent and nothing was written")
	return nil
}

// conclude rotates, says how that ended, and passes its error on.
func (a *app) conclude(ctx context.Context, r rotation.Rotation, o *sendFlags, rotate func(context.Context) (report.Digest, error)) error {
	a.working.Store(&r.Dir)
	finishing := context.AfterFunc(ctx, func() {
		if a.runID.Load() != nil { // before, there is no password to wait for
			a.say("finishing the requests under way; interrupt again to stop at once")
		}
	})
	digest, ended := rotate(ctx)
	finishing()
	a.working.Store(nil)
	a.rest()
	if ended != nil && !errors.As(ended, new(*rotation.RunError)) {
		if errors.Is(ended, rotation.ErrNothing) {
			a.say("%v", ended)
		}
		if caught, ok := errors.AsType[*signalError](ended); ok {
			return &commandError{ended, caught.code(), "no password was sent"}
		}
		return ended
	}
	if digest.Summary.Rows == 0 { // the reports could not be written, or the journal is lost
		if ended != nil && o.onFinish != "" {
			reason := ended.Error()
			a.onFinish(o.onFinish, report.Summary{Account: r.Account.SID, Host: r.Account.Host, Stopped: &reason})
		}
		return ended
	}
	a.sayClosing(digest, a.nextCommand(r.Dir, digest.Summary))
	if n := digest.Summary.Refused; n > 0 {
		a.say("warning: the SIP registrar refuses %s; `%s` asks again, and writes those rows as an INPUT", count(n, "new password"), command("verify", r.Dir, "--refused-to", "again.csv"))
	}
	if o.json {
		if err := digest.Summary.Encode(a.out); err != nil {
			return failure(fmt.Errorf("write the summary: %w", err), "")
		}
	}
	if o.onFinish != "" {
		a.onFinish(o.onFinish, digest.Summary)
	}
	return ended
}

func (a *app) sayClosing(digest report.Digest, next string) {
	a.advised = next != "" && !a.quiet
	switch {
	case a.quiet:
	case a.log != nil:
		s := digest.Summary
		a.log.Info("the run rests", "rows", s.Rows, "rotated", s.Rotated, "failed", s.Failed, "unknown", s.Unknown,
			"invalid", s.Invalid, "not_attempted", s.NotAttempted, "requests", s.Requests, "next", next)
	default:
		digest.Closing(a.err, terminalWidth(a.err), next)
	}
}

// nextCommand is the command that goes on with a run, if there is anything left
// to do.
func (a *app) nextCommand(dir string, sum report.Summary) string {
	switch {
	case sum.Failed > 0:
		return a.resumeCommand(dir, "--retry-failed")
	case sum.NotAttempted+sum.Unknown > 0:
		return a.resumeCommand(dir)
	}
	return ""
}

// hookDelay is how long what the user's command leaves in the background may hold
// its output open.
const hookDelay = 2 * time.Second

// onFinish runs the user's command with the summary on its standard input. The
// exit code stays the run's.
func (a *app) onFinish(command string, sum report.Summary) {
	var text bytes.Buffer
	if err := sum.Encode(&text); err != nil {
		a.say("warning: --on-finish: %v", err)
		return
	}
	shell := shellCommand(command)
	shell.WaitDelay = hookDelay
	shell.Stdin, shell.Stdout, shell.Stderr = &text, a.err, a.err
	if a.log != nil {
		log := a.log.With("from", "on-finish")
		output := &lineWriter{say: func(line string) { log.Info(report.Sanitize(line)) }}
		defer output.finish()
		shell.Stdout, shell.Stderr = output, output
	}
	// It may hand passwords out: what opens a sealed run stays.
	shell.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "EXOTEL_API_") })
	if err := shell.Run(); err != nil {
		a.say("warning: --on-finish: %v", err)
	}
}

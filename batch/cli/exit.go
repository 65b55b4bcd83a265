package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"siprotate/batch"
	"siprotate/batch/account"
	"siprotate/batch/handout"
	"siprotate/batch/journal"
	"siprotate/batch/roster"
	"siprotate/batch/rotation"
	"siprotate/batch/vault"
	"siprotate/report"
)

// The exit codes. Programs rely on them.
const (
	exitOK         = 0 // every row was rotated
	exitFailure    = 1 // an unexpected failure; the run can be resumed
	exitUsage      = 2 // usage, or invalid input; nothing was sent
	exitUnfinished = 3 // finished, but some rows were not rotated
	exitStopped    = 4 // stopped early; can be resumed
	exitNothing    = 5 // nothing was done: the run is finished already
	exitBusy       = 6 // another process is at work on the run or the account
	exitSignal     = 128
)

// A commandError is an error whose exit code and hint are known where it arises.
type commandError struct {
	err  error
	code int
	hint string
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

// usage is the error of a command that makes no sense.
func usage(err error, hint string) error { return &commandError{err, exitUsage, hint} }

func usagef(hint, format string, args ...any) error {
	return usage(fmt.Errorf(format, args...), hint)
}

// failure is an unexpected error of which there is something to say.
func failure(err error, hint string) error { return &commandError{err, exitFailure, hint} }

var errTooOld = errors.New("some devices are too old, or were never rotated")

// knownErrors are those that need no look inside: their exit codes, and the advice
// that follows them.
var knownErrors = []struct {
	err  error
	code int
	hint string
}{
	{rotation.ErrNothing, exitOK, ""},
	{errTooOld, exitUnfinished, ""},
	{errOldAccepted, exitUnfinished, ""},
	{errOldUnproved, exitUnfinished, ""},
	{errUndelivered, exitUnfinished, ""},
	{rotation.ErrRefused, exitUnfinished, "--refused-to FILE writes those rows as an INPUT, to set them again"},
	{rotation.ErrNotAdopted, exitUnfinished, "`siprotate verify` asks again"},
	{rotation.ErrUnproved, exitUnfinished, "`siprotate verify` asks again"},
	{rotation.ErrGateClosed, exitUsage, "`siprotate resume` asks at the gate again, as the run was begun; with --waves and --gate '' it goes on without one"},
	{rotation.ErrChanged, exitUsage, "run it again once nothing writes the file any more; nothing was sent"},
	{account.ErrBusy, exitBusy, "both would spend the same allowance; --wait waits until the other is done, and `siprotate report` on its run directory shows how far it is"},
	{handout.ErrBusy, exitBusy, "wait until it is done"},
	{report.ErrBusy, exitBusy, "wait until it is done"},
	{journal.ErrVault, exitUsage, "a run goes on as it began: give the same --seal-to as at first, or none if there was none; `siprotate resume` needs none"},
	{journal.ErrPurged, exitUsage, "it can be reported, and counts in a history; a new rotation is another `siprotate run`, into another folder"},
	{journal.ErrUnfinished, exitUsage, "`siprotate resume` settles them; --force purges the run as it is, and nobody will know those passwords"},
	{vault.ErrMoved, exitFailure, "somebody changed the journal: put back the copy that was written"},
	{journal.ErrUnplanned, exitUsage, "run the same `siprotate run` command again"},
	{journal.ErrNoRun, exitUsage, "name the folder that `siprotate run` made, such as users.run"},
	{journal.ErrLocked, exitBusy, "wait until it is done; `siprotate report` on it shows how far it is"},
	{journal.ErrNotEmpty, exitUsage, "name a new folder with -o"},
	{journal.ErrUnsafe, exitUsage, "the folder and its files hold passwords and must be yours alone: chmod -R go= makes them so; or name another one with -o"},
	{journal.ErrNotAJournal, exitUsage, "use the version of siprotate that wrote it"},
}

// explain maps what a command ended with to the exit code, and to the advice that
// follows the error. All exit codes are chosen in this file.
func (a *app) explain(err error) (code int, hint string) {
	var (
		caught  *signalError
		told    *commandError
		run     *rotation.RunError
		input   *rotation.InputError
		column  *rotation.ColumnError
		listing *rotation.ListError
	)
	switch {
	case err == nil:
		return exitOK, ""
	case errors.As(err, &run):
		return a.explainRun(run)
	case errors.As(err, &told):
		return told.code, told.hint
	case errors.As(err, &caught):
		return caught.code(), ""
	case errors.As(err, new(*rotation.PlanError)):
		return exitFailure, "nothing was sent"
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.err) {
			return known.code, known.hint
		}
	}
	switch {
	case errors.As(err, &column):
		return exitUsage, "the columns besides those that name devices are: " + cmp.Or(strings.Join(column.Columns, ", "), "none")
	case errors.As(err, &input):
		hint = "nothing was sent"
		if input.Sound > 0 { // skipping leaves rows to rotate
			hint += "; --skip-invalid rotates the good rows and reports the others"
		}
		return exitUsage, withAdvice(input, hint)
	case errors.Is(err, roster.ErrFolder):
		return exitUsage, adviceOf(err) + "; to go on with a run: siprotate resume RUN-DIR"
	case errors.As(err, new(*rotation.SourceError)):
		return exitUsage, adviceOf(err)
	case errors.As(err, new(*batch.Faults)):
		return exitUsage, "no password was sent"
	case errors.As(err, &listing) && batch.IsFatal(listing):
		return exitStopped, withAdvice(listing, "no password was sent")
	case errors.As(err, &listing):
		return exitFailure, withAdvice(listing, "no password was sent")
	case errors.As(err, new(*batch.Stop)):
		return exitStopped, ""
	}
	return a.explainDirectory(err)
}

const rescueHint = "rotate what the rescue file holds again: it is an INPUT"

// explainRun explains why a run that had begun did not rotate every row.
func (a *app) explainRun(run *rotation.RunError) (code int, hint string) {
	var (
		caught *signalError
		stop   *batch.Stop
		lost   *rotation.LostError
	)
	errors.As(run, &stop)
	switch {
	case run.Err == rotation.ErrIncomplete:
		return exitUnfinished, ""
	case errors.As(run, &lost) && lost.Rescue == "":
		return exitFailure, "if the run directory was moved: put it back and resume it"
	case errors.As(run, &lost):
		return exitFailure, rescueHint + "; or, if the run directory was moved, put it back and resume it"
	case stop == nil || run.Err != error(stop) || stop.Reason == batch.Broken:
		if a.advised {
			return exitFailure, "nothing that was sent is lost; resume the run once the cause is mended"
		}
		return exitFailure, "nothing that was sent is lost; once the cause is mended: " + a.resumeCommand(run.Dir)
	case errors.As(run, &caught):
		return caught.code(), ""
	}
	if advice := adviceOf(stop); advice != "" {
		return exitStopped, advice
	}
	if stop.Reason == batch.GateClosed {
		return exitStopped, "`" + a.resumeCommand(run.Dir) + "` asks at the gate again, and takes another --gate or --gate-wait; `siprotate verify` says whose phones are not back"
	}
	if a.advised {
		return exitStopped, ""
	}
	return exitStopped, "to go on: " + a.resumeCommand(run.Dir)
}

// explainDirectory explains an error of a run directory, or one that nobody expects.
func (a *app) explainDirectory(err error) (code int, hint string) {
	var (
		finished *rotation.FinishedError
		other    *rotation.OtherSourceError
		damage   *journal.DamageError
		path     *fs.PathError
	)
	switch {
	case errors.As(err, &finished):
		hint = "a new rotation is another `siprotate run`, with another folder for -o"
		if finished.Failed > 0 {
			hint += "; `" + a.resumeCommand(finished.Dir, "--retry-failed") + "` sends its failed rows again"
		}
		return exitNothing, hint
	case errors.As(err, &other):
		return exitUsage, "name another folder with -o; `" + a.resumeCommand(other.Dir) + "` resumes the run that is there, if it is not finished"
	case errors.As(err, new(*rotation.AccountError)):
		return exitUsage, "a run can be resumed only on its own account: see the flags and the variables EXOTEL_ACCOUNT_SID, EXOTEL_REGION and EXOTEL_BASE_URL; for another account name another folder with -o"
	case errors.As(err, new(*journal.RescuedError)):
		return exitFailure, rescueHint
	case errors.As(err, &damage):
		hint = "this command sent nothing; put back an undamaged copy of the file"
		if damage.Offset > 0 {
			hint += "; `" + command("credentials", filepath.Dir(damage.Path), "--damaged") + "` hands out the passwords that are left"
		}
		return exitFailure, hint
	case errors.As(err, &path) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO)):
		return exitFailure, "nothing was sent"
	case errors.As(err, &path):
		return exitUsage, "name another folder with -o; nothing was sent"
	}
	return exitFailure, ""
}

// adviceOf returns what the error itself says that can be done.
func adviceOf(err error) string {
	var advice interface{ Hint() string }
	if errors.As(err, &advice) {
		return advice.Hint()
	}
	return ""
}

// withAdvice puts what the error itself says, if anything, before a hint.
func withAdvice(err error, hint string) string {
	return strings.TrimPrefix(adviceOf(err)+"\n"+hint, "\n")
}

// complain prints an error, one line for each of its lines, then the hint, or logs
// both as one record, and returns the exit code. What the closing words have said
// is not said again.
func (a *app) complain(err error) int {
	code, hint := a.explain(err)
	silent := code == exitOK || errors.Is(err, rotation.ErrIncomplete) || errors.Is(err, errTooOld) ||
		code > exitSignal && errors.As(err, new(*rotation.RunError))
	switch {
	case a.log != nil && !(silent && hint == ""):
		a.log.Error(sanitizeLines("", err.Error()), "hint", sanitizeLines("", hint), "exit_code", code)
		return code
	case !silent:
		fmt.Fprintln(a.err, sanitizeLines("siprotate: ", err.Error()))
	}
	if hint != "" {
		fmt.Fprintln(a.err, sanitizeLines("hint: ", hint))
	}
	return code
}

// sanitizeLines makes each line of a text harmless, and puts a prefix before it.
func sanitizeLines(prefix, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = prefix + report.Sanitize(line)
	}
	return strings.Join(lines, "\n")
}

// resumeCommand returns the command that resumes a run, as it works in the shell
// that this program was started from: where the environment names another account,
// or the run another address, it says which one is meant.
func (a *app) resumeCommand(dir string, flags ...string) string {
	if strings.HasPrefix(dir, "-") {
		dir = "./" + dir // it is no flag
	}
	words := append([]string{"resume", dir}, flags...)
	if a.at.SID == "" || a.at == sandboxEndpoint {
		return command(words...)
	}
	if sid := a.getenv("EXOTEL_ACCOUNT_SID"); sid != "" && sid != a.at.SID {
		words = append(words, "--account-sid", a.at.SID)
	}
	if a.strays(dir) {
		words = append(words, "--base-url", a.at.baseURL)
	}
	return command(words...)
}

// strays reports whether a resume without flags would take another base URL than
// the one at work.
func (a *app) strays(dir string) bool {
	if base := a.getenv("EXOTEL_BASE_URL"); base != "" {
		return base != a.at.baseURL
	}
	head, err := journal.ReadHead(dir)
	return err == nil && readSettings(head).BaseURL != a.at.baseURL
}

// command returns a command of this program as it can be typed into a shell.
func command(words ...string) string {
	line := "siprotate"
	for _, word := range words {
		line += " " + quote(word)
	}
	return line
}

// A signalError is a signal that asks the program to end.
type signalError struct{ signal syscall.Signal }

// signalNames are the signals that end the program, by their names.
var signalNames = map[syscall.Signal]string{
	syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP", syscall.SIGQUIT: "SIGQUIT",
}

func (e *signalError) Error() string { return signalNames[e.signal] }

func (e *signalError) code() int { return exitSignal + int(e.signal) }

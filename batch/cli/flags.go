package cli

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"siprotate/batch"
	"siprotate/batch/account"
	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/exotel"
	"siprotate/report"
)

// The bounds of flags, where their packages do not set them.
const (
	maxWorkers = 1024
	minTimeout = time.Millisecond
	maxTimeout = time.Hour
)

// Account flags say whose devices, and where the API is.
type accountFlags struct {
	sid     string
	region  string
	baseURL string
}

func (o *accountFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.sid, "account-sid", "", "the account (default $EXOTEL_ACCOUNT_SID)")
	f.StringVar(&o.region, "region", "", "the account's region, singapore or mumbai (default $EXOTEL_REGION, or singapore)")
	f.StringVar(&o.baseURL, "base-url", "", "where the API is, for a proxy or a test (default $EXOTEL_BASE_URL, or the region's)")
}

// Pace flags are those of every command that asks the API for something.
type paceFlags struct {
	rate        string
	even        bool
	wait        bool
	timeout     time.Duration
	maxAttempts int
	verbose     bool
	quiet       bool
	logFormat   string
}

func (o *paceFlags) add(f, output *pflag.FlagSet) {
	f.StringVar(&o.rate, "rate", "auto", "the allowance: N per window such as 50/m, 5/s, 600/h, 50/5s, or unlimited; auto: 50/m, or what the API advertises")
	f.BoolVar(&o.even, "even", false, "spread requests evenly, for accounts that share the allowance with other programs")
	f.BoolVar(&o.wait, "wait", false, "wait while another run on the account is at work")
	f.DurationVar(&o.timeout, "timeout", batch.DefaultTimeout, "time for one request")
	f.IntVar(&o.maxAttempts, "max-attempts", batch.DefaultAttempts, "attempts for one row or page; 429s do not count as attempts")
	output.BoolVarP(&o.verbose, "verbose", "v", false, "log every request to standard error")
	output.BoolVarP(&o.quiet, "quiet", "q", false, "say nothing but errors")
	output.StringVar(&o.logFormat, "log-format", "text", "text, or json: what is said and logged as JSON lines, for machines")
}

// Send flags are those that run and resume share.
type sendFlags struct {
	paceFlags
	workers        string
	passwordLength int
	canary         int
	maxFailures    string
	stopAfter      time.Duration
	json           bool
	by             string
	bom            bool
	formats        []string
	onFinish       string
}

func (o *sendFlags) add(f, stop, output *pflag.FlagSet) {
	o.paceFlags.add(f, output)
	f.StringVar(&o.workers, "workers", "auto", "requests under way at once; auto: as many as spend a free allowance at once, up to 50")
	output.IntVar(&o.passwordLength, "password-length", rotation.DefaultLength, "characters of a generated password")
	stop.IntVar(&o.canary, "canary", 0, "so many rows go first; any that is not rotated stops the run")
	stop.StringVar(&o.maxFailures, "max-failures", "", "stop once so many rows failed: N, or N% of those finished (default ten in a row)")
	stop.Var((*window)(&o.stopAfter), "stop-after", "stop taking rows after this time, such as 2h or 90m")
	output.BoolVar(&o.json, "json", false, "print the summary as JSON on standard output")
	output.StringVar(&o.by, "by", "", "count rows by the values of this column of the input, too, such as team")
	output.StringSliceVar(&o.formats, "format", nil, "write this report, too: jsonl, html or prometheus; may be repeated")
	output.BoolVar(&o.bom, "bom", runtime.GOOS == "windows", "begin CSV files with a byte order mark, for Excel on Windows")
	output.StringVar(&o.onFinish, "on-finish", "", "a command to run once the run comes to rest, with the summary as JSON on its standard input")
}

// apply checks the flags and enters them into a rotation on an account.
func (o *paceFlags) apply(a *app, e endpoint, r *rotation.Rotation) error {
	a.at, a.quiet, r.Account = e, o.quiet, e.Account
	switch o.logFormat {
	case "text":
	case "json":
		a.log = a.jsonLog(slog.LevelInfo)
	default:
		return flagError("log-format", o.logFormat, errors.New("want text or json"))
	}
	r.Pace = pace.Options{Rate: rotation.DefaultRate, Learn: true, Even: o.even}
	if o.rate != "auto" {
		var err error
		r.Pace.Learn = false
		if r.Pace.Rate, err = pace.ParseRate(o.rate); err != nil {
			return flagError("rate", o.rate, err)
		}
	}
	r.Engine.Timeout, r.Engine.MaxAttempts, r.Engine.Logger = o.timeout, o.maxAttempts, a.logger(o.verbose)
	r.Wait, r.Events, r.Tool = o.wait, a.hear, tool()
	if e.Host != sandboxHost {
		r.State = account.Folder(a.getenv)
	} else if _, err := a.region(""); err != nil {
		a.say("warning: EXOTEL_REGION: %v; the sandbox has none", err)
	}
	return errors.Join(
		checkRange("timeout", "time", o.timeout, minTimeout, maxTimeout),
		checkRange("max-attempts", "number", o.maxAttempts, 1, 1000),
	)
}

func (o *sendFlags) apply(a *app, e endpoint, r *rotation.Rotation) (err error) {
	if err := o.paceFlags.apply(a, e, r); err != nil {
		return err
	}
	r.By, r.BOM = o.by, o.bom
	formats, err := parseFormats(o.formats)
	if err != nil {
		return err
	}
	r.Formats = addFormats(report.Formats, formats...)
	c := &r.Engine
	c.Canary, c.StopAfter = o.canary, o.stopAfter
	if c.Workers, err = parseWorkers(o.workers); err != nil {
		return err
	}
	if o.maxFailures != "" {
		if c.MaxFailures, err = batch.ParseThreshold(o.maxFailures); err != nil {
			return flagError("max-failures", o.maxFailures, err)
		}
	}
	r.Generate = func() (string, error) { return exotel.Generate(rand.Reader, o.passwordLength) }
	return errors.Join(
		checkRange("canary", "number", o.canary, 0, 1<<30),
		checkRange("password-length", "number", o.passwordLength, exotel.MinGeneratedLength, exotel.MaxGeneratedLength),
	)
}

// checkRange checks the value of a flag, a number or a time.
func checkRange[T cmp.Ordered](flag, what string, is, min, max T) error {
	if is < min || is > max {
		return usagef("", "--%s %v: want a %s from %v to %v", flag, is, what, min, max)
	}
	return nil
}

func flagError(flag, value string, err error) error {
	return usage(fmt.Errorf("--%s %q: %w", flag, value, err), "")
}

func oneArg(name, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("siprotate "+cmd.Name()+" --help shows examples", "want one %s (%s), got %d", name, what, len(args))
		}
		return nil
	}
}

// parseWorkers reads a number of workers, or auto, which is 0.
func parseWorkers(text string) (int, error) {
	if text == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxWorkers {
		return 0, usagef("", "--workers %s: want auto, or a number from 1 to %d", text, maxWorkers)
	}
	return n, nil
}

// A window is a duration above 0, the value of a flag; zero is none.
type window time.Duration

func (w *window) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("want a time above 0, such as 2h or 90m")
	}
	*w = window(d)
	return nil
}

// String returns the window as Set reads it.
func (w *window) String() string {
	if *w == 0 {
		return ""
	}
	return time.Duration(*w).String()
}

func (*window) Type() string { return "duration" }

// An age is a duration that may begin with days: 90d, 1d12h, 36h. It is the
// value of a flag; the zero age is none.
type age time.Duration

const (
	day    = 24 * time.Hour
	maxAge = 36500 * day // keeps ages clear of overflow
)

var errAge = errors.New("want an age above 0, such as 90d, 36h or 1d12h")

func (a *age) Set(text string) error {
	var sum time.Duration
	days, rest, found := strings.Cut(text, "d")
	if !found {
		rest = text
	} else {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errAge
		}
		sum = time.Duration(n) * day
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return errAge
		}
		sum += d
	}
	if sum <= 0 || sum > maxAge {
		return errAge
	}
	*a = age(sum)
	return nil
}

// String returns the age as Set reads it.
func (a *age) String() string {
	d := time.Duration(*a)
	if d == 0 {
		return ""
	}
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

func (*age) Type() string { return "age" }

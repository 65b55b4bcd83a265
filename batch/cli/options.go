package cli

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"siprotate/batch"
	"siprotate/batch/pace"
	"siprotate/exotel"
)

// Options are the flags of the commands that send.
type options struct {
	out            string
	accountSID     string
	region         string
	baseURL        string
	sandbox        bool
	rate           string
	even           bool
	wait           bool
	workers        int
	timeout        time.Duration
	maxAttempts    int
	passwordLength int
	dryRun         bool
	yes            bool
	canary         int
	all            bool
	exclude        string
	history        string
	olderThan      age
	maxFailures    string
	stopAfter      time.Duration
	skipInvalid    bool
	retryFailed    bool
	json           bool
	verbose        bool
}

const (
	defaultWorkers  = 8
	defaultTimeout  = 30 * time.Second
	defaultAttempts = 6
	defaultLength   = 20

	maxWorkers = 1024
	minTimeout = time.Millisecond
	maxTimeout = time.Hour
)

// autoRate is the allowance that the vendor grants every account.
var autoRate = pace.Rate{N: 50, Per: time.Minute}

func (o *options) accountFlags(f *pflag.FlagSet) {
	f.StringVar(&o.accountSID, "account-sid", "", "the account (default $EXOTEL_ACCOUNT_SID)")
	f.StringVar(&o.region, "region", "", "the account's region, singapore or mumbai (default $EXOTEL_REGION, or singapore)")
	f.StringVar(&o.baseURL, "base-url", "", "where the API is, for a proxy or a test (default $EXOTEL_BASE_URL, or the region's)")
}

// paceFlags are the flags of every command that asks the API for something.
func (o *options) paceFlags(f *pflag.FlagSet) {
	f.StringVar(&o.rate, "rate", "auto", "the allowance: N per window such as 50/m, 5/s, 600/h, 50/5s, or unlimited; auto: 50/m, or what the API advertises")
	f.BoolVar(&o.even, "even", false, "spread requests evenly, for accounts that share the allowance with other programs")
	f.BoolVar(&o.wait, "wait", false, "wait while another run on the account is at work")
	f.DurationVar(&o.timeout, "timeout", defaultTimeout, "time for one request")
	f.IntVar(&o.maxAttempts, "max-attempts", defaultAttempts, "tries for one row or page; waiting out a 429 is no try")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log every request to standard error")
}

// sendFlags are the flags that run and resume share.
func (o *options) sendFlags(f *pflag.FlagSet) {
	o.paceFlags(f)
	f.IntVar(&o.workers, "workers", defaultWorkers, "requests under way at once")
	f.IntVar(&o.passwordLength, "password-length", defaultLength, "characters of a generated password")
	f.IntVar(&o.canary, "canary", 0, "so many rows go first; any that is not rotated stops the run")
	f.StringVar(&o.maxFailures, "max-failures", "", "stop once so many rows failed: N, or N% of those finished (default ten in a row)")
	f.DurationVar(&o.stopAfter, "stop-after", 0, "stop taking rows after this time, such as 2h")
	f.BoolVar(&o.json, "json", false, "print the summary as JSON on standard output")
}

// A plan of how to send, from checked flags.
type settings struct {
	config  batch.Config
	pace    pace.Options
	timeout time.Duration
}

// pacing checks the flags of paceFlags.
func (o *options) pacing() (settings, error) {
	s := settings{timeout: o.timeout, pace: pace.Options{Rate: autoRate, Learn: true, Even: o.even}}
	s.config.MaxAttempts = o.maxAttempts
	if o.rate != "auto" {
		var err error
		s.pace.Learn = false
		if s.pace.Rate, err = pace.ParseRate(o.rate); err != nil {
			return s, flagError("rate", o.rate, err)
		}
	}
	if o.timeout < minTimeout || o.timeout > maxTimeout {
		return s, usagef("", "--timeout %v: want a time from %v to %v", o.timeout, minTimeout, maxTimeout)
	}
	return s, checkRange("max-attempts", o.maxAttempts, 1, 1000)
}

// settings checks the flags that say how to send.
func (o *options) settings() (settings, error) {
	s, err := o.pacing()
	if err != nil {
		return s, err
	}
	s.config = batch.Config{
		Workers: o.workers, MaxAttempts: o.maxAttempts, Canary: o.canary, StopAfter: o.stopAfter,
		Redraw: func() (batch.Secret, error) {
			password, err := o.generate()
			return batch.NewSecret(password), err
		},
	}
	if o.maxFailures != "" {
		if s.config.MaxFailures, err = batch.ParseThreshold(o.maxFailures); err != nil {
			return s, flagError("max-failures", o.maxFailures, err)
		}
	}
	return s, o.checkRanges()
}

func (o *options) checkRanges() error {
	for _, r := range []struct {
		flag         string
		is, min, max int
	}{
		{"workers", o.workers, 1, maxWorkers},
		{"canary", o.canary, 0, 1 << 30},
		{"password-length", o.passwordLength, exotel.MinGeneratedLength, exotel.MaxGeneratedLength},
	} {
		if err := checkRange(r.flag, r.is, r.min, r.max); err != nil {
			return err
		}
	}
	if o.stopAfter < 0 {
		return usagef("", "--stop-after %v: want a time above 0, such as 2h", o.stopAfter)
	}
	return nil
}

func checkRange(flag string, is, min, max int) error {
	if is < min || is > max {
		return usagef("", "--%s %d: want a number from %d to %d", flag, is, min, max)
	}
	return nil
}

func flagError(flag, value string, err error) error {
	return usage(fmt.Errorf("--%s %q: %w", flag, value, err), "")
}

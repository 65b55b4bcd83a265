package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/report"
)

// execute sends what is pending of a run, writes the reports, and says how it
// ended. It closes the journal.
func (a *app) execute(ctx context.Context, j *journal.Journal, al *allowance, acc endpoint, s settings, o *options) error {
	defer j.Close()
	client, err := a.target(j, acc, s)
	if err != nil {
		return err
	}
	if err := j.Begin(tool(), o.retryFailed); err != nil {
		return &exitError{exitFailure, err, "nothing was sent"}
	}
	pending, rows := j.Pending(o.retryFailed)
	logger := a.logger(o)
	s.config.Logger = logger
	set := &batch.Limit{Pacer: al.Pacer, Timeout: s.timeout, Next: &batch.WriteAhead{Log: j, Logger: logger, Next: setter{client}}}

	defer context.AfterFunc(ctx, func() { a.say("finishing the requests under way; interrupt again to stop at once") })()
	p := a.startProgress(j.Info().Rows, pending, al.Pacer, &s.config)
	err = batch.Run(ctx, s.config, rows, set, j)
	return a.finish(ctx, j, al, p, err, o)
}

// finish lays the run down: the reports first, since nothing that a terminal
// does may keep them from being written.
func (a *app) finish(ctx context.Context, j *journal.Journal, al *allowance, p *progress, stopped error, o *options) error {
	totals := journal.Totals{Waited: al.State().Waited, Stopped: stoppedWhy(ctx, stopped)}
	writing := j.Stop(totals)
	digest, reporting := writeReports(&j.View)
	closing := errors.Join(j.Close(), al.done())
	p.stop()
	if err := errors.Join(writing, reporting, closing); err != nil {
		err = &exitError{exitFailure, err, fmt.Sprintf("nothing that was sent is lost; once the cause is mended: siprotate resume %s", j.Dir())}
		return errors.Join(err, stopped)
	}
	exit := verdict(ctx, j.Dir(), stopped, digest.Summary)
	digest.Closing(a.err, report.ClosingOptions{Width: terminalWidth(a.err), Dir: j.Dir(), Next: nextCommand(j.Dir(), digest.Summary)})
	if o.json {
		if err := digest.Summary.Encode(a.out); err != nil {
			return &exitError{exitFailure, fmt.Errorf("write the summary: %w", err), ""}
		}
	}
	if exit != nil {
		return exit
	}
	return nil
}

// verdict turns how a run ended into the program's exit; nil if every row was
// rotated.
func verdict(ctx context.Context, dir string, stopped error, sum report.Summary) error {
	var stop *batch.Stop
	errors.As(stopped, &stop)
	resume := "siprotate resume " + dir
	switch {
	case stop == nil && sum.Rotated == sum.Rows:
		return nil
	case stop == nil:
		return &exitError{code: exitUnfinished}
	case stop.Reason == batch.Interrupted:
		return interrupted(ctx)
	case stop.Reason == batch.Broken:
		return &exitError{exitFailure, stop.Err, "nothing that was sent is lost; once the cause is mended: " + resume}
	}
	return &exitError{exitStopped, stop, stopHint(stop, resume)}
}

func stopHint(stop *batch.Stop, resume string) string {
	var advice interface{ Hint() string }
	if errors.As(stop.Err, &advice) && advice.Hint() != "" {
		return advice.Hint()
	}
	return "to go on: " + resume
}

// interrupted is how the program ends after a signal.
func interrupted(ctx context.Context) *exitError {
	var caught *signalError
	if errors.As(context.Cause(ctx), &caught) {
		return &exitError{code: caught.code()}
	}
	return &exitError{exitFailure, context.Cause(ctx), ""}
}

// stoppedWhy is what the summary says of why a run stopped.
func stoppedWhy(ctx context.Context, stopped error) string {
	var stop *batch.Stop
	if !errors.As(stopped, &stop) {
		return ""
	}
	if stop.Reason == batch.Interrupted {
		return fmt.Sprintf("%s by %v", stop.Reason, context.Cause(ctx))
	}
	return stop.Error()
}

// nextCommand is the command that goes on with the run, if there is anything
// left to do.
func nextCommand(dir string, sum report.Summary) string {
	switch {
	case sum.NotAttempted+sum.Unknown > 0:
		return "siprotate resume " + dir
	case sum.Failed > 0:
		return "siprotate resume " + dir + " --retry-failed"
	}
	return ""
}

// writeReports renders the reports of a run into its directory.
func writeReports(v *journal.View) (report.Digest, error) {
	info := v.Info()
	return report.Write(v.Dir(), report.Run{
		ID: info.Run, Account: info.Account, Host: info.Host, Columns: info.Columns,
		StartedAt: info.StartedAt, FinishedAt: info.StoppedAt,
		Requests: info.Requests, Throttled: info.Throttled, Waited: info.Waited, Stopped: info.Stopped,
	}, v.Entries())
}

// reported reports whether the reports in a run directory are those of its
// journal: a crash may have come between the two.
func reported(dir string) bool {
	log, err := os.Stat(filepath.Join(dir, journal.Name))
	if err != nil {
		return false
	}
	for _, name := range []string{report.ReportName, report.CredentialsName, report.SummaryName} {
		view, err := os.Stat(filepath.Join(dir, name))
		if err != nil || view.ModTime().Before(log.ModTime()) {
			return false
		}
	}
	return true
}

// logger returns where requests are logged: nowhere, unless it was asked for.
func (a *app) logger(o *options) *slog.Logger {
	level := slog.LevelError
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(lines{a}, &slog.HandlerOptions{Level: level}))
}

// lines is a writer that says each write as a line for people.
type lines struct{ a *app }

func (l lines) Write(p []byte) (int, error) {
	n := len(p)
	for n > 0 && p[n-1] == '\n' {
		n--
	}
	l.a.say("%s", p[:n])
	return len(p), nil
}

// A progress feeds the progress display from the engine's results.
type progress struct {
	stop   func()
	total  int
	before int // rows that needed no more work when the session began
	done   atomic.Int64
	failed atomic.Int64
	pacer  *pace.Pacer
	meter  meter
}

func (a *app) startProgress(total, pending int, pacer *pace.Pacer, c *batch.Config) *progress {
	p := &progress{total: total, before: total - pending, pacer: pacer}
	c.Observe = func(r batch.Result) {
		p.done.Add(1)
		if r.Outcome != batch.Rotated {
			p.failed.Add(1)
		}
	}
	p.stop = a.watch(p.status)
	return p
}

func (p *progress) status() report.Status {
	now := time.Now()
	state := p.pacer.State()
	p.meter.add(now, state.Requests)
	done := p.before + int(p.done.Load())
	s := report.Status{
		Total: p.total, Done: done, Failed: int(p.failed.Load()),
		PerMinute: p.meter.perMinute(), ETA: p.eta(p.total - done),
	}
	showAllowance(&s, state)
	return s
}

// eta is what the allowance leaves at best, and what the speed of late makes
// likely if that is longer.
func (p *progress) eta(rows int) time.Duration {
	eta := p.pacer.Estimate(rows)
	if perMinute := p.meter.perMinute(); perMinute > 0 && p.pacer.State().Rate.IsUnlimited() {
		eta = max(eta, time.Duration(float64(rows)/perMinute*float64(time.Minute)))
	}
	return eta
}

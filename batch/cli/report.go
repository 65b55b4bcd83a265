package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/report"
)

type reportFlags struct {
	by       string
	formats  []string
	out      string
	outcomes []string
	follow   bool
	open     bool
	schema   bool
}

func newReport(a *app) *cobra.Command {
	o := &reportFlags{}
	cmd := &cobra.Command{
		Use:   "report RUN-DIR",
		Short: "render the reports of a run again, also of a live or crashed one",
		Long: `Report renders the reports of a run from its journal, in the run directory:
report.csv, credentials.csv and summary.json, and those that --format names:
report.jsonl, report.html or siprotate.prom. With -o it writes one format to a file
or to standard output, and nothing into the run directory.`,
		Example: `  siprotate report users.run
  siprotate report users.run --by team
  siprotate report users.run --format html --open
  siprotate report users.run --format jsonl --outcome failed,unknown -o -
  siprotate report users.run --format prometheus -o /var/lib/node_exporter/siprotate.prom
  siprotate report users.run --follow`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.schema && len(args) == 0 {
				return nil
			}
			return oneArg("RUN-DIR", "the folder that run made")(cmd, args)
		},
		ValidArgsFunction: completeRunDirs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.schema {
				return a.deliver("", report.Schema())
			}
			return a.report(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.by, "by", "", "count rows by the values of this column of the input, too, such as team")
	f.StringSliceVar(&o.formats, "format", nil, "render this, too: csv, jsonl, html, prometheus or summary; may be repeated")
	f.StringVarP(&o.out, "out", "o", "", "write one format to this file, or to standard output (-); of csv if no --format is given")
	f.StringSliceVar(&o.outcomes, "outcome", nil, "with -o: only rows that stand so, such as failed,unknown")
	f.BoolVar(&o.follow, "follow", false, "show a live run until it ends, and exit as it does")
	f.BoolVar(&o.open, "open", false, "show the page in the browser")
	f.BoolVar(&o.schema, "schema", false, "print the JSON Schema of a line of jsonl, and nothing else")
	return cmd
}

// check reads the flags: the formats, and the outcomes that rows shall have.
func (o *reportFlags) check() (formats []report.Format, only []batch.Outcome, err error) {
	if formats, err = parseFormats(o.formats); err != nil {
		return nil, nil, err
	}
	if only, err = parseOutcomes(o.outcomes, "rotated, failed, unknown, invalid and not_attempted"); err != nil {
		return nil, nil, err
	}
	switch {
	case o.follow && (o.out != "" || o.open || len(formats)+len(only) > 0):
		return nil, nil, usagef("the run writes its own reports when it ends", "--follow goes with no --format, -o, --outcome or --open")
	case len(only) > 0 && o.out == "":
		return nil, nil, usagef("name another file with -o, or - for standard output", "--outcome: the reports in the run directory hold every row")
	case o.out != "" && len(formats) > 1:
		return nil, nil, usagef("", "-o takes one --format, got %d", len(formats))
	case o.out == "-" && o.open:
		return nil, nil, usagef("", "--open shows a file: -o - writes none")
	}
	if o.open {
		if formats = addFormats(formats, report.ReportHTML); o.out != "" && len(formats) > 1 {
			return nil, nil, usagef("", "--open shows --format html")
		}
	}
	if o.out != "" && len(formats) == 0 {
		formats = []report.Format{report.ReportCSV}
	}
	return formats, only, nil
}

// parseOutcomes returns the outcomes of these names. The flag takes those in takes.
func parseOutcomes(names []string, takes string) (outcomes []batch.Outcome, err error) {
	for _, name := range names {
		var outcome batch.Outcome
		if err := outcome.UnmarshalText([]byte(name)); err != nil {
			return nil, usage(err, "--outcome takes "+takes)
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

func parseFormats(names []string) (formats []report.Format, err error) {
	for _, name := range names {
		f, ok := report.ByName(name)
		if !ok {
			return nil, flagError("format", name, errors.New("want one of "+strings.Join(report.Names(), ", ")))
		}
		formats = addFormats(formats, f)
	}
	return formats, nil
}

// addFormats adds to formats of a run directory those that are not among them.
func addFormats(formats []report.Format, more ...report.Format) []report.Format {
	all := slices.Clone(formats)
	for _, f := range more {
		if !slices.ContainsFunc(all, func(g report.Format) bool { return g.File == f.File }) {
			all = append(all, f)
		}
	}
	return all
}

func (a *app) report(ctx context.Context, dir string, o *reportFlags) error {
	formats, only, err := o.check()
	if err != nil {
		return err
	}
	r := rotation.Rotation{Dir: dir, By: o.by, Formats: addFormats(report.Formats, formats...)}
	v, err := journal.Read(dir, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	info := v.Info()
	set := readSettings(info.Head)
	a.at = newEndpoint(info.Account, set.BaseURL)
	if rate, given := set.Flags["rate"]; given && rate != "auto" {
		r.Pace.Rate, _ = pace.ParseRate(rate) // it was read before, when the run began
	}
	r.Pace.Even = set.Flags["even"] == "true"
	if o.follow {
		return a.follow(ctx, r)
	}
	if r.Vault, err = a.vaultToReport(ctx, dir, info.Head); err != nil {
		return err
	}
	page := filepath.Join(dir, report.ReportHTML.File)
	if o.out != "" {
		page = o.out
		err = a.reportTo(o.out, r, formats[0], only)
	} else {
		err = a.reportInto(r, v)
	}
	if err == nil && o.open {
		err = open(page)
	}
	return err
}

func (a *app) reportInto(r rotation.Rotation, v *journal.View) error {
	digest, err := r.Report()
	if err != nil {
		return err
	}
	next := a.nextCommand(r.Dir, digest.Summary)
	if v.Live() {
		info := v.Info()
		a.say("the run is at work since %s (process %d); these are its reports as of now",
			info.SessionAt.Local().Format(time.TimeOnly), info.PID)
		next = ""
	}
	a.sayClosing(digest, next)
	return nil
}

// reportTo renders one format to a file, which it replaces at once, or to standard
// output.
func (a *app) reportTo(name string, r rotation.Rotation, format report.Format, only []batch.Outcome) error {
	render := func(w io.Writer) error {
		out := bufio.NewWriter(w)
		if _, err := r.Render(out, format, only...); err != nil {
			return err
		}
		return out.Flush()
	}
	if name == "-" {
		if err := render(a.out); err != nil {
			return failure(err, "")
		}
		return nil
	}
	if err := mayReplace(name); err != nil {
		return err
	}
	// A reader, such as a collector of figures, may be another user.
	if err := replaceFile(name, 0o644, render); err != nil {
		return failure(err, "nothing was changed")
	}
	a.say("wrote %s", name)
	return nil
}

// open shows a file in the browser.
func open(file string) error {
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open"}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if err := exec.Command(opener[0], append(opener[1:], path)...).Run(); err != nil {
		return failure(fmt.Errorf("could not show the page: %w", err), "open "+path+" in a browser")
	}
	return nil
}

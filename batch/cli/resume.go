package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"siprotate/batch/journal"
	"siprotate/exotel"
	"siprotate/report"
)

func newResume(a *app) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "resume RUN-DIR",
		Short: "go on with an unfinished run",
		Long: `Resume sends the rows of a run that have no verdict: those that were never
sent, and those whose outcome is unknown, with the same passwords. The account
is that of the run; only the credentials are needed.`,
		Example: `  siprotate resume users.run
  siprotate resume users.run --retry-failed`,
		Args: oneArg("RUN-DIR", "the folder that run made"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.resume(cmd.Context(), args[0], o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.retryFailed, "retry-failed", false, "also send failed rows again")
	o.accountFlags(f)
	o.sendFlags(f)
	f.SortFlags = false
	return cmd
}

func (a *app) resume(ctx context.Context, dir string, o *options) error {
	s, err := o.settings()
	if err != nil {
		return err
	}
	head, err := journal.ReadHead(dir)
	if err != nil {
		return dirError(err, dir)
	}
	acc, err := a.accountOf(head, dir, o)
	if err != nil {
		return err
	}
	al, err := a.allowance(ctx, acc, s, runHolder(dir), o.wait)
	if err != nil {
		return err
	}
	defer al.done()
	j, err := open(dir, s)
	if err != nil {
		return err
	}
	if err := al.prime(j.Recent(), j.Held()); err != nil {
		j.Close()
		return err
	}
	return a.execute(ctx, j, al, acc, s, o)
}

// accountOf returns the account of a run. What flags and environment say of
// the account must agree.
func (a *app) accountOf(run journal.Head, dir string, o *options) (endpoint, error) {
	if run.Host == sandboxHost {
		return endpoint{run.Account, "https://" + sandboxHost}, nil
	}
	known := options{
		accountSID: a.setting(o.accountSID, "EXOTEL_ACCOUNT_SID", run.Account),
		baseURL:    a.setting(o.baseURL, "EXOTEL_BASE_URL"),
		region:     o.region,
	}
	if known.baseURL == "" && known.region == "" {
		known.region = a.setting("", "EXOTEL_REGION", string(regionOf(run.Host)))
	}
	acc, err := a.account(&known)
	if err != nil {
		return acc, err
	}
	return acc, sameAccount(run, acc, dir)
}

func regionOf(host string) exotel.Region {
	for _, region := range []exotel.Region{exotel.Singapore, exotel.Mumbai} {
		if (endpoint{baseURL: region.BaseURL()}).host() == host {
			return region
		}
	}
	return ""
}

func sameAccount(run journal.Head, acc endpoint, dir string) error {
	if run.Account == acc.sid && run.Host == acc.host() {
		return nil
	}
	return usagef("a run can be resumed only on its own account; for this one name another folder with -o",
		"%s holds a run of account %s at %s, not of %s at %s", dir, run.Account, run.Host, acc.sid, acc.host())
}

func newReport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "report RUN-DIR",
		Short:   "render the reports of a run again, also of a live or crashed one",
		Example: `  siprotate report users.run`,
		Args:    oneArg("RUN-DIR", "the folder that run made"),
		RunE: func(cmd *cobra.Command, args []string) error {
			digest, err := renderAgain(args[0])
			if err != nil {
				return err
			}
			digest.Closing(a.err, report.ClosingOptions{
				Width: terminalWidth(a.err), Dir: args[0], Next: nextCommand(args[0], digest.Summary),
			})
			return nil
		},
	}
}

// renderAgain renders the reports of a run from its journal. Should the run end
// meanwhile, its own reports may come before these, which know less: then they are
// rendered once more.
func renderAgain(dir string) (report.Digest, error) {
	for {
		v, done, err := journal.Read(dir)
		if err != nil {
			return report.Digest{}, dirError(err, dir)
		}
		digest, err := writeReports(v)
		done()
		if err != nil {
			return digest, &exitError{exitFailure, fmt.Errorf("write the reports: %w", err), ""}
		}
		if !v.Info().StoppedAt.IsZero() || !stoppedSince(dir) {
			return digest, nil
		}
	}
}

// stoppedSince reports whether a run that was at work has been laid down.
func stoppedSince(dir string) bool {
	v, done, err := journal.Read(dir)
	if err != nil {
		return false
	}
	defer done()
	return !v.Info().StoppedAt.IsZero()
}

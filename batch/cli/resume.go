package cli

import (
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
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.settings()
			if err != nil {
				return err
			}
			j, err := open(args[0], s)
			if err != nil {
				return err
			}
			acc, err := a.accountOf(&j.View, o)
			if err != nil {
				j.Close()
				return err
			}
			return a.execute(cmd.Context(), j, acc, s, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.retryFailed, "retry-failed", false, "also send failed rows again")
	o.accountFlags(f)
	o.sendFlags(f)
	f.SortFlags = false
	return cmd
}

// accountOf returns the account of a run. What flags and environment say of
// the account must agree.
func (a *app) accountOf(v *journal.View, o *options) (account, error) {
	info := v.Info()
	if info.Host == sandboxHost {
		return account{info.Account, "https://" + sandboxHost}, nil
	}
	known := options{
		accountSID: a.setting(o.accountSID, "EXOTEL_ACCOUNT_SID", info.Account),
		baseURL:    a.setting(o.baseURL, "EXOTEL_BASE_URL"),
		region:     a.setting(o.region, "EXOTEL_REGION", string(regionOf(info.Host))),
	}
	acc, err := a.account(&known)
	if err != nil {
		return acc, err
	}
	return acc, sameAccount(info, acc, v.Dir())
}

func regionOf(host string) exotel.Region {
	for _, region := range []exotel.Region{exotel.Singapore, exotel.Mumbai} {
		if (account{baseURL: region.BaseURL()}).host() == host {
			return region
		}
	}
	return ""
}

func sameAccount(info journal.Info, acc account, dir string) error {
	if info.Account == acc.sid && info.Host == acc.host() {
		return nil
	}
	return usagef("a run can be resumed only on its own account; for this one name another folder with -o",
		"%s holds a run of account %s at %s, not of %s at %s", dir, info.Account, info.Host, acc.sid, acc.host())
}

func newReport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "report RUN-DIR",
		Short:   "render the reports of a run again, also of a live or crashed one",
		Example: `  siprotate report users.run`,
		Args:    oneArg("RUN-DIR", "the folder that run made"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, done, err := journal.Read(args[0])
			if err != nil {
				return dirError(err, args[0])
			}
			defer done()
			digest, err := writeReports(v)
			if err != nil {
				return &exitError{exitFailure, fmt.Errorf("write the reports: %w", err), ""}
			}
			return digest.Closing(a.err, report.ClosingOptions{
				Width: terminalWidth(a.err), Dir: v.Dir(), Next: nextCommand(v.Dir(), digest.Summary),
			})
		},
	}
}

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"siprotate/batch/journal"
	"siprotate/batch/rotation"
)

func newReport(a *app) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "report RUN-DIR",
		Short: "render the reports of a run again, also of a live or crashed one",
		Example: `  siprotate report users.run
  siprotate report users.run --by team`,
		Args:              oneArg("RUN-DIR", "the folder that run made"),
		ValidArgsFunction: completeRunDirs,
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			return a.report(cmd.Context(), rotation.Rotation{Dir: args[0], By: by})
		}),
	}
	cmd.Flags().StringVar(&by, "by", "", "count rows by the values of this column of the input, too, such as team")
	return cmd
}

func (a *app) report(ctx context.Context, r rotation.Rotation) error {
	v, err := journal.Read(r.Dir, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	info := v.Info()
	a.at = newEndpoint(info.Account, readSettings(info.Head).BaseURL)
	if r.Vault, err = a.vaultToReport(ctx, r.Dir, info.Head); err != nil {
		return err
	}
	digest, err := r.Report()
	if err != nil {
		if code, _ := a.explainDirectory(err); code == exitOK {
			err = &failure{err, ""}
		}
		return err
	}
	next := a.nextCommand(r.Dir, digest.Summary)
	if v.Live() {
		a.sayLive(v)
		next = ""
	}
	a.sayClosing(digest, next)
	return nil
}

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"siprotate/batch/rotation"
	"siprotate/report"
)

func newReport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "report RUN-DIR",
		Short:   "render the reports of a run again, also of a live or crashed one",
		Example: `  siprotate report users.run`,
		Args:    oneArg("RUN-DIR", "the folder that run made"),
		RunE: a.do(func(_ *cobra.Command, args []string) error {
			vault, err := a.vaultToReport(args[0])
			if err != nil {
				return reportError(err)
			}
			digest, err := rotation.Report(args[0], vault, report.Formats)
			if err != nil {
				return reportError(err)
			}
			digest.Closing(a.err, report.ClosingOptions{
				Width: terminalWidth(a.err), Next: nextCommand(args[0], digest.Summary),
			})
			return nil
		}),
	}
}

// reportError keeps the errors of a run directory as they are.
func reportError(err error) error {
	if code, _ := explainDirectory(err); code != exitOK {
		return err
	}
	return &failure{fmt.Errorf("write the reports: %w", err), ""}
}

package cli

import (
	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/rotation"
	"siprotate/exotel"
)

type resumeFlags struct {
	accountFlags
	sendFlags
	proveFlags
	retryFailed bool
	dryRun      bool
	identity    string
}

func newResume(a *app) *cobra.Command {
	o := &resumeFlags{}
	cmd := &cobra.Command{
		Use:   "resume RUN-DIR",
		Short: "go on with an unfinished run",
		Long: `Resume sends the rows of a run that have no verdict: those that were never
sent, and those whose outcome is unknown, with the same passwords.

Account, host, rate, workers, guards and --on-finish are those that the run was
started with, unless a flag says otherwise; --stop-after counts anew. Only the
credentials are needed.

The passwords of a sealed run are the same only with the identity that opens
them. Without it these rows get new ones, sealed to the same recipients; one that
may be in force is kept beside the new one until that is confirmed.`,
		Example: `  siprotate resume users.run
  siprotate resume users.run --retry-failed`,
		Args:              oneArg("RUN-DIR", "the folder that run made"),
		ValidArgsFunction: completeRunDirs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.resume(cmd, args[0], o) },
	}
	what := a.group(cmd, "What")
	what.BoolVar(&o.retryFailed, "retry-failed", false, "also send failed rows again")
	what.BoolVarP(&o.dryRun, "dry-run", "n", false, "say what would be sent, send nothing, write nothing")
	what.StringVar(&o.identity, "identity", "", identityUsage)
	o.sendFlags.add(a.group(cmd, "Pace"), a.group(cmd, "Stop rules"), a.group(cmd, "Output"))
	o.proveFlags.add(a.group(cmd, "Proof"), a.group(cmd, "Waves"))
	o.accountFlags.add(a.group(cmd, "Account"))
	a.joinGroups(cmd)
	return cmd
}

func (a *app) resume(cmd *cobra.Command, dir string, o *resumeFlags) error {
	head, err := journal.ReadHead(dir)
	if err != nil {
		return err
	}
	a.runID.Store(&head.Run)
	if err := readSettings(head).apply(cmd.Flags()); err != nil {
		return err
	}
	e, err := a.endpointOf(head, o.accountFlags)
	if err != nil {
		return err
	}
	r := rotation.Rotation{Dir: dir}
	if err := o.sendFlags.apply(a, e, &r); err != nil {
		return err
	}
	r.Engine.RetryFailed = o.retryFailed
	if r.Vault, _, err = a.vaultOf(cmd.Context(), dir, head, o.identity); err != nil {
		return err
	}
	a.warnOfLater(dir, func(e batch.Entry) bool {
		return e.Result.Outcome == batch.NotAttempted || e.Result.Outcome == batch.Unknown || o.retryFailed && e.Result.Outcome == batch.Failed
	}, "they get the password of this run now")
	var local func() (rotation.Proofs, error)
	switch {
	case e == sandboxEndpoint:
		r.Client, local, err = sandboxOf(dir)
	case !o.dryRun:
		r.Client, err = a.client(e, r.Engine.Workers)
	}
	if err != nil {
		return err
	}
	if err := o.proveFlags.apply(a, &r, e, local, o.dryRun); err != nil {
		return err
	}
	if o.dryRun {
		return a.preview(r.PreviewResume())
	}
	return a.conclude(cmd.Context(), r, &o.sendFlags, r.Resume)
}

// sandboxOf returns a client for a stand-in that holds the devices of a run.
func sandboxOf(dir string) (*exotel.Client, func() (rotation.Proofs, error), error) {
	return standIn(func(yield func(batch.Row, error) bool) {
		for entry, err := range entriesOf(dir) {
			if entry.Result.Outcome != batch.Invalid && !yield(entry.Row, err) {
				return
			}
		}
	})
}

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/rotation"
	"siprotate/exotel"
)

func newResume(a *app) *cobra.Command {
	var (
		acc         accountFlags
		send        sendFlags
		retryFailed bool
		identity    string
	)
	cmd := &cobra.Command{
		Use:   "resume RUN-DIR",
		Short: "go on with an unfinished run",
		Long: `Resume sends the rows of a run that have no verdict: those that were never
sent, and those whose outcome is unknown, with the same passwords. The account
is that of the run; only the credentials are needed.

The passwords of a sealed run are the same only with the identity that opens
them. Without it these rows get new ones, sealed to the same recipients; one that
may be in force is kept beside the new one until that is confirmed.`,
		Example: `  siprotate resume users.run
  siprotate resume users.run --retry-failed`,
		Args: oneArg("RUN-DIR", "the folder that run made"),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			return a.resume(cmd.Context(), args[0], acc, &send, retryFailed, identity)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&retryFailed, "retry-failed", false, "also send failed rows again")
	f.StringVar(&identity, "identity", "", identityUsage)
	acc.add(f)
	send.add(f)
	f.SortFlags = false
	return cmd
}

func (a *app) resume(ctx context.Context, dir string, acc accountFlags, send *sendFlags, retryFailed bool, identity string) error {
	head, err := journal.ReadHead(dir)
	if err != nil {
		return err
	}
	e, err := a.endpointOf(head, acc)
	if err != nil {
		return err
	}
	r := rotation.Rotation{Dir: dir, Account: e.Account}
	if err := send.apply(a, &r); err != nil {
		return err
	}
	r.Engine.RetryFailed = retryFailed
	if r.Vault, _, err = a.vaultOf(dir, head, identity); err != nil {
		return err
	}
	if e == sandboxEndpoint {
		r.Client, err = sandboxOf(dir)
	} else {
		r.Client, err = a.client(e, r.Engine.Workers)
	}
	if err != nil {
		return err
	}
	return a.close(r, send.json)(r.Resume(ctx))
}

// sandboxOf returns a client for a stand-in that holds the devices of a run.
func sandboxOf(dir string) (*exotel.Client, error) {
	v, err := journal.Read(dir, nil)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return standIn(func(yield func(batch.Row, error) bool) {
		for entry, err := range v.Entries() {
			if entry.Result.Outcome != batch.Invalid && !yield(entry.Row, err) {
				return
			}
		}
	})
}

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/rotation"
)

func newPurge(a *app) *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "purge RUN-DIR",
		Short: "take the passwords out of a finished run",
		Long: `Purge takes the passwords out of the journal of a finished run, and removes its
credentials. What was done stays: report, status --history and --older-than read
the run as before. It cannot be resumed, and hands no passwords out, any more.

The files are replaced and removed, not erased: an SSD, a file system that copies
on write, or a backup may still hold what they held, and overwriting them would
not change that.`,
		Example: `  siprotate purge users.run`,
		Args:    oneArg("RUN-DIR", "the folder that run made"),

		ValidArgsFunction: completeRunDirs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.purge(cmd.Context(), args[0], yes, force) },
	}
	f := cmd.Flags()
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	f.BoolVar(&force, "force", false, "also where rows have no verdict: nobody will know their passwords")
	f.SortFlags = false
	return cmd
}

func (a *app) purge(ctx context.Context, dir string, yes, force bool) error {
	head, err := journal.ReadHead(dir)
	if err != nil {
		return err
	}
	again := head.Vault == journal.Purged
	if !yes && !again {
		question := "Take the passwords out of " + dir + " for good?"
		if v, err := journal.Read(dir, nil); err == nil {
			counts := v.Counts()
			v.Close()
			question = count(counts[batch.Rotated]+counts[batch.Unknown], "password") + " of it may be in force, and nobody can read them there afterwards. " + question
		}
		if err := a.ask(ctx, question, "not confirmed: nothing was changed"); err != nil {
			return err
		}
	}
	if err := rotation.Purge(dir, force || again); err != nil {
		return err
	}
	if again {
		a.say("the passwords were taken out of %s before", dir)
		return nil
	}
	a.say("the passwords are out of %s; its journal and reports stay", dir)
	a.say("files were replaced and removed, not erased: an SSD, a file system that copies on write, or a backup may still hold what they held, and overwriting would not change that")
	return nil
}

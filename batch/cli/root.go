package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `siprotate resets the SIP passwords of many Exotel users in one go.

It reads a CSV of users or lists the account, takes the passwords given or
generates compliant ones, writes them down, sends them within the API's rate
limit, and reports on every row. A run that was interrupted, in whatever way, can
be resumed.`

const rootExample = `  siprotate run users.csv --sandbox          try it out, without an account
  siprotate check                            are account and credentials right
  siprotate users -o users.csv               list the account: a ready input
  siprotate run users.csv --dry-run          check the input, send nothing
  siprotate run users.csv                    rotate
  siprotate resume users.run                 go on with an unfinished run
  siprotate resume users.run --retry-failed  and send failed rows again
  siprotate run --all --exclude boss.csv     rotate everybody but the boss`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "siprotate",
		Short:         "reset the SIP passwords of many Exotel users",
		Long:          rootLong,
		Example:       rootExample,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// What went wrong before is a command line that makes no sense.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			err := cmd.ValidateFlagGroups() // cobra itself would do so only after this
			a.began = err == nil
			return err
		},

		SuggestionsMinimumDistance: 2,
	}
	a.groups = map[*cobra.Command][]*pflag.FlagSet{}
	root.SetUsageFunc(a.usage)
	root.SetHelpFunc(a.help)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.AddCommand(
		newRun(a), newResume(a), newReport(a), newCredentials(a), newPurge(a), newUsers(a), newStatus(a), newRuns(a), newVerify(a), newCheck(a), newSandbox(a), newVersion(),
	)
	for _, extra := range extraCommands {
		root.AddCommand(extra())
	}
	root.SetHelpCommand(newHelp())
	for _, cmd := range root.Commands() {
		completeValues(cmd, "region", "singapore", "mumbai")
		completeValues(cmd, "limiter", "fixed", "sliding", "bucket")
		completeValues(cmd, "headers", "none", "retry-after", "all")
		completeValues(cmd, "log-format", "text", "json")
		completeValues(cmd, "rate", "auto", "50/m", "unlimited")
		completeValues(cmd, "role", "admin", "supervisor", "user")
	}
	return root
}

// extraCommands are those that only some builds have.
var extraCommands []func() *cobra.Command

// newHelp is cobra's help command, but for one that is not there it is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "help on a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, _ := cmd.Root().Find(args) // what is not found is the rest
			if len(rest) > 0 {
				return usagef("siprotate --help lists the commands", "unknown command %q", rest[0])
			}
			return found.Help()
		},
	}
}

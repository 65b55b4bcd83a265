package cli

import "github.com/spf13/cobra"

const rootLong = `siprotate resets the SIP passwords of many Exotel users in one go.

It reads a CSV of users or lists the account, takes the passwords given or
generates compliant ones, writes them down, sends them within the API's rate
limit, and reports on every row. A run that was interrupted, in whatever way, can
be resumed.`

const rootExample = `  siprotate run users.csv --sandbox          try it out, without an account
  siprotate users -o users.csv               list the account: a ready input
  siprotate run users.csv --dry-run          check the input, send nothing
  siprotate run users.csv                    rotate
  siprotate resume users.run                 go on with an unfinished run
  siprotate resume users.run --retry-failed  and send failed rows again
  siprotate run --all --exclude boss.csv     rotate everybody but the boss`

const exitCodes = `
Exit codes:
  0         every row was rotated
  1         an unexpected failure (disk, internal): the run can be resumed
  2         usage, or invalid input: nothing was sent
  3         finished, but some rows were not rotated: see the report
            (status: some devices are too old, or were never rotated)
  4         stopped early (credentials refused, too many failures, window over): can be resumed
  130, 143  interrupted (SIGINT, SIGTERM): can be resumed
`

const environment = `
Environment:
  EXOTEL_ACCOUNT_SID, EXOTEL_REGION, EXOTEL_BASE_URL   the account, where no flag names it
  EXOTEL_API_KEY, EXOTEL_API_TOKEN                     the credentials
  EXOTEL_API_KEY_FILE, EXOTEL_API_TOKEN_FILE           files that hold them instead
  AGE_IDENTITY_FILE                                    the identity that opens sealed runs
`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "siprotate",
		Short:         "reset the SIP passwords of many Exotel users",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          a.do(func(cmd *cobra.Command, _ []string) error { return cmd.Help() }),
	}
	root.SetUsageTemplate(root.UsageTemplate() + environment + exitCodes)
	root.AddCommand(newRun(a), newResume(a), newReport(a), newCredentials(a), newPurge(a), newUsers(a), newStatus(a), newSandbox(a), newVersion())
	return root
}

// do marks that a command has begun: what went wrong before is a command line
// that makes no sense.
func (a *app) do(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.began = true
		return run(cmd, args)
	}
}

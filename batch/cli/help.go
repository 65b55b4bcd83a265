package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Flag groups are the flags of a command as its help shows them.
type flagGroups struct {
	cmd    *cobra.Command
	groups []flagGroup
}

type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

// add adds a group. Its flags become the command's with finish.
func (g *flagGroups) add(title string) *pflag.FlagSet {
	f := pflag.NewFlagSet(title, pflag.ContinueOnError)
	f.SortFlags = false
	g.groups = append(g.groups, flagGroup{title, f})
	return f
}

func (g *flagGroups) finish(a *app) {
	for _, group := range g.groups {
		g.cmd.Flags().AddFlagSet(group.flags)
	}
	a.groups[g.cmd] = g.groups
}

// An exitText says what an exit code means, and which commands end with it; none
// means all.
type exitText struct {
	code     string
	text     string
	commands []string
}

var exitTexts = []exitText{
	{"0", "every row was rotated", []string{"run", "resume"}},
	{"1", "an unexpected failure (disk, internal): a run can be resumed", nil},
	{"2", "usage, or invalid input: nothing was sent", nil},
	{"3", "finished, but some rows were not rotated: see the report", []string{"run", "resume"}},
	{"3", "some devices are too old, or were never rotated", []string{"status"}},
	{"3", "some passwords are refused, not proved, or not adopted in time", []string{"verify"}},
	{"3", "some rows were not delivered", []string{"credentials"}},
	{"4", "stopped early (credentials refused, too many failures, window over): can be resumed", []string{"run", "resume"}},
	{"4", "the API refused the credentials", []string{"users", "status", "check"}},
	{"4", "stopped early: too many commands failed", []string{"credentials"}},
	{"5", "nothing was done: this run is finished already", []string{"run", "resume"}},
	{"6", "busy: another process is at work on this run or account", []string{"run", "resume", "users", "status", "check", "report", "credentials", "verify", "purge"}},
	{"130, 143", "interrupted (SIGINT, SIGTERM): a run can be resumed; a second signal stops at once, and is safe", []string{"run", "resume", "users", "status", "check", "sandbox"}},
}

const environment = `
Environment:
  EXOTEL_ACCOUNT_SID, EXOTEL_REGION, EXOTEL_BASE_URL   the account, where no flag names it
  EXOTEL_API_KEY, EXOTEL_API_TOKEN                     the credentials
  EXOTEL_API_KEY_FILE, EXOTEL_API_TOKEN_FILE           files that hold them instead
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE                 a proxy on the way, certificates to trust
  XDG_STATE_HOME                                       where the lock of an account and what was spent are kept
`

// usage prints how a command is used, as wide as the terminal.
func (a *app) usage(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND --help\n\nCommands:\n", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	a.usageOfFlags(&b, cmd)
	if !cmd.HasParent() || cmd.Flags().Lookup("account-sid") != nil {
		b.WriteString(environment)
	}
	usageOfExits(&b, cmd)
	fmt.Fprint(cmd.OutOrStderr(), b.String())
	return nil
}

func (a *app) usageOfFlags(b *strings.Builder, cmd *cobra.Command) {
	width := terminalWidth(a.out)
	if width == 0 {
		width = 100
	}
	shown := map[string]bool{}
	for _, group := range a.groups[cmd] {
		fmt.Fprintf(b, "\n%s:\n%s", group.title, group.flags.FlagUsagesWrapped(width))
		group.flags.VisitAll(func(f *pflag.Flag) { shown[f.Name] = true })
	}
	others := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !shown[f.Name] {
			others.AddFlag(f)
		}
	})
	if others.HasAvailableFlags() {
		fmt.Fprintf(b, "\nOther flags:\n%s", others.FlagUsagesWrapped(width))
	}
}

func usageOfExits(b *strings.Builder, cmd *cobra.Command) {
	b.WriteString("\nExit codes:\n")
	for _, e := range exitTexts {
		switch {
		case e.commands == nil || slices.Contains(e.commands, cmd.Name()):
			fmt.Fprintf(b, "  %-9s %s\n", e.code, e.text)
		case !cmd.HasParent():
			text := e.text
			if !slices.Contains(e.commands, "run") {
				text = strings.Join(e.commands, ", ") + ": " + text
			}
			fmt.Fprintf(b, "  %-9s %s\n", e.code, text)
		case e.code == "0":
			fmt.Fprintf(b, "  %-9s done\n", e.code)
		}
	}
}

// suggest completes the error of a command line that makes no sense with what was
// probably meant.
func suggest(root *cobra.Command, args []string, err error) error {
	const hint = "siprotate --help lists the commands and their flags"
	text := err.Error()
	cmd, _, _ := root.Find(args)
	if name, unknown := strings.CutPrefix(text, "unknown flag: --"); unknown && cmd != nil {
		// cobra suggests commands: let flags be some for a moment.
		flags := &cobra.Command{SuggestionsMinimumDistance: 2}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		})
		if near := flags.SuggestionsFor(name); len(near) > 0 {
			return usage(err, fmt.Sprintf("did you mean --%s? %s --help lists the flags", near[0], cmd.CommandPath()))
		}
		return usage(err, cmd.CommandPath()+" --help lists the flags")
	}
	if strings.HasPrefix(text, "unknown command") && len(args) > 0 {
		if near := root.SuggestionsFor(args[0]); len(near) > 0 {
			return usage(err, fmt.Sprintf("did you mean %s? %s", near[0], hint))
		}
	}
	return usage(err, hint)
}

// The completions of arguments.
var (
	completeRunDirs = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	completeCSV     = cobra.FixedCompletions([]string{"csv"}, cobra.ShellCompDirectiveFilterFileExt)
)

// completeValues completes a flag with one of some values, if the command has
// such a flag.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	if cmd.Flags().Lookup(flag) != nil {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

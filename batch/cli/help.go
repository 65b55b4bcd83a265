package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"siprotate/batch/journal"
)

// group adds a group of flags to those that the help of a command shows. They
// become the command's with joinGroups.
func (a *app) group(cmd *cobra.Command, title string) *pflag.FlagSet {
	f := pflag.NewFlagSet(title, pflag.ContinueOnError)
	f.SortFlags = false
	a.groups[cmd] = append(a.groups[cmd], f)
	return f
}

func (a *app) joinGroups(cmd *cobra.Command) {
	for _, group := range a.groups[cmd] {
		cmd.Flags().AddFlagSet(group)
	}
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

// environment are the variables that commands with an account heed.
var environment = []struct{ names, text string }{
	{"EXOTEL_ACCOUNT_SID, EXOTEL_REGION", "the account, where no flag names it"},
	{"EXOTEL_BASE_URL", "where the API is, where no flag says so"},
	{"EXOTEL_API_KEY, EXOTEL_API_TOKEN", "the credentials"},
	{"EXOTEL_API_KEY_FILE, EXOTEL_API_TOKEN_FILE", "files that hold them instead"},
	{"HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE", "a proxy on the way, certificates to trust"},
	{"XDG_STATE_HOME", "where the lock of an account and what was spent are kept"},
}

// The columns in which the texts of help begin, and as wide as it is where there
// is no terminal; prose is never wider than it was written.
const (
	commandColumn = 15
	exitColumn    = 12
	environColumn = 46
	helpWidth     = 100
	proseWidth    = 80
)

func (a *app) helpWidth() int { return cmp.Or(terminalWidth(a.out), helpWidth) }

// help prints what a command does, and its usage.
func (a *app) help(cmd *cobra.Command, _ []string) {
	text := reflow(cmp.Or(cmd.Long, cmd.Short), min(a.helpWidth(), proseWidth))
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", text, cmd.UsageString())
}

// reflow breaks the lines of a text that are longer than width. Lines that begin
// with a space stay as they are.
func reflow(text string, width int) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, " ") || !slices.ContainsFunc(strings.Split(p, "\n"), func(l string) bool { return len(l) > width }) {
			continue
		}
		paragraphs[i] = strings.TrimPrefix(folded("", p, 0, width), "\n")
	}
	return strings.Join(paragraphs, "\n\n")
}

// folded returns a name and, from a column on, the text behind it, broken between
// words into lines of at most width. The text begins below a name that is longer,
// or that leaves it no room.
func folded(name, text string, column, width int) string {
	line := name
	if column > width*3/5 {
		column = 6
	}
	indent := strings.Repeat(" ", column)
	var b strings.Builder
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0 && len(name) < column:
			line += indent[len(name):]
		case i == 0 || len(line)+len(" ")+len(word) > width:
			b.WriteString(line + "\n")
			line = indent
		default:
			line += " "
		}
		line += word
	}
	return b.String() + line
}

// usage prints how a command is used, as wide as the terminal.
func (a *app) usage(cmd *cobra.Command) error {
	width := a.helpWidth()
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND --help\n\nCommands:\n", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintln(&b, folded("  "+sub.Name(), sub.Short, commandColumn, width))
			}
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	a.usageOfFlags(&b, cmd, width)
	b.WriteString(usageOfEnvironment(cmd, width))
	b.WriteString(usageOfExits(cmd, width))
	fmt.Fprint(cmd.OutOrStderr(), b.String())
	return nil
}

func (a *app) usageOfFlags(b *strings.Builder, cmd *cobra.Command, width int) {
	groups := a.groups[cmd]
	for _, group := range groups {
		fmt.Fprintf(b, "\n%s:\n%s", group.Name(), group.FlagUsagesWrapped(width))
	}
	others := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.ContainsFunc(groups, func(group *pflag.FlagSet) bool { return group.Lookup(f.Name) != nil }) {
			others.AddFlag(f)
		}
	})
	if others.HasAvailableFlags() {
		fmt.Fprintf(b, "\nOther flags:\n%s", others.FlagUsagesWrapped(width))
	}
}

// usageOfEnvironment returns the section on variables, and nothing for a command
// that heeds none.
func usageOfEnvironment(cmd *cobra.Command, width int) string {
	if cmd.HasParent() && cmd.Flags().Lookup("account-sid") == nil {
		return ""
	}
	text := "\nEnvironment:\n"
	for _, v := range environment {
		text += folded("  "+v.names, v.text, environColumn, width) + "\n"
	}
	return text
}

func usageOfExits(cmd *cobra.Command, width int) string {
	text := "\nExit codes:\n"
	add := func(code, meaning string) { text += folded("  "+code, meaning, exitColumn, width) + "\n" }
	for _, e := range exitTexts {
		switch {
		case e.commands == nil || slices.Contains(e.commands, cmd.Name()):
			add(e.code, e.text)
		case !cmd.HasParent() && slices.Contains(e.commands, "run"):
			add(e.code, e.text)
		case !cmd.HasParent():
			add(e.code, strings.Join(e.commands, ", ")+": "+e.text)
		case e.code == "0":
			add(e.code, "done")
		}
	}
	return text
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
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok && cmd != nil {
		return usage(flagError(wrong.GetFlag().Name, wrong.GetValue(), faultOf(wrong)), cmd.CommandPath()+" --help lists the flags")
	}
	if group, ok := strings.CutPrefix(text, "if any flags in the group ["); ok {
		names, _, _ := strings.Cut(group, "]")
		return usage(fmt.Errorf("--%s: give one of them", strings.Join(strings.Fields(names), ", --")), "")
	}
	if strings.HasPrefix(text, "unknown shorthand flag") && cmd != nil {
		return usage(err, cmd.CommandPath()+" --help lists the flags")
	}
	if strings.HasPrefix(text, "unknown command") && len(args) > 0 {
		if near := root.SuggestionsFor(args[0]); len(near) > 0 {
			return usage(err, fmt.Sprintf("did you mean %s? %s", near[0], hint))
		}
	}
	return usage(err, hint)
}

// faultOf returns why the value of a flag is none. Go's own errors are not for
// people.
func faultOf(wrong *pflag.InvalidValueError) error {
	switch cause := wrong.Unwrap(); {
	case wrong.GetFlag().Value.Type() == "bool":
		return errors.New("want true or false")
	case errors.As(cause, new(*strconv.NumError)):
		return errors.New("want a whole number")
	case strings.HasPrefix(cause.Error(), "time: "):
		return errors.New("want a time, such as 30s or 2m")
	default:
		return cause
	}
}

// completeRunDirs completes a run directory: of what begins so, the folders that
// hold a journal, or else all folders, since runs may lie below them.
func completeRunDirs(_ *cobra.Command, args []string, begun string) (dirs []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	folder, _ := filepath.Split(begun)
	entries, _ := os.ReadDir(cmp.Or(folder, "."))
	for _, entry := range entries {
		if dir := folder + entry.Name(); strings.HasPrefix(dir, begun) && journal.Exists(dir) {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return dirs, cobra.ShellCompDirectiveNoFileComp
}

// completeValues completes a flag with one of some values, if the command has
// such a flag.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	if cmd.Flags().Lookup(flag) != nil {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

//go:build man

package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The manual pages are written as a release is built. The tag keeps cobra's
// generator, and the parsers of Markdown and YAML that it needs, out of a program
// that holds passwords:
//
//	go run -tags man . man DIR
func init() { extraCommands = append(extraCommands, newMan) }

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "write the manual pages into a folder, which is made if need be",
		Hidden: true,
		Args:   oneArg("DIR", "the folder for the pages"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return usage(err, "")
			}
			root := cmd.Root()
			completeManual(root)
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: tool(), Manual: "siprotate"}, args[0])
		},
	}
}

// completeManual adds what only our help says of a command to its description,
// which the generator reads as Markdown.
func completeManual(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true // the same sources give the same pages
	section := func(title, text string) {
		_, text, found := strings.Cut(text, ":\n")
		if !found {
			return
		}
		cmd.Long += "\n\n# " + title + "\n\n```\n" + strings.TrimRight(text, "\n") + "\n```\n"
	}
	if cmd.Long == "" {
		cmd.Long = cmd.Short
	}
	section("ENVIRONMENT", usageOfEnvironment(cmd, proseWidth))
	section("EXIT STATUS", usageOfExits(cmd, proseWidth))
	for _, sub := range cmd.Commands() {
		completeManual(sub)
	}
}

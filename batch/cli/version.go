package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version of this source tree. A build of a release sets it:
//
//	go build -ldflags '-X siprotate/batch/cli.release=1.2.3'
var release = "0.1.0"

// version returns the release, with the commit where the build knows it.
func version() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return release
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return release + "+" + setting.Value[:12]
		}
	}
	return release
}

// tool is how a journal and a request name the program.
func tool() string { return "siprotate " + version() }

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s/%s %s\n", tool(), runtime.GOOS, runtime.GOARCH, runtime.Version())
		},
	}
}

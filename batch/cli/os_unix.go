//go:build unix

package cli

import (
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// forbidCoreDumps keeps an image of the memory, with passwords in it, from being
// written to a disk should the process die badly. Where that is refused, there is
// nothing else to try.
func forbidCoreDumps() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }

// quote returns a word as a POSIX shell reads it back.
func quote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/:=@%,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// shellCommand returns what runs a line of the system's shell.
func shellCommand(line string) *exec.Cmd { return exec.Command("/bin/sh", "-c", line) }

// setVariables returns a line of the shell that sets variables, each NAME=VALUE.
func setVariables(variables ...string) string { return "export " + strings.Join(variables, " ") }

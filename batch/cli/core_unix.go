//go:build unix

package cli

import "golang.org/x/sys/unix"

// forbidCoreDumps keeps an image of the memory, with passwords in it, from being
// written to a disk should the process die badly. Where that is refused, there is
// nothing else to try.
func forbidCoreDumps() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }

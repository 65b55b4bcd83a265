//go:build unix

package journal

import (
	"io/fs"
	"os"
	"syscall"
)

// shared says how somebody else may get at a file or folder; it is empty where
// nobody may.
func shared(info fs.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return "it belongs to another user"
	}
	switch {
	case info.Mode().Perm()&0o022 != 0:
		return "other users may write to it"
	case info.Mode().Perm()&0o077 != 0:
		return "other users may look into it"
	}
	return ""
}

package account

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Folder returns the user's state folder of the program: below XDG_STATE_HOME,
// or where the system keeps such files, or, for a user without a home, below
// the folder for temporary files.
func Folder(getenv func(string) string) string {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "siprotate")
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "siprotate")
		}
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "siprotate")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("siprotate-%d", os.Getuid()))
}

// Check says why leases cannot be kept in a folder, which it makes if need be.
func Check(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

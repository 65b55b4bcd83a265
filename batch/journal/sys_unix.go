//go:build unix

package journal

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// noFollow makes an open fail at a symbolic link.
const noFollow = unix.O_NOFOLLOW

func othersWrite(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

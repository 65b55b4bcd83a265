// Package durable writes files that outlive a power cut.
package durable

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// SyncFolder makes the names in a folder durable. open opens it, as [os.Open] and
// the method of an [os.Root] do. On Windows it does nothing: a folder cannot be
// synced there, and NTFS keeps a log of its names.
func SyncFolder(open func(string) (*os.File, error), name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Replace writes a file in one step: whoever reads it sees the one of before, or
// all that write has written. A link of that name is replaced, not followed. If it
// fails, the file of before stands. That the new one has the name is durable after
// [SyncFolder].
func Replace(root *os.Root, name string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	temporary := path.Join(path.Dir(name), ".siprotate-"+rand.Text()+".tmp")
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(temporary))
		}
	}()
	err = write(f)
	if err == nil {
		err = errors.Join(f.Chmod(perm), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

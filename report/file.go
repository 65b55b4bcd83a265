package report

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// Patience is how long a [Write] waits for another one on the same folder.
const Patience = 30 * time.Second

// ErrBusy is returned by [Write] if another one kept the folder for too long.
var ErrBusy = errors.New("another process is writing reports there")

// lockName is the file whose lock a Write holds. It stays: unlinking a lock
// file would let two processes hold "the" lock on two files.
const lockName = ".report.lock"

// lock waits for its turn to write into dir. The turns are what lets temporary
// files have fixed names, so that those of a crash are found and replaced.
func lock(dir string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	l := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = ErrBusy
		}
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}

// bufferSize is large enough that system calls do not count.
const bufferSize = 64 << 10

// A fileSet is a number of files that replace those of before together. The
// renameio package could do it for one file, held in memory, and not on
// Windows.
type fileSet struct {
	dir   string
	files []*newFile
	err   error // the first error of create
}

// A newFile is a file under a temporary name, beside the one it will replace.
type newFile struct {
	*os.File
	buffer *bufio.Writer
	target string
}

// create adds a file of the given name. If it fails it returns nil and sets
// the set's error, as does every create after it.
func (s *fileSet) create(name string, perm fs.FileMode) *bufio.Writer {
	if s.err != nil {
		return nil
	}
	target := filepath.Join(s.dir, name)
	if s.err = replaceable(target); s.err != nil {
		return nil
	}
	temporary := filepath.Join(s.dir, "."+name+".tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.err = err
		return nil
	}
	// Exclusively, so that no link or file that someone put there is used.
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		s.err = err
		return nil
	}
	buffer := bufio.NewWriterSize(f, bufferSize)
	s.files = append(s.files, &newFile{f, buffer, target})
	return buffer
}

// replaceable refuses early what a rename would refuse late, after others went
// through.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder", path)
	}
	return nil
}

// install brings every file to disk, and then puts them in place in the order
// of their creation.
func (s *fileSet) install() error {
	for _, f := range s.files {
		if err := errors.Join(f.buffer.Flush(), f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	for _, f := range s.files {
		if err := os.Rename(f.Name(), f.target); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// discard removes what was not put in place. Its errors would hide the one
// that led here, and the next Write removes what is left.
func (s *fileSet) discard() {
	for _, f := range s.files {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}

// syncDir makes renames inside dir durable. Windows can neither do that nor
// needs it: NTFS keeps a log of its own.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

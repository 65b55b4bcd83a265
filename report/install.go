package report

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"siprotate/batch"
	"siprotate/batch/durable"
)

// patience is how long a [Write] waits for another one on the same directory.
const patience = 30 * time.Second

// ErrBusy is returned by [Write] if another one kept the directory for too long.
var ErrBusy = errors.New("another process is writing reports there")

// ErrStale is returned by [Write] to a [Reader] if the reports that stand there
// are of a longer journal than the one that it read. They stay.
var ErrStale = errors.New("newer reports stand there")

// A Role says what a process is to the run that it reports.
type Role int

const (
	Reader Role = iota // reads the run's journal, to which somebody else may append
	Owner              // holds the run's journal: nobody else appends to it
)

// A Reading gives a run and its entries as the journal tells them just now.
type Reading func() (Run, iter.Seq2[batch.Entry, error], error)

// Write renders a run into files of the directory root, one for each format, in one
// pass and in constant memory. It calls read, which yields the run and its entries
// as [Render] wants them, once no other Write is at work there.
//
// The files are replaced atomically, all or none as far as the file system can
// do it: an error, from read and the entries too, leaves the files of before
// and no temporary ones. A crash between two renames leaves whole files, of
// which the later are those of before. A file has its permissions from its
// first byte on. A symbolic link under one of the names is replaced, not
// followed.
//
// Writes on one directory, also of several processes, take turns. A [Reader] that
// had to wait for [patience] gives up with [ErrBusy]. An [Owner] then goes ahead,
// as it does where there is no lock to be had: a stopped process must not cost a
// run its reports. Reports of a shorter journal never replace those of a longer
// one ([ErrStale]), whenever a stopped Reader wakes up; only an Owner, which has
// the whole journal before it, may find that the journal lost its end.
//
// The lock and the length of the journal that was installed stand in hidden files
// that stay there.
func Write(root *os.Root, role Role, read Reading, formats ...Format) (Digest, error) {
	digest, err := write(root, role, read, formats)
	if err != nil {
		return Digest{}, fmt.Errorf("writing the reports: %w", err)
	}
	return digest, nil
}

func write(root *os.Root, role Role, read Reading, formats []Format) (Digest, error) {
	unlock, err := lock(root)
	switch {
	case err == nil:
		defer unlock()
	case role != Owner:
		return Digest{}, err
	}
	files := fileSet{root: root, role: role}
	defer files.discard()
	digest, err := files.render(read, formats)
	if err != nil {
		return Digest{}, err
	}
	return digest, files.install()
}

// lockName is the file whose lock a Write holds. It stays: unlinking a lock
// file would let two processes hold "the" lock on two files.
const lockName = ".report.lock"

// lock waits for its turn to write into root. The library locks by path, and
// the directory of that path may be another one by now: so the file is made
// through root, and what was locked must be that file.
func lock(root *os.Root) (unlock func(), err error) {
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ours, err := f.Stat()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l := flock.New(filepath.Join(root.Name(), lockName), flock.SetFlag(os.O_RDWR))
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = ErrBusy
		}
		return nil, err
	}
	if locked, err := l.Stat(); err != nil || !os.SameFile(ours, locked) {
		return nil, errors.Join(fmt.Errorf("%s is no longer the directory that was opened", root.Name()), err, l.Unlock())
	}
	return func() { _ = l.Unlock() }, nil
}

// lengthName is the file that tells of how many bytes of the journal the reports
// are.
const lengthName = ".report.length"

// How a Reader's and an Owner's temporary files end. The names differ, since an
// Owner that goes ahead writes beside a stopped Reader. There is one Owner at a
// time, and one Reader under the lock: so a temporary file that is there is of a
// process that died, and is replaced.
var suffixes = map[Role]string{Reader: ".reader.tmp", Owner: ".owner.tmp"}

// temporary returns under which name a process writes a file.
func temporary(name string, role Role) string {
	return "." + strings.TrimPrefix(name, ".") + suffixes[role]
}

// bufferSize is large enough that system calls do not count.
const bufferSize = 64 << 10

// A fileSet is a number of files that replace those of before together.
//
// The first file says of how many bytes of the journal the others are. A Reader
// that was stopped with the lock in hand cannot undo what an Owner installs:
// either it looks at the installed length after the Owner replaced that, and
// gives up; or it looked before, and then all its temporary files were there when
// the Owner removed them, and it has nothing left to rename.
type fileSet struct {
	root   *os.Root
	role   Role
	length int64
	files  []*newFile
}

// A newFile is a file under a temporary name, beside the one it will replace.
type newFile struct {
	*os.File
	buffer            *bufio.Writer
	temporary, target string // within the root
}

// render fills the files with what read tells.
func (s *fileSet) render(read Reading, formats []Format) (Digest, error) {
	run, entries, err := read()
	if err != nil {
		return Digest{}, err
	}
	s.length = run.Length
	length, err := s.create(lengthName, 0o600)
	if err != nil {
		return Digest{}, err
	}
	_, _ = fmt.Fprintln(length, run.Length) // an error comes back from the buffer's Flush
	var views []View
	for _, f := range formats {
		w, err := s.create(f.File, f.Perm)
		if err != nil {
			return Digest{}, err
		}
		views = append(views, f.New(w))
	}
	digest, err := render(views, run, entries)
	digest.Formats = formats
	return digest, err
}

// create adds a file of the given name.
func (s *fileSet) create(name string, perm fs.FileMode) (*bufio.Writer, error) {
	// A rename would refuse late, after others went through.
	switch info, err := s.root.Lstat(name); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a folder", filepath.Join(s.root.Name(), name))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	temporary := temporary(name, s.role)
	if err := s.root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// Exclusively, so that no link or file that someone put there is used.
	f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	buffer := bufio.NewWriterSize(f, bufferSize)
	s.files = append(s.files, &newFile{f, buffer, temporary, name})
	return buffer, nil
}

// install brings every file to disk, and then puts them in place in the order
// of their creation.
func (s *fileSet) install() error {
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	for _, f := range s.files {
		if err := s.replace(f); err != nil {
			return err
		}
	}
	return durable.SyncFolder(s.root.Open, ".")
}

// prepare brings every file to disk, under its temporary name.
func (s *fileSet) prepare() error {
	for _, f := range s.files {
		if err := errors.Join(f.buffer.Flush(), f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// check refuses to a Reader what would replace the reports of a longer journal.
func (s *fileSet) check() error {
	var installed int64 // 0 if that is not known
	if text, err := s.root.ReadFile(lengthName); err == nil {
		_, _ = fmt.Sscan(string(text), &installed)
	}
	if s.role == Reader && installed > s.length {
		return ErrStale
	}
	return nil
}

// replace puts a file in place.
func (s *fileSet) replace(f *newFile) error {
	err := s.root.Rename(f.temporary, f.target)
	if s.role == Reader && errors.Is(err, fs.ErrNotExist) {
		return ErrStale // an Owner went ahead
	}
	if s.role == Owner && f.target == lengthName {
		for _, f := range s.files { // what a stopped Reader would rename when it wakes up
			_ = s.root.Remove(temporary(f.target, Reader))
		}
	}
	return err
}

// discard removes what was not put in place. Its errors would hide the one
// that led here, and the next Write removes what is left.
func (s *fileSet) discard() {
	for _, f := range s.files {
		_ = f.Close()
		_ = s.root.Remove(f.temporary)
	}
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"siprotate/batch/durable"
)

// The names of the files that the package keeps in a run directory. The lock
// file stays for good: to remove it would let two processes hold the lock.
const (
	Name     = "journal.jsonl"
	lockName = ".lock"
)

// The errors of a run directory.
var (
	ErrLocked      = errors.New("another process is at work on this run")
	ErrUnplanned   = errors.New("the run's plan was never finished, and nothing was sent")
	ErrNoRun       = errors.New("there is no run here")
	ErrNotEmpty    = errors.New("the folder holds other files and no run")
	ErrUnsafe      = errors.New("unsafe run directory")
	ErrNotAJournal = errors.New("not a journal that this version of siprotate reads")
)

// A DamageError says where a journal is not what was written.
type DamageError struct {
	Path   string
	Offset int64 // of the line, in bytes
	What   string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %s", e.Path, e.Offset, e.What)
}

// Exists reports whether dir holds a journal, whole or not.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, Name))
	return err == nil
}

// A disk opens files and makes names durable. Tests have one that models what a
// power cut leaves.
type disk interface {
	open(root *os.Root, name string, flag int) (file, error)
	syncDir(dir string) error
}

// A file is what the package needs of an [os.File].
type file interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

type osDisk struct{}

func (osDisk) open(root *os.Root, name string, flag int) (file, error) {
	return root.OpenFile(name, flag, 0o600)
}

func (osDisk) syncDir(dir string) error { return durable.SyncFolder(os.Open, dir) }

// A folder is an open run directory. It stays the one that was opened, whatever
// its path comes to name.
type folder struct {
	path string
	root *os.Root
	disk disk
	lock *flock.Flock // nil while it is not locked
}

// prepare makes dir, or sees that an existing one is ours to use: without files
// of another purpose. It returns the folder locked.
func prepare(dir string, d disk) (*folder, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := otherPurpose(dir); err != nil {
		return nil, err // before anything says how to make the folder safe
	}
	f, err := openFolder(dir, d)
	if err != nil {
		return nil, err
	}
	if err := f.takeLock(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// otherPurpose returns ErrNotEmpty for a folder with files that are not ours.
func otherPurpose(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != lockName && e.Name() != Name }) {
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	return err
}

// Check says why dir can be no new run directory: its parent is not there, nothing
// can be written to that, or dir holds other files.
func Check(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return otherPurpose(dir)
	}
	trial, err := os.MkdirTemp(filepath.Dir(dir), ".siprotate-")
	if err != nil {
		return err
	}
	return os.Remove(trial)
}

// openRun opens the directory of a run.
func openRun(dir string, d disk) (*folder, error) {
	if Exists(dir) {
		return openFolder(dir, d)
	}
	err := fmt.Errorf("%s: %w", dir, ErrNoRun)
	if f, opening := openFolder(dir, d); opening == nil {
		err = errors.Join(f.rescued(err), f.close())
	}
	return nil, err
}

// openFolder opens dir, once it is sure that it is a real folder, and that
// nobody else can have put it, or a journal or lock in it, there.
func openFolder(dir string, d disk) (*folder, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: %w: not a folder of its own", dir, ErrUnsafe)
	}
	if how := shared(info); how != "" {
		return nil, fmt.Errorf("%s: %w: %s", dir, ErrUnsafe, how)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{path: dir, root: root, disk: d}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(fmt.Errorf("%s: %w: it was replaced meanwhile", dir, ErrUnsafe), err, f.close())
	}
	if err := errors.Join(f.checkFile(Name), f.checkFile(lockName)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// checkFile refuses a file that is not a plain one, or that somebody else may
// change or read.
func (d *folder) checkFile(name string) error {
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, name)
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w: not a plain file", path, ErrUnsafe)
	}
	if how := shared(info); how != "" {
		return fmt.Errorf("%s: %w: %s", path, ErrUnsafe, how)
	}
	return nil
}

// stranger returns the name of something in the folder that is none of our own
// files, if there is any.
func (d *folder) stranger(own ...string) (string, error) {
	entries, err := os.ReadDir(d.path)
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !slices.Contains(own, entry.Name()) {
			return entry.Name(), err
		}
	}
	return "", err
}

const lockPatience = 500 * time.Millisecond

// takeLock takes the run directory for this process, or fails with ErrLocked.
func (d *folder) takeLock() error {
	l := flock.New(filepath.Join(d.path, lockName), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	// One that only looks whether the run is live has the lock for a moment.
	held, err := l.TryLockContext(ctx, lockPatience/10)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("lock %s: %w", d.path, err)
	}
	if !held {
		return fmt.Errorf("%s: %w", d.path, ErrLocked)
	}
	d.lock = l
	return nil
}

// journal returns the path of the journal.
func (d *folder) journal() string { return filepath.Join(d.path, Name) }

// open opens the journal, which must be the file that was checked and no link.
func (d *folder) open(flag int) (file, error) {
	f, err := d.disk.open(d.root, Name, flag)
	if err != nil {
		return nil, err
	}
	named, err := d.root.Lstat(Name)
	var opened fs.FileInfo
	if err == nil {
		opened, err = f.Stat()
	}
	if err == nil && !os.SameFile(named, opened) {
		err = fmt.Errorf("%s: %w: it was replaced meanwhile", d.journal(), ErrUnsafe)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// discard removes a file, if it is there.
func (d *folder) discard(name string) error {
	if err := d.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes the journal's name and the folder's own durable.
func (d *folder) sync() error {
	return errors.Join(d.disk.syncDir(d.path), d.disk.syncDir(filepath.Dir(d.path)))
}

// close closes the folder, and frees it for others.
func (d *folder) close() error {
	err := d.root.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Unlock())
	}
	return err
}

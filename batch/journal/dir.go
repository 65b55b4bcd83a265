package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
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

// prepare makes dir, or sees that an existing one is ours to use: a real
// folder, that is nobody else's, without files of another purpose.
func prepare(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return syncDir(filepath.Dir(dir))
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := checkDir(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); name != lockName && name != Name {
			return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
		}
	}
	return nil
}

// checkDir refuses a folder, or a journal or lock in it, that somebody else
// may have put there, may change or may read.
func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: %w: not a folder of its own", dir, ErrUnsafe)
	}
	if how := shared(info); how != "" {
		return fmt.Errorf("%s: %w: %s", dir, ErrUnsafe, how)
	}
	for _, name := range []string{Name, lockName} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s: %w: not a plain file", path, ErrUnsafe)
		}
		if how := shared(info); how != "" {
			return fmt.Errorf("%s: %w: %s", path, ErrUnsafe, how)
		}
	}
	return nil
}

// lock takes the run directory for this process, or fails with ErrLocked.
func lock(dir string) (*flock.Flock, error) {
	l := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	held, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
	return l, nil
}

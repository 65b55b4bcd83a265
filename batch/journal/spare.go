package journal

import (
	"io"
	"os"
	"sync"
)

// A spare is a copy of the journal in a file of the run directory that has no
// name: nothing that happens to the names or to the journal's bytes reaches it.
// It ends with the process, and is never synced: its latest bytes wait in memory,
// so that a record costs one write to the disk's cache and not two. Safe for
// concurrent use.
type spare struct {
	file   *os.File
	folder *folder

	mu   sync.Mutex
	size int64  // of the file
	tail []byte // what comes behind the file's bytes
}

const (
	spareName = ".journal.spare" // while it has one
	spareTail = 1 << 16          // bytes at which the tail is written
)

// newSpare copies the journal.
func newSpare(d *folder, journal io.Reader) (*spare, error) {
	if err := d.discard(spareName); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(spareName, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s := &spare{file: f, folder: d}
	_ = d.discard(spareName) // where an open file cannot be removed, close does it
	if s.size, err = io.Copy(f, journal); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *spare) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = append(s.tail, p...)
	if len(s.tail) < spareTail {
		return len(p), nil
	}
	n, err := s.file.Write(s.tail)
	s.size += int64(n)
	s.tail = append(s.tail[:0], s.tail[n:]...)
	return len(p), err
}

func (s *spare) ReadAt(p []byte, at int64) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at < s.size {
		if n, err = s.file.ReadAt(p[:min(int64(len(p)), s.size-at)], at); err != nil {
			return n, err
		}
	}
	if from := at + int64(n) - s.size; n < len(p) && from < int64(len(s.tail)) {
		n += copy(p[n:], s.tail[from:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close closes the file, which is gone then.
func (s *spare) Close() error {
	err := s.file.Close()
	_ = s.folder.discard(spareName)
	return err
}

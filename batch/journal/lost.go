package journal

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"siprotate/batch"
)

// A LostError says that the journal's path no longer names the journal with all
// its bytes: somebody removed, moved, replaced, shortened or overwrote it, or it
// cannot be looked at. No request leaves any more. See [Journal.Rescue].
type LostError struct {
	Path string
	What string
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s is no longer the journal that was written: %s", e.Path, e.What)
}

// lookEvery is how long a look at the journal's path holds. At the usual rate,
// that is a look before every request.
const lookEvery = 100 * time.Millisecond

// An extent is how much of the journal a look compares with the spare copy.
type extent int

const (
	ends  extent = iota // its first bytes and its last
	block               // those, and one block between them: another one each time
	whole
)

const (
	endSize   = 1 << 12 // more than the header and the last record have, as a rule
	blockSize = 1 << 16
)

// Look sees that the journal's path still names the journal, with the bytes that
// were written first and last. The error may be a *LostError.
func (j *Journal) Look() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.look(ends)
}

// look sees that the journal's path still names the journal, whole. Once it is
// lost it stays lost. After an error of the disk it looks all the same: the path
// may be gone with the disk. The caller holds mu.
func (j *Journal) look(e extent) error {
	if j.lost != nil {
		return j.lost
	}
	size, _, failure := j.out.progress() // the disk may well hold less than it was given
	what := cmp.Or(j.missing(size), j.changed(e, size))
	if what != "" {
		j.lost = errors.Join(&LostError{Path: j.folder.journal(), What: what}, failure)
		return j.lost
	}
	if e != ends {
		j.looked = time.Now()
	}
	return failure
}

// missing says what is wrong with the file that the path names; nothing if it
// is the journal, of this size. What cannot be looked at counts as lost: a rescue
// that was not needed harms nobody.
func (j *Journal) missing(size int64) string {
	named, err := os.Lstat(j.folder.journal())
	if errors.Is(err, fs.ErrNotExist) {
		return "it was removed or moved"
	}
	var opened fs.FileInfo
	if err == nil {
		opened, err = j.file.Stat()
	}
	switch {
	case err != nil:
		return fmt.Sprintf("it cannot be looked at: %v", err)
	case !os.SameFile(named, opened):
		return "another file stands in its place"
	case opened.Size() != size:
		return fmt.Sprintf("it has %d bytes and not %d", opened.Size(), size)
	}
	return ""
}

// changed says where the journal's bytes are not those of the spare copy; nothing
// if they are, or if there is no copy yet.
func (j *Journal) changed(e extent, size int64) string {
	if j.out.spare == nil {
		return ""
	}
	if e == whole {
		return j.differs(0, size)
	}
	what := cmp.Or(j.differs(0, min(endSize, size)), j.differs(max(0, size-endSize), size))
	if e == block && what == "" {
		end := min(j.checked+blockSize, size)
		what = j.differs(j.checked, end)
		if j.checked = end; end == size {
			j.checked = 0
		}
	}
	return what
}

// differs compares the bytes of the journal from one offset to another.
func (j *Journal) differs(from, to int64) string {
	for from < to {
		n := min(to-from, blockSize)
		want, got := j.compared[0][:n], j.compared[1][:n]
		if _, err := j.out.spare.ReadAt(want, from); err != nil {
			return "" // there is nothing to compare with
		}
		if _, err := j.file.ReadAt(got, from); err != nil {
			return fmt.Sprintf("it cannot be read: %v", err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Sprintf("its bytes from %d to %d are not what was written", from, from+n)
		}
		from += n
	}
	return ""
}

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

// Rescue writes the passwords that are in force or may be, those of the rows
// that are [batch.Rotated] or [batch.Unknown], to a fresh file with mode 0600,
// and returns its path. It is for a run whose journal is lost or can no longer be
// written, and comes before Close. The file stands beside the run
// directory or, where that cannot be, in stateFolder, which is made with
// mode 0700 if need be. Where there is no such row the path is empty.
//
// The file is a CSV that can be an input again, with the columns row, user_id,
// device_id, sip_id, email, password and outcome. Passwords stand in it as they
// stand in the journal. Those of a vault that seals stand in a column sealed and not
// in password: an input that gave them as passwords would set them as they are.
func (j *Journal) Rescue(stateFolder string) (path string, err error) {
	counts := j.Counts()
	if counts[batch.Rotated]+counts[batch.Unknown] == 0 {
		return "", nil
	}
	defer func() { j.folder.noteRescued(path) }()
	path, err = j.rescueInto(filepath.Dir(j.Dir()))
	if err == nil || stateFolder == "" {
		return path, err
	}
	making := os.MkdirAll(stateFolder, 0o700)
	if making != nil {
		return path, errors.Join(err, making)
	}
	other, failed := j.rescueInto(stateFolder)
	if failed == nil {
		if path != "" {
			os.Remove(path) // it holds less
		}
		return other, nil
	}
	return cmp.Or(path, other), errors.Join(err, failed)
}

// A file of this name in the run directory has the path of the rescue file. It is
// there until a session takes the run up again.
const rescuedName = ".rescued"

// noteRescued leaves that file, if the folder is still there.
func (d *folder) noteRescued(path string) {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		_ = d.root.WriteFile(rescuedName, []byte(full), 0o600)
	}
}

// A RescuedError says that a run cannot be read since its journal was lost while
// it worked, and where its passwords were written then. It wraps nothing: no other
// run may take the place of this one.
type RescuedError struct {
	Err    error
	Rescue string // a path
}

func (e *RescuedError) Error() string {
	return fmt.Sprintf("%v; it was lost while the run worked, and the passwords in force stand in %s", e.Err, e.Rescue)
}

// rescued returns the error of a journal that cannot be read, with the path of
// the rescue file if there is one.
func (d *folder) rescued(err error) error {
	if path, reading := d.root.ReadFile(rescuedName); reading == nil {
		return &RescuedError{err, string(path)}
	}
	return err
}

func (j *Journal) rescueInto(folder string) (path string, err error) {
	f, err := os.CreateTemp(folder, filepath.Base(j.Dir())+".rescued-*.csv") // 0600, and new
	if err != nil {
		return "", err
	}
	err = j.writeRescue(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncDir(folder)
	}
	return f.Name(), err // what could be written is worth having
}

func (j *Journal) writeRescue(to io.Writer) error {
	sealed := j.View
	sealed.vault = Plain // nothing is opened
	out := csv.NewWriter(to)
	column := "sealed"
	if j.vault.Name() == Plain.Name() {
		column = "password"
	}
	_ = out.Write([]string{"row", "user_id", "device_id", "sip_id", "email", column, "outcome"}) // Error returns the first error
	for entry, err := range sealed.Entries() {
		if err != nil {
			return err
		}
		row, outcome := entry.Row, entry.Result.Outcome
		if !outcome.MayBeInForce() {
			continue
		}
		for _, kept := range append([]batch.Kept{{Password: row.Password}}, entry.Beside...) {
			_ = out.Write([]string{
				strconv.Itoa(row.Number), row.UserID, row.DeviceID, row.SIPID, row.Email, kept.Password.Reveal(), outcome.String(),
			})
		}
	}
	out.Flush()
	return out.Error()
}

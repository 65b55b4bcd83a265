package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
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

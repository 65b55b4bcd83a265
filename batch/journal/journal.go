// Package journal keeps the truth of a run on disk: the plan with every
// password, written and synced before the first request, and then what
// happened, as it happens. It makes the run directory, locks it, and finds
// after any crash how every row stands.
//
// The journal is one append-only file of JSON lines, each with a checksum. A
// [Vault] seals the passwords in it. A killed process can leave a torn last line,
// which is cut off. What else is not what was written is damage, and refused as a
// [*DamageError], unless nothing shows that it was on disk once: then the rows
// concerned are in doubt, and no byte is cut.
//
// Before a request leaves, a record of it is written; it survives the death of
// the process as soon as it is written, and a power cut once it is synced,
// which happens within 10 ms. What a power cut may swallow is bounded by a
// high-water mark, synced ahead in blocks: no request leaves beyond it.
//
// Nor does a request leave once the journal is no longer what its path names,
// with all its bytes: see [*LostError] and [Journal.Rescue].
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"siprotate/batch"
	"siprotate/batch/durable"
)

// A Journal is an open run. It is safe for concurrent use.
type Journal struct {
	View
	out    *writer
	closed bool

	// The View's mu guards what follows, too.
	block int  // how far ahead the mark is set
	next  mark // appended, perhaps not yet on disk

	looked   time.Time          // when a block of the journal, or the whole, was last compared
	lost     error              // wraps a *LostError, once it was not
	checked  int64              // up to where blocks of it were compared, in this round
	compared [2][blockSize]byte // room to compare in
}

// A mark is a high-water mark and the end of its record in the file.
type mark struct {
	markRecord
	end int64
}

// The high-water mark is set this many requests ahead at first, and twice as
// many each time that somebody had to wait for it.
const (
	firstBlock = 8
	lastBlock  = 4096
)

func newJournal(d *folder, f file, v Vault, s *state, size int64) *Journal {
	s.live = true
	return &Journal{View: *newView(d, f, v, s, size), out: newWriter(f, size, d.noteUnsynced), block: firstBlock}
}

// Open takes up the run in dir. The error is ErrNoRun, ErrLocked, ErrUnsafe,
// ErrUnplanned, ErrNotAJournal, ErrVault, a *DamageError, a *RescuedError, or one
// of the file system.
func Open(dir string, v Vault) (*Journal, error) { return open(dir, v, osDisk{}) }

func open(dir string, v Vault, d disk) (*Journal, error) {
	folder, err := openRun(dir, d)
	if err != nil {
		return nil, err
	}
	err = folder.takeLock()
	var j *Journal
	if err == nil {
		j, err = folder.resume(v)
	}
	if err != nil {
		return nil, errors.Join(err, folder.close())
	}
	return j, nil
}

func (d *folder) resume(v Vault) (*Journal, error) {
	f, err := d.open(os.O_RDWR)
	if err != nil {
		return nil, err
	}
	s, size, err := d.load(f)
	if err == nil {
		err = s.checkVault(d.journal(), v)
	}
	if err == nil {
		size, err = trim(f, size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := d.sync(); err != nil {
		return nil, err
	}
	// Opened for appending only now: Windows does not let such a file be cut.
	if f, err = d.open(os.O_RDWR | os.O_APPEND); err != nil {
		return nil, err
	}
	return newJournal(d, f, v, s, size), nil
}

// trim cuts the torn end of a write off, completes a last line that lacks only its
// line end, and syncs: what was loaded is then what a later crash will find. A whole
// journal is not written to.
func trim(f file, size int64) (int64, error) {
	info, err := f.Stat()
	if err == nil && info.Size() > size {
		err = f.Truncate(size)
	}
	if err != nil {
		return 0, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return 0, err
	}
	if last[0] != '\n' {
		if _, err := f.WriteAt([]byte("\n"), size); err != nil {
			return 0, err
		}
		size++
	}
	return size, f.Sync()
}

// Begin records that this process takes the run up. It comes before Pending and
// the first request. From here on the View reads from a copy of the journal that
// outlives what is done to the run directory; the copy takes as much room on the
// disk again.
func (j *Journal) Begin(tool string, retryFailed bool) error {
	return j.begin(sessionRecord{Tool: tool, RetryFailed: retryFailed})
}

// BeginVerify records that this process proves passwords of the run. It sends
// nothing: how the run stands, and when it ran, stays as it was.
func (j *Journal) BeginVerify(tool string) error {
	return j.begin(sessionRecord{Tool: tool, Verify: true})
}

func (j *Journal) begin(record sessionRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.copy(); err != nil {
		return err
	}
	record.Type, record.At, record.PID = kindSession, time.Now().UTC(), os.Getpid()
	record.Storage, record.Lost = storageOf(j.folder.path), j.state.before
	end, err := j.append(record, func(at int64) { j.state.addSession(record, at) })
	if err != nil {
		return err
	}
	j.next, j.state.before = mark{}, loss{}
	if err := j.out.sync(end); err != nil {
		return err
	}
	return errors.Join(j.folder.discard(unsyncedName), j.folder.discard(rescuedName))
}

// copy makes the spare copy of the journal. The caller holds mu.
func (j *Journal) copy() error {
	if j.out.spare != nil {
		return j.look(ends)
	}
	s, err := newSpare(j.folder, io.NewSectionReader(j.file, 0, j.length))
	if err != nil {
		return fmt.Errorf("copy the journal: %w", err)
	}
	j.out.spare, j.at = s, s
	return j.look(ends) // the copy is of the whole
}

// Sending records that a request for the row is about to leave, the one that
// makes row.Attempts. Once it returns nil the request may be sent. The error may be
// a *LostError.
func (j *Journal) Sending(row *batch.Row, at time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.reserve(row.Number); err != nil {
		return err
	}
	if j.lost != nil || time.Since(j.looked) >= lookEvery {
		if err := j.look(block); err != nil {
			return err
		}
	}
	record := sendRecord{Type: kindSend, Row: row.Number, Attempts: row.Attempts.Count, At: at.UTC()}
	_, err := j.append(record, func(int64) { j.state.addSend(record) })
	return err
}

// reserve sees that one more request, for the row, lies below a high-water
// mark that is on disk. The caller holds mu.
func (j *Journal) reserve(row int) error {
	for row > j.state.mark.Row || j.state.sends >= j.state.mark.Sends {
		if j.next.Row < row || j.next.Sends <= j.state.sends {
			if err := j.raise(row); err != nil {
				return err
			}
		}
		if _, synced, _ := j.out.progress(); synced < j.next.end {
			j.block = min(2*j.block, lastBlock)
			if err := j.out.sync(j.next.end); err != nil {
				return err
			}
		}
		j.state.mark = j.next.markRecord
	}
	if low := j.state.mark.Sends - j.block/2; j.state.sends >= low && j.next.Sends == j.state.mark.Sends {
		return j.raise(row)
	}
	return nil
}

// raise appends a higher mark; it holds once it is on disk.
func (j *Journal) raise(row int) error {
	record := markRecord{
		Type: kindMark,
		Row:  min(max(row+j.block, j.state.mark.Row), j.state.rows()), Sends: j.state.sends + j.block,
	}
	end, err := j.append(record, func(int64) {})
	if err != nil {
		return err
	}
	j.next = mark{record, end}
	return j.look(ends)
}

// Tried records that a request for the row ended and the row goes on.
func (j *Journal) Tried(r batch.Result) error {
	return j.end(toResultRecord(kindTried, r))
}

// Finish records how a row ended.
func (j *Journal) Finish(r batch.Result) error {
	return j.end(toResultRecord(kindResult, r))
}

func (j *Journal) end(record resultRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := j.append(record, func(at int64) { j.state.addEnd(record, at) })
	return err
}

// Reissue records that the row gets another password, row.Password, since the
// API refused the one before: row.Attempts says how often. Once it returns nil
// the password is on disk.
func (j *Journal) Reissue(row *batch.Row) error { return j.reissue(row, false) }

// Replace records that the row gets another password, row.Password, since the one
// before could not be opened. Where that may be in force, as row.Attempts says,
// both are kept: see [batch.Entry]. Once it returns nil the password is on disk.
func (j *Journal) Replace(row *batch.Row) error { return j.reissue(row, true) }

func (j *Journal) reissue(row *batch.Row, unopened bool) error {
	sealed, err := j.vault.Seal(j.state.header.Run, row.Number, row.Password)
	if err != nil {
		return err
	}
	record := reissueRecord{
		Type: kindReissue, Row: row.Number, Attempts: row.Attempts.Count, Doubt: row.Attempts.Doubt,
		Refused: row.Attempts.Refused, Reissued: row.Attempts.Reissued, Unopened: unopened, Password: sealed,
	}
	j.mu.Lock()
	end, err := j.append(record, func(at int64) { j.state.addReissue(record, at) })
	j.mu.Unlock()
	if err != nil {
		return err
	}
	return j.out.sync(end)
}

// Prove records what the registrar says of a row's password. Once it returns, the
// record outlives the process.
func (j *Journal) Prove(row int, p batch.Proof) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := j.append(toProofRecord(row, p), func(at int64) { j.state.proofs[row] = at })
	return err
}

// Gate records how a gate stands, counted from 1, and why. Once it returns nil the
// record is on disk.
func (j *Journal) Gate(gate int, passed bool, why string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	record := gateRecord{Type: kindGate, Gate: gate, Passed: passed, Why: why, At: time.Now().UTC()}
	end, err := j.append(record, func(int64) { j.state.addGate(record) })
	if err != nil {
		return err
	}
	return j.out.sync(end)
}

// Stop records that this process stops working on the run, syncs, and looks at
// the whole journal, also if it could not be written. The error may be a
// *LostError.
func (j *Journal) Stop(t Totals) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.look(ends); j.lost != nil {
		return err // the file is somebody else's now
	}
	record := stopRecord{Type: kindStop, At: time.Now().UTC(), Totals: t}
	end, err := j.append(record, func(int64) { j.state.addStop(record) })
	if err == nil {
		err = j.out.sync(end)
	}
	return cmp.Or(j.look(whole), err)
}

// append writes a record, and calls add with its offset once it is written. It
// returns where the record ends. The caller holds mu.
func (j *Journal) append(record any, add func(at int64)) (end int64, err error) {
	at, end, err := j.out.append(record)
	if err == nil {
		j.length = end
		add(at)
	}
	return end, err
}

// Remove removes the run, with the reports that are named: all files of the
// directory but for the lock. A directory that holds anything else is left as it
// is, and an error.
func (j *Journal) Remove(reports ...string) error {
	own := slices.Concat(reports, []string{spareName, unsyncedName, rescuedName, purgeName, Name}) // the journal last
	stranger, err := j.folder.stranger(append(own, lockName)...)
	if err == nil && stranger != "" {
		err = fmt.Errorf("%s holds %s, which no run made", j.Dir(), stranger)
	}
	for _, name := range own {
		if err == nil {
			err = j.folder.discard(name)
		}
	}
	return cmp.Or(err, durable.SyncFolder(os.Open, j.Dir()))
}

// Close syncs, closes the journal and frees the run directory. Another call
// does nothing.
func (j *Journal) Close() error {
	if j.closed {
		return nil
	}
	j.closed = true
	return errors.Join(j.out.close(), j.folder.close())
}

package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"siprotate/batch"
)

// A View is how a run stands: its plan and what happened to each row. It reads
// rows from the file as they are asked for and keeps a few bytes of each in
// memory. The View of an open [Journal] follows it and may be used at the same
// time; one made by [Read] stays as it was made.
type View struct {
	dir   string
	at    io.ReaderAt
	state *state
	guard *sync.Mutex // guards state
}

// Read looks at the run in dir, also at one that another process is at work
// on; a request that is under way there shows as [batch.Unknown]. Call close
// when the View is done with. The errors are those of [Open], less ErrLocked.
func Read(dir string) (v *View, close func() error, err error) {
	f, err := openJournal(dir, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	s, _, err := load(f.Name(), f, 0)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	s.endSession(bootID(), time.Now())
	return &View{dir: dir, at: f, state: s, guard: new(sync.Mutex)}, f.Close, nil
}

// ReadHead tells whose run dir holds, from the first record of its journal
// alone. The errors are those of [Open], less ErrLocked and ErrUnplanned.
func ReadHead(dir string) (Head, error) {
	f, err := openJournal(dir, os.O_RDONLY)
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	line, _, _, err := newScanner(f.Name(), f).next()
	s := newState(0)
	if err == nil && intact(line) {
		err = s.apply(line, 0, 0)
	}
	if err != nil || s.header.Type == "" {
		return Head{}, fmt.Errorf("%s: %w", f.Name(), ErrNotAJournal)
	}
	return s.header.head(), nil
}

// openJournal opens the journal in dir, once it is sure that nobody else put it
// there.
func openJournal(dir string, flag int) (*os.File, error) {
	if !Exists(dir) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoRun)
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, Name), flag|noFollow, 0)
}

// Dir returns the run directory.
func (v *View) Dir() string { return v.dir }

// An Info says whose run it is, and when it ran.
type Info struct {
	Head
	SHA256    string   // the input's checksum, in hex
	Columns   []string // the names of the input's other columns
	Rows      int
	Requests  int           // sent so far
	Throttled int           // those refused for exceeding the allowance
	Waited    time.Duration // waited for the allowance, in the sessions that were laid down
	StartedAt time.Time     // of the first session; zero if there was none
	StoppedAt time.Time     // of the last one; zero while it runs, or if it died
	Stopped   string        // why the last session stopped early
}

// Info returns what is known of the run as a whole.
func (v *View) Info() Info {
	v.guard.Lock()
	defer v.guard.Unlock()
	s := v.state
	return Info{
		Head:   s.header.head(),
		SHA256: s.planned.SHA256, Columns: s.planned.Columns, Rows: s.rows(),
		Requests: s.sends, Throttled: s.throttled, Waited: s.waited,
		StartedAt: s.startedAt, StoppedAt: s.stoppedAt, Stopped: s.why,
	}
}

// Counts returns how many rows stand how.
func (v *View) Counts() map[batch.Outcome]int {
	v.guard.Lock()
	defer v.guard.Unlock()
	counts := map[batch.Outcome]int{}
	for row := range v.state.standing {
		counts[v.state.outcome(row+1)]++
	}
	return counts
}

// Recent returns the times of the latest answers, as many as [Open] was told
// to keep, and for requests without a known answer the time of opening.
func (v *View) Recent() []time.Time { return v.state.recent.times }

// Held returns until when the far side asked to send nothing, as of opening;
// zero if it did not.
func (v *View) Held() time.Time { return v.state.held }

// Pending returns how many rows are to be sent, and yields them in order. What
// is pending is decided when a row's turn comes, before it is sent. A failed row
// that is sent again may be given as many new passwords as at first.
func (v *View) Pending(retryFailed bool) (int, iter.Seq2[batch.Row, error]) {
	pending := func(row int) bool {
		v.guard.Lock()
		defer v.guard.Unlock()
		return v.state.pending(row, retryFailed)
	}
	count := 0
	for row := range v.state.rows() {
		if pending(row + 1) {
			count++
		}
	}
	return count, func(yield func(batch.Row, error) bool) {
		for entry, err := range v.entries(pending) {
			row := entry.Row
			row.Attempts = entry.Result.Attempts
			if entry.Result.Outcome == batch.Failed {
				row.Attempts.Reissued = 0
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Entries yields every row of the run with how it stands, in input order.
func (v *View) Entries() iter.Seq2[batch.Entry, error] {
	return v.entries(func(int) bool { return true })
}

func (v *View) entries(wanted func(row int) bool) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		plan := newScanner(filepath.Join(v.dir, Name), io.NewSectionReader(v.at, 0, v.state.planEnd))
		results := &lineReader{at: v.at}
		for number := 1; number <= v.state.rows(); {
			line, _, _, err := plan.next()
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			if kindOf(line) != kindRow {
				continue
			}
			if wanted(number) {
				entry, err := v.entry(number, line, results)
				if !yield(entry, err) || err != nil {
					return
				}
			}
			number++
		}
	}
}

// entry joins the plan's line of a row with the row's latest records.
func (v *View) entry(number int, line []byte, results *lineReader) (batch.Entry, error) {
	var planned rowRecord
	if err := decode(line, &planned); err != nil {
		return batch.Entry{}, err
	}
	if planned.Row != number {
		return batch.Entry{}, fmt.Errorf("the plan has row %d in the place of row %d", planned.Row, number)
	}
	row, err := planned.row()
	if err != nil {
		return batch.Entry{}, err
	}
	result, err := v.result(number, results)
	if err != nil {
		return batch.Entry{}, err
	}
	row.Password, err = v.password(row, &result, results)
	return batch.Entry{Row: row, Result: result}, err
}

const (
	noteInFlight  = "the run ended before an answer came"
	noteMaybeSent = "the machine went down; a request may have left before"
)

func (v *View) result(number int, results *lineReader) (batch.Result, error) {
	v.guard.Lock()
	at, outcome := v.state.last[number-1], v.state.outcome(number)
	maybe := v.state.standing[number-1]&maybeSent != 0
	send, lost := v.state.lost[number]
	if !lost {
		send, lost = v.state.flights[number]
	}
	v.guard.Unlock()

	result := batch.Result{Row: number}
	if at != 0 {
		var record resultRecord
		line, err := results.read(at)
		if err == nil {
			err = decode(line, &record)
		}
		if err != nil {
			return result, err
		}
		result = record.result()
	}
	result.Outcome = outcome
	switch {
	case lost:
		result.Attempts.Count, result.Attempts.Doubt = send.Attempts, true
		if result.Attempts.FirstSent.IsZero() {
			result.Attempts.FirstSent = send.At
		}
		result.Note = noteInFlight
	case maybe:
		result.Attempts.Doubt = true
		result.Note = noteMaybeSent
	}
	return result, nil
}

// password returns the password that the row has now: that of the plan, or the
// latest that was drawn instead.
func (v *View) password(row batch.Row, result *batch.Result, results *lineReader) (batch.Secret, error) {
	v.guard.Lock()
	at, reissued := v.state.reissues[row.Number]
	v.guard.Unlock()
	if !reissued {
		return row.Password, nil
	}
	var record reissueRecord
	line, err := results.read(at)
	if err == nil {
		err = json.Unmarshal(line, &record)
	}
	if err != nil {
		return batch.Secret{}, err
	}
	result.Attempts.Reissued = record.Reissued
	return open(record.Password)
}

// A lineReader reads lines at any offset. Lines near each other, as the
// results of neighbouring rows are, cost one read together.
type lineReader struct {
	at   io.ReaderAt
	buf  []byte
	from int64
	end  bool // the buffer holds the file's last byte
}

// A read starts somewhat before the line that is asked for: results stand
// almost in the order of their rows, and the next one may be a little back.
const (
	readAhead  = 1 << 16
	readBefore = 1 << 13
)

func (r *lineReader) read(at int64) ([]byte, error) {
	line := r.line(at)
	for size := readAhead; line == nil; size *= 2 {
		if size > maxLine {
			return nil, fmt.Errorf("no record at byte %d of the journal", at)
		}
		if err := r.fill(max(0, at-readBefore), size); err != nil {
			return nil, err
		}
		line = r.line(at)
	}
	return line, nil
}

func (r *lineReader) fill(from int64, size int) error {
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	n, err := r.at.ReadAt(r.buf[:size], from)
	r.buf, r.from, r.end = r.buf[:n], from, err == io.EOF
	if r.end {
		return nil
	}
	return err
}

// line returns the line at an offset if the buffer holds the whole of it.
func (r *lineReader) line(at int64) []byte {
	if at < r.from || at >= r.from+int64(len(r.buf)) {
		return nil
	}
	rest := r.buf[at-r.from:]
	end := bytes.IndexByte(rest, '\n')
	switch {
	case end >= 0:
		return rest[:end]
	case r.end: // a crash cut off no more than the line end
		return rest
	}
	return nil
}

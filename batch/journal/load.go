package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// maxLine bounds one record. A row of the input is far smaller: cells and
// columns are limited when it is read.
const maxLine = 256 << 20

// A scanner reads a journal line by line.
type scanner struct {
	path   string
	in     *bufio.Reader
	offset int64 // of the next line
	long   []byte
}

func newScanner(path string, r io.Reader) *scanner {
	return &scanner{path: path, in: bufio.NewReaderSize(r, 1<<16)}
}

// next returns the next line without its line end, and where it starts; whole
// says that there was a line end. The line is valid until the next call. After
// the last line the error is io.EOF.
func (s *scanner) next() (line []byte, at int64, whole bool, err error) {
	at = s.offset
	s.long = s.long[:0]
	for {
		piece, err := s.in.ReadSlice('\n')
		s.offset += int64(len(piece))
		if err == nil && len(s.long) == 0 {
			return piece[:len(piece)-1], at, true, nil
		}
		s.long = append(s.long, piece...)
		switch {
		case err == nil:
			return s.long[:len(s.long)-1], at, true, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(s.long) <= maxLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, at, false, s.damaged(at, "a record without an end")
		case errors.Is(err, io.EOF) && len(s.long) > 0:
			return s.long, at, false, nil
		case errors.Is(err, io.EOF):
			return nil, at, false, io.EOF
		default:
			return nil, at, false, fmt.Errorf("read %s: %w", s.path, err)
		}
	}
}

// notTheFirst is what is wrong with a journal that does not say whose it is.
const notTheFirst = "its first record is not what was written"

func (s *scanner) damaged(at int64, what string) error {
	return &DamageError{Path: s.path, Offset: at, What: what}
}

// load reads the folder's journal, and settles what its last session left open.
// Where it cannot, and was lost once while a run worked, the error is a
// *RescuedError.
func (d *folder) load(f io.Reader) (*state, int64, error) {
	s, size, err := load(d.journal(), f)
	if err != nil {
		return nil, 0, d.rescued(err)
	}
	s.before = s.loss(d.kept(s))
	s.endSession(s.before, time.Now())
	return s, size, nil
}

// load reads a journal into a state. It returns the length of the part that
// was understood; what follows it is the torn end of a write that was cut short.
// Records that are damaged at the end, where nothing shows that they were on
// disk, count as lost: see state.loss. The error is a *DamageError,
// ErrUnplanned, ErrNotAJournal, or one of reading.
func load(path string, r io.Reader) (s *state, size int64, err error) {
	return walk(path, r, func([]byte) error { return nil })
}

// walk loads a journal, and shows each line that counts to see, whose error ends
// it.
func walk(path string, r io.Reader, see func(line []byte) error) (s *state, size int64, err error) {
	s = newState()
	in := newScanner(path, r)
	for {
		line, at, whole, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		if !intact(line) {
			if torn(line, whole) {
				break
			}
			if line, at, err = in.skip(s, line, at); err != nil {
				return nil, 0, err
			}
			if line == nil {
				size = in.offset
				break
			}
			whole = true
		}
		end := at + int64(len(line)) + 1
		if err := s.apply(line, at, end); err != nil {
			if errors.Is(err, ErrNotAJournal) {
				return nil, 0, fmt.Errorf("%s: %w", path, err)
			}
			return nil, 0, in.damaged(at, err.Error())
		}
		if err := see(line); err != nil {
			return nil, 0, err
		}
		size = end
		if !whole { // all but the line end was written
			size--
		}
	}
	if s.planned.Type == "" {
		return nil, 0, fmt.Errorf("%s: %w", path, ErrUnplanned)
	}
	return s, size, nil
}

// torn reports whether a line that is not intact is the beginning of a record,
// cut short by the end of the process that wrote it.
func torn(line []byte, whole bool) bool {
	sum := bytes.LastIndex(line, []byte(sumMember))
	if whole || sum >= 0 && len(line)-sum >= sumLength {
		return false
	}
	for rest := line; utf8.FullRune(rest); { // the last character may be cut short, too
		r, size := utf8.DecodeRune(rest)
		if r < ' ' || r == utf8.RuneError {
			return false
		}
		rest = rest[size:]
	}
	return bytes.HasPrefix(line, []byte(lineStart)) || bytes.HasPrefix([]byte(lineStart), line)
}

// skip reads on behind a line that is not what was written. It returns the record of
// the session that took note of the loss, or no line at all at the end of the
// file. It never passes over what was on disk once: such damage is an error, and so
// is any in a plan but a stretch that the disk never got and that reads as zeros.
func (s *scanner) skip(st *state, bad []byte, at int64) ([]byte, int64, error) {
	zeros := bytes.Contains(bad, []byte{0, 0})
	h := hole{state: st, from: at, bytes: len(bad)}
	for {
		line, next, _, err := s.next()
		if errors.Is(err, io.EOF) && (st.planned.Type != "" || zeros) {
			st.hole = h
			return nil, 0, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, 0, s.damaged(at, "this record is not what was written")
		}
		if err != nil {
			return nil, 0, err
		}
		if !intact(line) {
			h.bytes += len(line)
			continue
		}
		known, proof, err := h.examine(line)
		if err != nil {
			return nil, 0, s.damaged(next, err.Error())
		}
		if known {
			return line, next, nil
		}
		if proof {
			return nil, 0, s.damaged(at, "this record is not what was written, and was on disk once")
		}
	}
}

// A hole is a stretch of a journal that is not what was written.
type hole struct {
	state *state // before the hole
	from  int64  // offset
	bytes int    // that are not what was written
	sends int    // requests that are recorded behind it
}

// examine looks at an intact line behind the hole. The line is known if it is the
// record of a session that took note of this hole. It is a proof if it was
// written only once everything before the hole's end was on disk, or if it holds
// a password.
func (h *hole) examine(line []byte) (known, proof bool, err error) {
	var record struct {
		Row  int  `json:"row"`
		Lost loss `json:"lost"`
	}
	if err := json.Unmarshal(line, &record); err != nil {
		return false, false, err
	}
	s := h.state
	switch kind := kindOf(line); {
	case kind == kindSession:
		known = s.planned.Type != "" && record.Lost.From == h.from
		return known, !known, nil
	case s.planned.Type == "":
		return false, kind != kindRow && kind != kindResult, nil
	case kind == kindReissue, !s.open:
		return false, true, nil
	case kind == kindSend:
		h.sends++
		if s.has(record.Row) && !s.pending(record.Row, s.session.RetryFailed) {
			return false, true, nil // another session sends it
		}
	case kind == kindMark, kind == kindStop:
		return false, false, nil
	}
	return false, record.Row > s.mark.Row || s.sends+h.sends > s.mark.Sends, nil
}

// apply feeds one intact line to the state.
func (s *state) apply(line []byte, at, end int64) error {
	kind := kindOf(line)
	if s.header.Type == "" && kind != kindHeader {
		return errors.New("the journal's beginning is not there")
	}
	if inPlan := s.planned.Type == ""; inPlan != (kind == kindHeader || kind == kindRow || kind == kindPlanned) && kind != kindResult {
		return errMisplaced
	}
	switch kind {
	case kindHeader:
		return s.applyHeader(line)
	case kindRow:
		s.addRow()
		return nil
	case kindPlanned:
		s.planEnd = end
		return s.applyPlanned(line)
	}
	if s.planned.Type != "" && s.sessionAt == 0 && kind != kindSession {
		return errMisplaced
	}
	return s.applyEvent(kind, line, at)
}

var errMisplaced = errors.New("a record that does not belong here")

func (s *state) applyHeader(line []byte) error {
	if s.header.Type != "" {
		return errMisplaced
	}
	if err := json.Unmarshal(line, &s.header); err != nil {
		return err
	}
	if s.header.Format != format {
		return fmt.Errorf("%w: it has format %d, this is for %d", ErrNotAJournal, s.header.Format, format)
	}
	return nil
}

func (s *state) applyPlanned(line []byte) error {
	if err := json.Unmarshal(line, &s.planned); err != nil {
		return err
	}
	if s.planned.Rows != s.rows() {
		return fmt.Errorf("the plan has %d rows and holds %d", s.planned.Rows, s.rows())
	}
	return nil
}

func (s *state) applyEvent(kind string, line []byte, at int64) error {
	switch kind {
	case kindSession:
		return with(s, line, func(r sessionRecord) { s.addSession(r, at) })
	case kindMark:
		return with(s, line, func(r markRecord) { s.mark = r })
	case kindStop:
		return with(s, line, s.addStop)
	case kindSend:
		return with(s, line, s.addSend)
	case kindTried, kindResult:
		return with(s, line, func(r resultRecord) { s.addEnd(r, at) })
	case kindProof:
		return with(s, line, func(r proofRecord) { s.proofs[r.Row] = at })
	case kindGate:
		return with(s, line, s.addGate)
	case kindReissue:
		return with(s, line, func(r reissueRecord) { s.addReissue(r, at) })
	}
	return fmt.Errorf("a record of unknown kind %q", kind)
}

// with reads a line as a record, and adds it if its row, should it be about one, is
// in the plan.
func with[R any](s *state, line []byte, add func(R)) error {
	var record R
	if err := json.Unmarshal(line, &record); err != nil {
		return err
	}
	if r, ok := any(record).(interface{ about() int }); ok && !s.has(r.about()) {
		return fmt.Errorf("row %d is not in the plan", r.about())
	}
	add(record)
	return nil
}

func (r sendRecord) about() int    { return r.Row }
func (r resultRecord) about() int  { return r.Row }
func (r proofRecord) about() int   { return r.Row }
func (r reissueRecord) about() int { return r.Row }

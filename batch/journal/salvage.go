package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"siprotate/batch"
)

// Salvage looks at a run as [Read] does, also where its journal is damaged in what
// was on disk once. Of such a journal the View has what is left: the rows of the
// plan that can be read, [batch.Unknown] unless their rotation is on record. Only
// its Entries, Info and Counts mean something then. The errors are those of Read;
// a journal whose first record is not whole stays a *DamageError.
func Salvage(dir string, v Vault) (*View, error) {
	view, err := Read(dir, v)
	if errors.As(err, new(*DamageError)) || errors.As(err, new(*RescuedError)) {
		return read(dir, v, func(d *folder, f io.Reader) (*state, int64, error) { return salvage(d.journal(), f) })
	}
	return view, err
}

// A salvager adds up the records of a journal that are what was written, and
// leaves out what does not fit, since records before it are gone.
type salvager struct {
	*state
	hole  int64         // where the latest line stands that is not what was written
	given map[int]given // by row
	gone  map[int]bool  // rows whose password is in no record
	read  int           // rows of the plan
	most  int           // the highest number of a row in any record
}

// A given is the latest record of a row's password.
type given struct {
	reissued int // passwords that were drawn since the row was planned, or failed
	at       int64
}

func salvage(path string, r io.Reader) (*state, int64, error) {
	s := salvager{state: newState(), given: map[int]given{}, gone: map[int]bool{}}
	s.salvaged = true
	in := newScanner(path, r)
	for {
		line, at, _, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		whole, start := cutDamage(line, at)
		if start > at {
			s.hole = at
		}
		line, at = whole, start
		switch {
		case !intact(line):
			s.hole = at
		case at > 0:
			s.add(line, at)
		default:
			_ = s.apply(line, 0, 0)
		}
	}
	if s.header.Type == "" {
		return nil, 0, in.damaged(0, notTheFirst)
	}
	s.planEnd = in.offset
	s.unread = max(s.planned.Rows, s.most) - s.read
	for i := range s.standing {
		switch outcome := s.outcome(i + 1); {
		case outcome == batch.Invalid, outcome == batch.Rotated && !s.gone[i+1]:
		default:
			s.standing[i] |= maybeSent
		}
	}
	s.endSession(loss{}, time.Now())
	return s.state, in.offset, nil
}

// shortestRow is less than the bytes of any row of a plan.
const shortestRow = int64(len(`{"type":"row","row":1,"line":2,"crc":"00000000"}`))

// cutDamage cuts what comes before an intact record off a line: the line end
// before it may be gone.
func cutDamage(line []byte, at int64) ([]byte, int64) {
	if start := bytes.LastIndex(line, []byte(lineStart)); start > 0 && intact(line[start:]) {
		return line[start:], at + int64(start)
	}
	return line, at
}

func (s *salvager) add(line []byte, at int64) {
	kind := kindOf(line)
	var r struct { // what the records below have in common
		Row      int           `json:"row"`
		Reissued int           `json:"reissued"`
		Attempts int           `json:"attempts"`
		Outcome  batch.Outcome `json:"outcome"`
	}
	if err := json.Unmarshal(line, &r); err != nil || int64(r.Row) > at/shortestRow {
		return // there is no room before it for so many rows
	}
	s.most = max(s.most, r.Row)
	switch kind {
	case kindRow:
		if r.Row <= s.rows() {
			return
		}
		s.read++
		s.given[r.Row] = given{0, at}
		for s.rows() < r.Row {
			s.addRow()
		}
		return
	case kindPlanned:
		_ = s.applyPlanned(line)
		return
	}
	if s.applyEvent(kind, line, at) != nil {
		return
	}
	switch kind {
	case kindReissue:
		s.given[r.Row] = given{r.Reissued, at}
	case kindResult:
		last := s.given[r.Row]
		// A row that was sent once has what was planned or drawn before that. One
		// that was sent more often may have failed in between, and draws are
		// counted anew then. A sealed password may be replaced without a count.
		again := r.Attempts > 1 || s.header.Vault != Plain.Name()
		s.gone[r.Row] = r.Reissued != last.reissued || again && s.hole > last.at
		if r.Outcome == batch.Failed {
			s.given[r.Row] = given{0, last.at}
		}
	}
}

// salvage yields the rows of a damaged journal that can be read.
func (v *View) salvage(yield func(batch.Entry, error) bool) {
	plan := newScanner(v.folder.journal(), io.NewSectionReader(v.at, 0, v.state.planEnd))
	results := newLineReader(v.folder.journal(), v.at)
	last := 0
	for {
		line, at, _, err := plan.next()
		if errors.Is(err, io.EOF) {
			return
		}
		line, _ = cutDamage(line, at)
		var planned rowRecord
		switch {
		case err != nil:
			yield(batch.Entry{}, err)
			return
		case !intact(line) || kindOf(line) != kindRow || json.Unmarshal(line, &planned) != nil || planned.Row <= last || planned.Row > v.state.rows():
			continue
		}
		if last = planned.Row; planned.Password == "" {
			continue // it was never to be sent
		}
		entry, err := v.entry(planned.Row, line, results)
		if !yield(entry, err) || err != nil {
			return
		}
	}
}

package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
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
	if damage := (*DamageError)(nil); !errors.As(err, &damage) {
		return view, err
	}
	d, err := openRun(dir, osDisk{})
	if err != nil {
		return nil, err
	}
	f, err := d.open(os.O_RDONLY)
	if err == nil {
		var s *state
		var size int64
		s, size, err = salvage(d.journal(), f)
		view, err = d.viewOf(f, v, s, size, err)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return view, nil
}

// A salvager adds up the records of a journal that are what was written, and
// leaves out what does not fit, since records before it are gone.
type salvager struct {
	*state
	hole  int64         // where the latest line stands that is not what was written
	given map[int]given // by row
	gone  map[int]bool  // rows whose password is in no record
	read  int           // rows of the plan
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
		line, at = cutDamage(line, at)
		switch {
		case at == 0 && (!intact(line) || s.apply(line, 0, 0) != nil):
			return nil, 0, in.damaged(0, "its first record is not what was written")
		case !intact(line):
			s.hole = at
		case at > 0:
			s.add(line, at)
		}
	}
	s.planEnd = in.offset
	s.unread = max(s.planned.Rows, s.rows()) - s.read
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
	switch kind {
	case kindRow:
		_ = json.Unmarshal(line, &r)
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
		_ = json.Unmarshal(line, &r)
		s.given[r.Row] = given{r.Reissued, at}
	case kindResult:
		_ = json.Unmarshal(line, &r)
		last := s.given[r.Row]
		// A row that was sent once has what was planned or drawn before that. One
		// that was sent more often may have failed in between, and draws are
		// counted anew then.
		s.gone[r.Row] = r.Reissued != last.reissued || r.Attempts > 1 && s.hole > last.at
		if r.Outcome == batch.Failed {
			s.given[r.Row] = given{0, last.at}
		}
	}
}

// salvage yields the rows of a damaged journal that can be read.
func (v *View) salvage(yield func(batch.Entry, error) bool) {
	plan := newScanner(v.folder.journal(), io.NewSectionReader(v.at, 0, v.state.planEnd))
	results := newLineReader(v.folder.journal(), v.at)
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
		case !intact(line) || kindOf(line) != kindRow || json.Unmarshal(line, &planned) != nil || planned.Password == "":
			continue // a row that was never to be sent has no password
		}
		entry, err := v.entry(planned.Row, line, results)
		if !yield(entry, err) || err != nil {
			return
		}
	}
}

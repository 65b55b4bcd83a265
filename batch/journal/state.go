package journal

import (
	"slices"
	"time"

	"siprotate/batch"
)

// A state is what a journal's records add up to. It keeps a few bytes a row:
// where the row's latest record stands, and how the row stands. Loading and
// running feed it the same records.
type state struct {
	header  headerRecord
	planned plannedRecord
	planEnd int64 // where the plan's last line ends

	last     []int64            // by row: the offset of its latest result or tried record, 0 if none
	standing []standing         // by row
	flights  map[int]sendRecord // rows with a request under way
	lost     map[int]sendRecord // rows whose last request was under way when a session died
	reissues map[int]int64      // rows with another password: the offset of its record
	proofs   map[int]int64      // rows whose password was proved: the offset of the latest record
	gates    int                // that were passed
	closed   bool               // the latest gate stayed closed
	beside   map[int][]int64    // rows with others that may be in force instead: their offsets, 0 for the plan's

	session   sessionRecord
	sessionAt int64 // offset of the session's record, 0 before the first
	open      bool  // the session did not stop yet, and is not known to have died
	mark      markRecord
	hole      hole // at the end of the journal; zero if there is none
	before    loss // of the last session's records, not noted yet
	salvaged  bool // the journal is damaged: see Salvage
	unread    int  // rows of such a plan that cannot be read

	sends     int
	throttled int
	traffic   traffic
	waited    time.Duration
	startedAt time.Time
	stoppedAt time.Time
	latest    time.Time     // of the present session's records
	worked    time.Duration // the sum of the sessions before the present one
	why       string        // why the last session stopped early

	live   bool // the journal is loaded; recent and held stay as they are
	recent recent
	held   time.Time // the API asked to send nothing before
}

// A standing is how a row stands, as bits: its outcome, and what may be besides.
type standing uint8

const (
	outcomeBits standing = 0x07
	maybeSent   standing = 0x10 // a request may have left, though no record of it was kept
)

func (s standing) outcome() batch.Outcome { return batch.Outcome(s & outcomeBits) }

func newState() *state {
	return &state{
		flights: map[int]sendRecord{}, lost: map[int]sendRecord{}, reissues: map[int]int64{},
		proofs: map[int]int64{}, beside: map[int][]int64{}, traffic: traffic{minutes: map[int64]*batch.Minute{}},
	}
}

func (s *state) addRow() {
	s.last = append(s.last, 0)
	s.standing = append(s.standing, 0)
}

func (s *state) rows() int { return len(s.standing) }

func (s *state) has(row int) bool { return row >= 1 && row <= s.rows() }

func (s *state) addSession(r sessionRecord, at int64) {
	s.endSession(r.Lost, r.At)
	s.worked += s.working()
	s.session, s.sessionAt, s.open, s.latest = r, at, true, r.At
	// No more than what is recorded has left before this session; what may have
	// left besides is spent by now.
	s.mark = markRecord{Sends: s.sends}
	s.traffic.latest = time.Time{}
	if r.Verify {
		return // how the run stands stays as it was
	}
	if s.startedAt.IsZero() {
		s.startedAt = r.At
	}
	s.stoppedAt, s.why = time.Time{}, ""
}

// working returns how long the present session has worked, up to its latest
// record.
func (s *state) working() time.Duration {
	if s.session.Verify {
		return 0
	}
	return max(0, s.latest.Sub(s.session.At))
}

func (s *state) addSend(r sendRecord) {
	s.sends++
	s.traffic.sent(r)
	s.latest = r.At
	s.flights[r.Row] = r
}

func (s *state) addGate(r gateRecord) {
	if s.closed = !r.Passed; r.Passed {
		s.gates = max(s.gates, r.Gate)
	}
}

// addEnd adds the end of a request: a tried record, or a result.
func (s *state) addEnd(r resultRecord, at int64) {
	s.land(r)
	s.last[r.Row-1] = at
	outcome := r.Outcome
	if r.Type == kindTried {
		outcome = batch.NotAttempted
		if r.Doubt != "" {
			outcome = batch.Unknown
		}
	}
	s.standing[r.Row-1] = standing(outcome)
}

func (s *state) land(r resultRecord) {
	delete(s.lost, r.Row)
	s.latest = r.At
	if _, flying := s.flights[r.Row]; !flying {
		return
	}
	delete(s.flights, r.Row)
	if !s.live {
		s.recent.add(r.At)
		s.held = later(s.held, r.Held)
	}
	if r.Throttled {
		s.throttled++
		s.traffic.minute(r.At).Throttled++
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// addReissue gives a row another password. The one before stays beside it where
// nobody could open it and it may be in force; where no request is in doubt,
// none before can be.
func (s *state) addReissue(r reissueRecord, at int64) {
	switch {
	case r.Doubt == "":
		delete(s.beside, r.Row)
	case r.Unopened:
		s.beside[r.Row] = append(s.beside[r.Row], s.reissues[r.Row])
	}
	s.reissues[r.Row] = at
	delete(s.proofs, r.Row) // of the other password
}

func (s *state) addStop(r stopRecord) {
	s.open, s.latest = false, r.At
	if s.session.Verify {
		return
	}
	s.stoppedAt, s.why = r.At, r.Totals.Stopped
	s.waited += r.Totals.Waited
}

// loss returns what may be lost of the records of a session that did not stop.
// kept says that what was written is still there, synced or not.
func (s *state) loss(kept bool) loss {
	if s.hole.from != 0 {
		return s.holeLoss()
	}
	if kept || !s.open {
		return loss{}
	}
	return loss{Row: s.mark.Row, Sends: max(0, s.mark.Sends-s.sends)}
}

// shortestSend is less than the bytes of any record of a request.
const shortestSend = len(`{"type":"send","row":1,"attempts":1,"at":"2006-01-02T15:04:05Z","crc":"00000000"}`)

// holeLoss returns what a hole may have swallowed: all that the mark allowed,
// and marks with requests beyond it. Those are for the next rows that were to be
// sent, give or take the requests that were under way at once; where rows are
// scattered, for any.
func (s *state) holeLoss() loss {
	hidden := s.hole.bytes / shortestSend
	l := loss{From: s.hole.from, Sends: hidden}
	beyond := hidden + firstBlock
	if s.open {
		l.Row, l.Sends = s.mark.Row, hidden+max(0, s.mark.Sends-s.sends)
		beyond = hidden + max(firstBlock, s.mark.Sends-s.sends)
	}
	if s.header.Scattered {
		l.Row = s.rows()
	}
	for l.Row < s.rows() && beyond > 0 {
		l.Row++
		if s.mayHaveBeenSent(l.Row) {
			beyond--
		}
	}
	return l
}

// maxLost bounds the lost requests that are counted against an allowance.
const maxLost = 1 << 20

// endSession settles what the last session left open. Requests under way are in
// doubt, and so are the rows whose records may be lost.
func (s *state) endSession(l loss, now time.Time) {
	for row := 1; row <= min(l.Row, s.rows()); row++ {
		if s.mayHaveBeenSent(row) {
			s.standing[row-1] |= maybeSent
		}
	}
	for range len(s.flights) + min(l.Sends, maxLost) {
		if !s.live {
			s.recent.add(now)
		}
	}
	for row, send := range s.flights {
		s.standing[row-1] = standing(batch.Unknown) | maybeSent
		s.lost[row] = send
	}
	clear(s.flights)
	s.hole, s.open = hole{}, false
}

func (s *state) mayHaveBeenSent(row int) bool {
	switch s.standing[row-1].outcome() {
	case batch.NotAttempted:
		return true
	case batch.Failed:
		return s.session.RetryFailed && s.last[row-1] < s.sessionAt
	}
	return false
}

// outcome returns how a row stands now.
func (s *state) outcome(row int) batch.Outcome {
	if _, flying := s.flights[row]; flying || s.standing[row-1]&maybeSent != 0 {
		return batch.Unknown
	}
	return s.standing[row-1].outcome()
}

// pending reports whether a session shall send the row.
func (s *state) pending(row int, retryFailed bool) bool {
	switch s.outcome(row) {
	case batch.NotAttempted, batch.Unknown:
		return true
	case batch.Failed:
		return retryFailed
	}
	return false
}

// recentFor is how far back the times of answers are kept, from the latest one: no
// allowance has a longer window.
const recentFor = time.Hour

// recent keeps the times at which answers came in the hour before the latest.
type recent struct {
	times  []time.Time
	latest time.Time
}

func (r *recent) add(t time.Time) {
	if len(r.times) == cap(r.times) {
		r.times = slices.DeleteFunc(r.times, r.old)
	}
	r.times = append(r.times, t)
	r.latest = later(r.latest, t)
}

func (r *recent) old(t time.Time) bool { return t.Before(r.latest.Add(-recentFor)) }

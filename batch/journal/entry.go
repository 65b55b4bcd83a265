package journal

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"siprotate/batch"
)

// A rowState is how a row stands at one moment, and at which offsets its latest
// records are: 0 where there is none.
type rowState struct {
	outcome batch.Outcome
	end     int64 // a result or tried record
	reissue int64
	proof   int64
	beside  []int64    // see state
	flight  sendRecord // of a request without an answer; zero if there is none
	maybe   bool       // see maybeSent
}

func (s *state) row(number int) rowState {
	return rowState{
		outcome: s.outcome(number), end: s.last[number-1], reissue: s.reissues[number], proof: s.proofs[number],
		beside: s.beside[number], flight: cmp.Or(s.lost[number], s.flights[number]), maybe: s.standing[number-1]&maybeSent != 0,
	}
}

const (
	noteInFlight  = "the run ended before an answer came"
	noteMaybeSent = "records were lost; a request may have left before"
)

// entry joins the plan's line of a row with the row's latest records.
func (v *View) entry(number int, line []byte, records *lineReader) (entry batch.Entry, err error) {
	var planned rowRecord
	if err := json.Unmarshal(line, &planned); err != nil {
		return entry, err
	}
	if planned.Row != number {
		return entry, fmt.Errorf("the plan has row %d in the place of row %d", planned.Row, number)
	}
	v.mu.Lock()
	now := v.state.row(number)
	v.mu.Unlock()
	entry.Row = planned.row()
	if entry.Result, err = now.result(number, records); err != nil {
		return entry, err
	}
	own, reissued, err := v.password(planned, now.reissue, records)
	if err != nil {
		return entry, err
	}
	entry.Row.Password, entry.Row.Sealed = own.Password, own.Sealed
	if now.reissue != 0 {
		entry.Row.PasswordSource, entry.Result.Attempts.Reissued = batch.Generated, reissued
	}
	if now.outcome != batch.Unknown {
		return entry, nil
	}
	for _, at := range now.beside {
		other, _, err := v.password(planned, at, records)
		if err != nil {
			return entry, err
		}
		entry.Beside = append(entry.Beside, other)
	}
	return entry, nil
}

func (r rowState) result(number int, records *lineReader) (batch.Result, error) {
	end, err := readRecord[resultRecord](records, r.end)
	if err != nil {
		return batch.Result{}, err
	}
	proof, err := readRecord[proofRecord](records, r.proof)
	if err != nil {
		return batch.Result{}, err
	}
	result := end.result()
	result.Row, result.Outcome, result.Proof = number, r.outcome, proof.proof()
	attempts := &result.Attempts
	if r.reissue > r.end {
		attempts.Refused = 0 // those were of the password before
	}
	switch {
	case r.flight.Row != 0:
		attempts.Count = r.flight.Attempts
		attempts.Doubt = cmp.Or(attempts.Doubt, noteInFlight)
		attempts.FirstSent = cmp.Or(attempts.FirstSent, r.flight.At)
		result.Note = attempts.Doubt
	case r.maybe:
		attempts.Doubt = cmp.Or(attempts.Doubt, noteMaybeSent)
		result.Note = attempts.Doubt
	}
	return result, nil
}

// password opens the password that the record at an offset gave the row, or at 0
// its plan, if there is a vault. It returns how many were drawn up to that one.
func (v *View) password(planned rowRecord, at int64, records *lineReader) (kept batch.Kept, reissued int, err error) {
	given, err := readRecord[reissueRecord](records, at)
	if at == 0 {
		given.Password = planned.Password
	}
	if err != nil || v.vault == nil || given.Password == "" {
		return kept, given.Reissued, err
	}
	kept.Password, err = v.vault.Open(v.state.header.Run, planned.Row, given.Password)
	if errors.Is(err, ErrSealed) {
		return batch.Kept{Sealed: given.Password}, given.Reissued, nil
	}
	if err != nil {
		err = fmt.Errorf("open the password of row %d: %w", planned.Row, err)
	}
	return kept, given.Reissued, err
}

// readRecord returns the record at an offset, or at 0, where no row has one, the
// zero record.
func readRecord[R any](from *lineReader, at int64) (record R, err error) {
	if at == 0 {
		return record, nil
	}
	line, err := from.read(at)
	if err == nil {
		err = json.Unmarshal(line, &record)
	}
	return record, err
}

// A lineReader reads lines at any offset.
type lineReader struct {
	at io.ReaderAt
	in scanner
}

func newLineReader(path string, at io.ReaderAt) *lineReader {
	return &lineReader{at, scanner{path: path, in: bufio.NewReader(nil)}}
}

func (r *lineReader) read(at int64) ([]byte, error) {
	r.in.in.Reset(io.NewSectionReader(r.at, at, math.MaxInt64-at))
	line, _, _, err := r.in.next()
	if err != nil {
		return nil, fmt.Errorf("no record at byte %d of the journal: %w", at, err)
	}
	return line, nil
}

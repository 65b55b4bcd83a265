// Package handout hands the passwords of a run to whoever needs them: as a file
// for a program to import (see [Formats]), as one file a row from a template (see
// [Template]), or to a command that runs once a row (see [Deliver]).
//
// It works on the entries that a journal tells, and knows neither the API nor the
// command line.
package handout

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"siprotate/batch"
	"siprotate/exotel"
)

// A Credential is a password that is in force, or may be, and whose it is.
type Credential struct {
	Row      *batch.Row
	Result   *batch.Result
	Password batch.Secret // empty where it is sealed
	Sealed   string       // the password as it is sealed, where there is no key to open it
	Beside   int          // 0 for the row's own; n for the n-th of those that may be in force instead
}

// ErrSealed says that a password is sealed, and nothing opens it.
var ErrSealed = errors.New("the password is sealed")

// Of returns what an entry has to hand out: nothing where the old password
// stands, and several passwords where nobody knows which of them is in force.
func Of(e *batch.Entry) []Credential {
	if !e.Result.Outcome.MayBeInForce() {
		return nil
	}
	own := Credential{Row: &e.Row, Result: &e.Result, Password: e.Row.Password, Sealed: e.Row.Sealed}
	all := []Credential{own}
	for i, kept := range e.Beside {
		other := own
		other.Password, other.Sealed, other.Beside = kept.Password, kept.Sealed, i+1
		all = append(all, other)
	}
	return all
}

// A Selection says what to hand out. The zero value is what is in force for sure.
type Selection struct {
	Outcomes []batch.Outcome // none: those that are Rotated
	Rows     Rows            // none: all
	User     string          // a row's user id, SIP id or email, without regard to case; empty: all
	Proofs   []batch.Verdict // what the registrar says of the password; none: whatever it says, or nothing
}

// Pick returns the credentials of the entries that are selected, each openable,
// and at the end of a pass sets heldBack to the number of Unknown rows that only
// their outcome left out. A password that is sealed is an error, ErrSealed.
func (s Selection) Pick(entries iter.Seq2[batch.Entry, error], heldBack *int) iter.Seq2[Credential, error] {
	outcomes := s.Outcomes
	if len(outcomes) == 0 {
		outcomes = []batch.Outcome{batch.Rotated}
	}
	return func(yield func(Credential, error) bool) {
		*heldBack = 0
		for e, err := range entries {
			if err != nil {
				yield(Credential{}, err)
				return
			}
			if !s.Has(&e.Row) || len(s.Proofs) > 0 && !slices.Contains(s.Proofs, e.Result.Proof.Verdict) {
				continue
			}
			if !slices.Contains(outcomes, e.Result.Outcome) {
				if e.Result.Outcome == batch.Unknown {
					*heldBack++
				}
				continue
			}
			for _, c := range Of(&e) {
				if c.Sealed != "" {
					yield(Credential{}, fmt.Errorf("row %d: %w", e.Row.Number, ErrSealed))
					return
				}
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// Has reports whether Rows and User select a row.
func (s Selection) Has(row *batch.Row) bool {
	if len(s.Rows) > 0 && !s.Rows.Has(row.Number) {
		return false
	}
	return s.User == "" || strings.EqualFold(s.User, row.Email) || exotel.SIPID(s.User) == exotel.SIPID(row.SIPID) && row.SIPID != "" ||
		string(batch.AppendUserKey(nil, s.User)) == string(batch.AppendUserKey(nil, row.UserID))
}

// Rows are ranges of row numbers, as "3,5-9" gives them.
type Rows []rowRange

type rowRange struct{ from, to int }

// ErrRows is the error for a text that names no rows.
var ErrRows = errors.New("want row numbers such as 3 or 3,5-9")

// ParseRows reads row numbers, from 1, and ranges of them.
func ParseRows(text string) (rows Rows, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, bad := strconv.Atoi(strings.TrimSpace(first))
		to, worse := strconv.Atoi(strings.TrimSpace(last))
		if bad != nil || worse != nil || from < 1 || to < from {
			return nil, ErrRows
		}
		rows = append(rows, rowRange{from, to})
	}
	return rows, nil
}

// Has reports whether the row of a number is among them.
func (r Rows) Has(number int) bool {
	return slices.ContainsFunc(r, func(r rowRange) bool { return r.from <= number && number <= r.to })
}

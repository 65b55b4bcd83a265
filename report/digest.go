package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"siprotate/batch"
)

// Bounds of what is remembered of the reasons: an API that puts an id into each
// message must not cost memory for each row.
const (
	maxGroups   = 100
	maxExamples = 3
	maxReason   = 200 // characters
	maxCode     = 40  // characters
	maxName     = 60  // characters
)

// A Digest is what one pass over a run's entries found.
type Digest struct {
	Run     Run
	Summary Summary
	Groups  []Group  // why rows were not rotated: most rows first, [Group.Rest] last
	Formats []Format // what was installed

	LastRotated time.Time // when the API last confirmed a password; zero if never

	// Formulas counts the passwords in credentials.csv that begin with a character
	// that a spreadsheet takes for a formula. They are written as they are.
	Formulas int
}

// A Group is the rows that were not rotated for one and the same reason.
type Group struct {
	Outcome  batch.Outcome
	Code     string // HTTP status and the API's code, such as "404 10801"; empty without an answer that counts
	Message  string // why, in the API's words or else in ours; harmless to a terminal
	Rows     int
	Examples []string // who the first few rows are, such as "Asha Rao, line 14"; harmless to a terminal
	first    int      // the number of the first row

	// Rest marks the one group that stands for all reasons beyond the first
	// hundred: its Outcome, Code and Message say nothing.
	Rest bool
}

type groupKey struct {
	outcome       batch.Outcome
	code, message string
}

// A tally counts entries into a digest.
type tally struct {
	Digest
	names  names
	column int // whose values rows are counted by, among the input's other columns; -1 for none
	groups grouping[groupKey, Group]
	parts  grouping[string, Part]

	// Invalid rows by value, up to a hundred: the cells of such a row may be shifted,
	// so that one that no other row has may be a password.
	invalid map[string]int
}

func newTally(run Run) *tally {
	t := &tally{
		Digest: Digest{Run: run, Summary: newSummary(run)},
		names:  namesOf(run.Columns), column: -1,
		groups: grouping[groupKey, Group]{known: map[groupKey]*Group{}},
		parts:  grouping[string, Part]{known: map[string]*Part{}},

		invalid: map[string]int{},
	}
	if run.By != "" {
		t.column = FindColumn(run.Columns, run.By)
	}
	return t
}

func (t *tally) add(e *Entry) {
	outcome, s := e.Result.Outcome, &t.Summary
	s.add(outcome, 1)
	if outcome.MayBeInForce() {
		switch e.Result.Proof.Verdict {
		case batch.ProofAccepted:
			s.Proved++
		case batch.ProofRefused:
			s.Refused++
		default:
			s.Unproved++
		}
		if beginsFormula(e.Row.Password.Reveal()) {
			t.Formulas++
		}
	}
	if t.column >= 0 {
		value := Truncate(Sanitize(strings.TrimSpace(cell(e, t.column))), maxName)
		switch {
		case outcome != batch.Invalid:
			t.part(value).add(outcome, 1)
		case len(t.invalid) < maxGroups || t.invalid[value] > 0:
			t.invalid[value]++
		case t.parts.known[value] != nil:
			t.part(value).add(outcome, 1)
		default:
			t.invalid[""]++
		}
	}
	if outcome == batch.Rotated {
		if e.Result.Finished.After(t.LastRotated) {
			t.LastRotated = e.Result.Finished
		}
		return
	}
	code, reason := e.Why()
	key := groupKey{outcome, Truncate(code, maxCode), Truncate(reason, maxReason)}
	if key == (groupKey{outcome: batch.NotAttempted}) {
		return // its turn never came: the count says it all
	}
	first := Group{Outcome: outcome, Code: key.code, Message: key.message, first: e.Row.Number}
	group := t.groups.of(key, first, Group{Rest: true})
	group.Rows++
	if len(group.Examples) < maxExamples {
		group.Examples = append(group.Examples, t.names.who(e))
	}
}

// part returns the part of a value, or the rest.
func (t *tally) part(value string) *Part {
	return t.parts.of(value, Part{Value: &value}, Part{})
}

// digest ends the tally.
func (t *tally) digest() Digest {
	d := t.Digest
	for value, n := range t.invalid {
		if t.parts.known[value] == nil {
			value = ""
		}
		t.part(value).add(batch.Invalid, n)
	}
	// Of equals, those that came first.
	d.Groups = t.groups.sorted(func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.first, b.first))
	})
	if d.Run.By != "" {
		d.Summary.By = &BySummary{d.Run.By, t.parts.sorted(mostLeft)}
	}
	return d
}

// A grouping holds what is counted by key: each key's own up to so many keys
// ([maxGroups]), and one rest for all others.
type grouping[K comparable, V any] struct {
	known map[K]*V
	rest  *V // nil unless there are too many keys
}

// of returns what counts for a key: a new key begins as first, and past maxGroups all
// share one rest.
func (g *grouping[K, V]) of(key K, first, rest V) *V {
	if v := g.known[key]; v != nil {
		return v
	}
	if len(g.known) < maxGroups {
		g.known[key] = &first
		return &first
	}
	g.rest = cmp.Or(g.rest, &rest)
	return g.rest
}

// sorted returns all in order, and the rest at the end.
func (g *grouping[K, V]) sorted(compare func(a, b *V) int) []V {
	all := []V{}
	for _, v := range slices.SortedFunc(maps.Values(g.known), compare) {
		all = append(all, *v)
	}
	if g.rest != nil {
		all = append(all, *g.rest)
	}
	return all
}

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
	Parts   []Part   // how the rows stand by Run.By: most rows left first, [Part.Rest] last; nil without such a column
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

// A tally counts entries.
type tally struct {
	run      Run
	counts   Counts
	proofs   map[batch.Verdict]int
	groups   map[groupKey]*Group
	rest     Group
	formulas int
	names    names
	parts    breakdown
	last     time.Time // when the API last confirmed a password
}

func newTally(run Run) *tally {
	return &tally{
		run: run, proofs: map[batch.Verdict]int{}, groups: map[groupKey]*Group{},
		names: namesOf(run.Columns), parts: newBreakdown(run),
	}
}

func (t *tally) add(e *Entry) {
	t.counts.add(e.Result.Outcome, 1)
	if e.Result.Outcome.MayBeInForce() {
		t.proofs[e.Result.Proof.Verdict]++
		if beginsFormula(e.Row.Password.Reveal()) {
			t.formulas++
		}
	}
	t.parts.add(e)
	if e.Result.Outcome == batch.Rotated {
		if e.Result.Finished.After(t.last) {
			t.last = e.Result.Finished
		}
		return
	}
	code, reason := e.Why()
	key := groupKey{e.Result.Outcome, Truncate(code, maxCode), Truncate(reason, maxReason)}
	if key == (groupKey{outcome: batch.NotAttempted}) {
		return // its turn never came: the count says it all
	}
	group := t.group(key)
	if group.Rows++; group.Rows == 1 {
		group.first = e.Row.Number
	}
	if len(group.Examples) < maxExamples {
		group.Examples = append(group.Examples, t.names.who(e))
	}
}

// group returns the group of key, or the rest if there are too many.
func (t *tally) group(key groupKey) *Group {
	if g := t.groups[key]; g != nil {
		return g
	}
	if len(t.groups) == maxGroups {
		t.rest.Rest = true
		return &t.rest
	}
	// Copies, since the words may be slices of something large.
	key.code, key.message = strings.Clone(key.code), strings.Clone(key.message)
	g := &Group{Outcome: key.outcome, Code: key.code, Message: key.message}
	t.groups[key] = g
	return g
}

func (t *tally) digest() Digest {
	return Digest{
		Run: t.run, Summary: t.summary(), Groups: t.sorted(), Parts: t.parts.sorted(),
		Formulas: t.formulas, LastRotated: t.last,
	}
}

func (t *tally) summary() Summary {
	return Summary{
		Run:        t.run.ID,
		Account:    t.run.Account,
		Host:       t.run.Host,
		StartedAt:  Stamp{t.run.StartedAt},
		FinishedAt: Stamp{t.run.FinishedAt},
		DurationS:  seconds(t.run.Took),
		Counts:     t.counts,
		Requests:   t.run.Requests,
		Throttled:  t.run.Throttled,
		WaitedS:    seconds(t.run.Waited),
		Stopped:    reasonOrNull(t.run.Stopped),
		Proved:     t.proofs[batch.ProofAccepted],
		Refused:    t.proofs[batch.ProofRefused],
		Unproved:   t.proofs[batch.ProofUnclear] + t.proofs[""],
		PerMinute:  perMinute(t.run.Requests, t.run.Took),
		By:         t.parts.summary(),
	}
}

// sorted returns the groups, most rows first, those that came first before
// their equals, and the rest at the end.
func (t *tally) sorted() []Group {
	var groups []Group
	for g := range maps.Values(t.groups) {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.first, b.first))
	})
	if t.rest.Rest {
		groups = append(groups, t.rest)
	}
	return groups
}

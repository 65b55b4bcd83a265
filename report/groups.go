package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"siprotate/batch"
)

// Bounds of what is remembered of the reasons: a far side that puts an id into
// each message must not cost memory for each row.
const (
	maxGroups   = 100
	maxExamples = 5
	maxReason   = 200 // characters
	maxCode     = 40  // characters
)

// A Group is the rows that were not rotated for one and the same reason.
type Group struct {
	Outcome  batch.Outcome
	Code     string // HTTP status and the far side's code, such as "404 10801"; empty without an answer
	Message  string // why, in the far side's words or else in ours; harmless to a terminal
	Rows     int
	Examples []int // numbers of the first few rows

	// Rest marks the one group that stands for all reasons beyond the first
	// hundred: its Outcome, Code and Message say nothing.
	Rest bool
}

type groupKey struct {
	outcome       batch.Outcome
	code, message string
}

// A tally counts entries. The zero value is ready for use.
type tally struct {
	rows   int
	by     [256]int // by outcome: indexing by one cannot panic
	groups map[groupKey]*Group
	rest   Group
}

func (t *tally) add(e *batch.Entry, seen answer) {
	t.rows++
	t.by[e.Result.Outcome]++
	if e.Result.Outcome == batch.Rotated {
		return
	}
	key := groupKey{e.Result.Outcome, cut(groupCode(seen), maxCode), cut(seen.reason(), maxReason)}
	if key == (groupKey{outcome: batch.NotAttempted}) {
		return // its turn never came: the count says it all
	}
	group := t.group(key)
	group.Rows++
	if len(group.Examples) < maxExamples {
		group.Examples = append(group.Examples, e.Row.Number)
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
	if t.groups == nil {
		t.groups = make(map[groupKey]*Group)
	}
	// Copies, since the words may be slices of something large.
	key.code, key.message = strings.Clone(key.code), strings.Clone(key.message)
	g := &Group{Outcome: key.outcome, Code: key.code, Message: key.message}
	t.groups[key] = g
	return g
}

// sorted returns the groups, most rows first, those that came first before
// their equals, and the rest at the end.
func (t *tally) sorted() []Group {
	var groups []Group
	for g := range maps.Values(t.groups) {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Examples[0], b.Examples[0]))
	})
	if t.rest.Rest {
		groups = append(groups, t.rest)
	}
	return groups
}

// groupCode returns the HTTP status and the far side's code. The code is
// error_data's, or the answer's own where that adds to the status.
func groupCode(a answer) string {
	code := a.errorCode
	if code == "" && a.code != a.httpCode {
		code = a.code
	}
	return strings.TrimSpace(a.httpCode + " " + code)
}

// cut shortens s to n characters, the last of them an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	runes := 0
	end := 0
	for i := range s {
		if runes++; runes == n {
			end = i
		}
		if runes > n {
			return s[:end] + "…"
		}
	}
	return s
}

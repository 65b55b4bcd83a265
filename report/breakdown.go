package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"siprotate/batch"
)

// A Part is the rows that have one value in the column [Run.By].
type Part struct {
	Value *string `json:"value"` // harmless to a terminal, empty for rows without one; nil for all values beyond the first hundred
	Counts
}

// mostLeft sorts parts: those with most rows left come first.
func mostLeft(a, b *Part) int {
	left := func(p *Part) int { return p.Rows - p.Rotated }
	return cmp.Or(cmp.Compare(left(b), left(a)), cmp.Compare(b.Rows, a.Rows), cmp.Compare(*a.Value, *b.Value))
}

// sum returns one part for many.
func sum(parts []Part) Part {
	var all Part
	for _, p := range parts {
		for _, outcome := range readingOrder {
			all.add(outcome, p.Count(outcome))
		}
	}
	return all
}

// text returns how the rows stand: "30 of 34 rotated, 3 failed, 1 unknown".
func (p Part) text() string {
	text := fmt.Sprintf("%d of %d rotated", p.Rotated, p.Rows)
	for _, outcome := range readingOrder[1:] {
		if n := p.Count(outcome); n > 0 {
			text += fmt.Sprintf(", %d %s", n, words(outcome))
		}
	}
	return text
}

// Name returns what people call the value.
func (p Part) Name() string {
	if p.Value == nil {
		return "others"
	}
	return cmp.Or(*p.Value, "(none)")
}

// names are the places, among the input's other columns, of what people are
// called by; below 0 where there is none.
type names struct{ first, last, name int }

func namesOf(columns []string) names {
	return names{FindColumn(columns, "first_name"), FindColumn(columns, "last_name"), FindColumn(columns, "name")}
}

// who returns who a row is, and where it stands: "Asha Rao, line 14". The cells
// of an invalid row may be anything, a password in the wrong column too: it is
// told by its line alone.
func (n names) who(e *Entry) string {
	row := &e.Row
	line := fmt.Sprintf("line %d", row.Line)
	if row.Line == 0 {
		line = fmt.Sprintf("row %d", row.Number)
	}
	if e.Result.Outcome == batch.Invalid {
		return line
	}
	name := cmp.Or(
		strings.TrimSpace(cell(e, n.first)+" "+cell(e, n.last)),
		strings.TrimSpace(cell(e, n.name)),
		row.Email, row.SIPID, row.UserID+"/"+row.DeviceID,
	)
	return Truncate(shown(name, &e.Entry), maxName) + ", " + line
}

// FindColumn returns the place of a column, or -1, without regard to case, spaces,
// hyphens and underscores.
func FindColumn(columns []string, name string) int {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(s))
	}
	return slices.IndexFunc(columns, func(column string) bool { return plain(column) == plain(name) })
}

// cell returns a cell of the input's other columns, and nothing for one that
// the row does not have.
func cell(e *Entry, column int) string {
	if column < 0 || column >= len(e.Row.Extra) {
		return ""
	}
	return e.Row.Extra[column]
}

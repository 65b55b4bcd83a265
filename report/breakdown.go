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
	Value string // harmless to a terminal; empty for rows without one
	Counts
	Rest bool // all values beyond the first hundred
}

// A breakdown counts rows by the values of a column.
type breakdown struct {
	name   string
	column int // among the input's other columns; below 0 if there is none
	parts  map[string]*Part
	rest   *Part // nil unless there are too many values
}

func newBreakdown(run Run) breakdown {
	if run.By == "" {
		return breakdown{column: -1}
	}
	return breakdown{name: run.By, column: FindColumn(run.Columns, run.By), parts: map[string]*Part{}}
}

func (b *breakdown) add(e *Entry) {
	if b.column < 0 {
		return
	}
	value := Truncate(Sanitize(strings.TrimSpace(cell(e, b.column))), maxName)
	b.part(value).add(e.Result.Outcome, 1)
}

// part returns the part of a value, or the rest if there are too many.
func (b *breakdown) part(value string) *Part {
	if p := b.parts[value]; p != nil {
		return p
	}
	if len(b.parts) == maxGroups {
		if b.rest == nil {
			b.rest = &Part{Rest: true}
		}
		return b.rest
	}
	p := &Part{Value: strings.Clone(value)} // it may be a slice of something large
	b.parts[p.Value] = p
	return p
}

// sorted returns the parts, those with most rows left first, and the rest at
// the end.
func (b *breakdown) sorted() []Part {
	var parts []Part
	for _, p := range b.parts {
		parts = append(parts, *p)
	}
	left := func(p Part) int { return p.Rows - p.Rotated }
	slices.SortFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(left(b), left(a)), cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value))
	})
	if b.rest != nil {
		parts = append(parts, *b.rest)
	}
	return parts
}

// summary returns the counts as summary.json spells them; nil if none were asked
// for.
func (b *breakdown) summary() *BySummary {
	if b.name == "" {
		return nil
	}
	by := &BySummary{Column: b.name, Values: []PartSummary{}}
	for _, p := range b.sorted() {
		s := PartSummary{&p.Value, p.Counts}
		if p.Rest {
			s.Value = nil
		}
		by.Values = append(by.Values, s)
	}
	return by
}

// sum returns one part for many.
func sum(parts []Part) Part {
	all := Part{Rest: true}
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

// name returns what stands before the text.
func (p Part) name() string {
	if p.Rest {
		return "others"
	}
	return cmp.Or(p.Value, "(none)")
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
	return Truncate(Sanitize(redact(name, &e.Entry)), maxName) + ", " + line
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

package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rivo/uniseg"

	"siprotate/batch"
)

const (
	defaultWidth = 80
	// How many reasons, and how many values of a column, the closing summary tells.
	closingGroups = 10
	closingParts  = 20
)

// Closing writes the closing summary for people to w, in one write and without
// colour: the counts, what the canaries and the proofs showed, how values of a column
// stand, why rows were not rotated, what it took, where the files are, which
// passwords a spreadsheet garbles, and the command to resume with, unless next is
// empty. It fits into so many columns; 0
// means 80. Paths and the command stay on one line whatever the width, so that they
// can be copied.
func (d Digest) Closing(w io.Writer, width int, next string) error {
	c := closing{Digest: d, width: cmp.Or(width, defaultWidth)}
	c.headline()
	c.counts()
	if n := d.Run.Canary; n > 0 {
		c.paragraph("canary: " + rows(n) + " went first, all rotated")
	}
	if s := d.Summary; s.Proved+s.Refused > 0 {
		c.paragraph(fmt.Sprintf("proved by SIP: %d accepted, %d refused, %d not proved", s.Proved, s.Refused, s.Unproved))
	}
	c.breakdown()
	c.reasons()
	c.spent()
	c.files()
	if d.Formulas > 0 {
		text := fmt.Sprintf("%d passwords begin", d.Formulas)
		if d.Formulas == 1 {
			text = "1 password begins"
		}
		c.paragraph(text + " with a character that a spreadsheet takes for a formula: import " + CredentialsCSV.File + " as text")
	}
	if next != "" {
		fmt.Fprintf(&c.text, "\nto resume:\n  %s\n", Sanitize(next))
	}
	_, err := c.text.WriteTo(w)
	return err
}

// A closing is the closing summary in the making.
type closing struct {
	Digest
	text  bytes.Buffer
	width int
}

func (c *closing) headline() {
	s := c.Summary
	text := fmt.Sprintf("%d of %s rotated", s.Rotated, rows(s.Rows))
	if c.Run.Took > 0 {
		text += " in " + FormatDuration(c.Run.Took)
	}
	if s.Stopped != nil {
		text = "stopped: " + *s.Stopped + "; " + text
	}
	c.hang("", text)
}

// counts writes one line for each outcome that occurred.
func (c *closing) counts() {
	digits := len(fmt.Sprint(c.Summary.Rows))
	c.text.WriteByte('\n')
	for _, outcome := range readingOrder {
		if n := c.Summary.Count(outcome); n > 0 {
			c.hang(fmt.Sprintf("  %*d  ", digits, n), closingMeanings[outcome])
		}
	}
}

var closingMeanings = map[batch.Outcome]string{
	batch.Rotated:      "rotated",
	batch.Failed:       "failed: the old password stands",
	batch.Unknown:      "unknown: either password may stand",
	batch.Invalid:      "invalid: not sent",
	batch.NotAttempted: "not attempted: the old password stands",
}

// breakdown writes how the rows stand by the column that was asked for.
func (c *closing) breakdown() {
	by := c.Summary.By
	if by == nil {
		return
	}
	fmt.Fprintf(&c.text, "\nby %s:\n", Sanitize(by.Column))
	if FindColumn(c.Run.Columns, by.Column) < 0 {
		c.text.WriteString("  the input has no such column\n")
		return
	}
	shown := by.Values[:min(len(by.Values), closingParts)]
	if left := by.Values[len(shown):]; len(left) > 0 {
		shown = append(slices.Clone(shown), sum(left))
	}
	width := 0
	for _, p := range shown {
		width = max(width, uniseg.StringWidth(p.Name()))
	}
	for _, p := range shown {
		c.hang("  "+pad(p.Name(), width)+"  ", p.text())
	}
}

// reasons writes the groups, those with most rows first.
func (c *closing) reasons() {
	if len(c.Groups) == 0 {
		return
	}
	shown := c.Groups[:min(len(c.Groups), closingGroups)]
	countWidth, codeWidth := 0, 0
	for _, g := range shown {
		countWidth = max(countWidth, len(rows(g.Rows)))
		codeWidth = max(codeWidth, uniseg.StringWidth(g.code()))
	}
	c.text.WriteString("\nnot rotated, and why:\n")
	for _, g := range shown {
		c.hang(fmt.Sprintf("  %*s  %s  ", countWidth, rows(g.Rows), pad(g.code(), codeWidth)), g.reason())
		c.hang(strings.Repeat(" ", countWidth+4), g.Who())
	}
	left := 0
	for _, g := range c.Groups[len(shown):] {
		left += g.Rows
	}
	if left > 0 {
		c.hang("  ", fmt.Sprintf("and %s for other reasons, see the report", rows(left)))
	}
}

// spent writes what the run cost in requests and in waiting.
func (c *closing) spent() {
	s := c.Summary
	text := fmt.Sprintf("%d requests", s.Requests)
	if s.Requests == 1 {
		text = "1 request"
	}
	if s.Throttled > 0 {
		text += fmt.Sprintf(", %d of them throttled", s.Throttled)
	}
	if waited := c.Run.Waited.Round(time.Millisecond); waited >= time.Second {
		text += ", waited " + FormatDuration(waited) + " for the allowance"
	}
	c.paragraph(text)
}

// files writes where the files are.
func (c *closing) files() {
	if len(c.Formats) == 0 {
		return
	}
	c.text.WriteByte('\n')
	table := tabwriter.NewWriter(&c.text, 0, 0, 2, ' ', 0)
	for _, f := range c.Formats {
		fmt.Fprintf(table, "%s\t%s\n", f.Name, Sanitize(filepath.Join(c.Run.Dir, f.File)))
	}
	table.Flush()
}

// code returns what stands in the code's column.
func (g Group) code() string {
	switch {
	case g.Rest:
		return "other"
	case g.Code != "":
		return g.Code
	case g.Outcome == batch.Invalid || g.Outcome == batch.Unknown:
		return g.Outcome.String()
	}
	return "no answer"
}

// reason returns the reason in words.
func (g Group) reason() string {
	if g.Rest {
		return "many different reasons"
	}
	return cmp.Or(g.Message, "no reason given")
}

// Who returns whom it met first, and how many others.
func (g Group) Who() string {
	who := strings.Join(g.Examples, "; ")
	if more := g.Rows - len(g.Examples); more > 0 {
		who += fmt.Sprintf("; and %d more", more)
	}
	return who
}

// pad fills text up to so many columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-uniseg.StringWidth(text)))
}

// rows returns "1 row", "2 rows".
func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// paragraph writes text after an empty line.
func (c *closing) paragraph(text string) {
	c.text.WriteByte('\n')
	c.hang("", text)
}

// hang writes text after prefix, wrapped between words, with all lines but the first
// indented as deep as the prefix, or less if that left no room. A word longer than a
// line stays whole.
func (c *closing) hang(prefix, text string) {
	b := &c.text
	b.WriteString(prefix)
	column := uniseg.StringWidth(prefix)
	indent := min(column, c.width/2)
	for i, word := range strings.Fields(text) {
		size := uniseg.StringWidth(word)
		gap := min(i, 1)
		if column+gap+size > c.width && column > indent {
			b.Truncate(len(bytes.TrimRight(b.Bytes(), " ")))
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		} else {
			b.WriteString(" "[:gap])
			column += gap
		}
		b.WriteString(word)
		column += size
	}
	b.WriteByte('\n')
}

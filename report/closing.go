package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
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

// proofs says what the registrar said, if it was asked.
func (d Digest) proofs(b *bytes.Buffer, width int) {
	s := d.Summary
	if s.Proved+s.Refused == 0 {
		return
	}
	b.WriteByte('\n')
	hang(b, "", fmt.Sprintf("proved by SIP: %d accepted, %d refused, %d not proved", s.Proved, s.Refused, s.Unproved), width)
}

// ClosingOptions is what the closing summary tells beside the digest.
type ClosingOptions struct {
	Width int    // columns to fit into; 0 means 80
	Next  string // the command to resume with; empty if there is none
}

// Closing writes the closing summary for people to w, in one write and without
// colour: the counts, why rows were not rotated, where the files are, and the
// command to resume with. Paths and the command stay on one line whatever the
// width, so that they can be copied.
func (d Digest) Closing(w io.Writer, o ClosingOptions) error {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	var b bytes.Buffer
	d.headline(&b, o.Width)
	d.counts(&b, o.Width)
	d.canary(&b, o.Width)
	d.proofs(&b, o.Width)
	d.breakdown(&b, o.Width)
	d.reasons(&b, o.Width)
	d.spent(&b, o.Width)
	d.files(&b)
	if d.Formulas > 0 {
		text := fmt.Sprintf("%d passwords begin", d.Formulas)
		if d.Formulas == 1 {
			text = "1 password begins"
		}
		text += " with a character that a spreadsheet takes for a formula: import " + CredentialsCSV.File + " as text"
		b.WriteByte('\n')
		hang(&b, "", text, o.Width)
	}
	if o.Next != "" {
		fmt.Fprintf(&b, "\nto resume:\n  %s\n", Sanitize(o.Next))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (d Digest) headline(b *bytes.Buffer, width int) {
	s := d.Summary
	text := fmt.Sprintf("%d of %s rotated", s.Rotated, rows(s.Rows))
	if d.Run.Took > 0 {
		text += " in " + FormatDuration(d.Run.Took)
	}
	if s.Stopped != nil {
		text = "stopped: " + *s.Stopped + "; " + text
	}
	hang(b, "", text, width)
}

// counts writes one line for each outcome that occurred.
func (d Digest) counts(b *bytes.Buffer, width int) {
	s := d.Summary
	digits := len(fmt.Sprint(s.Rows))
	b.WriteByte('\n')
	for _, line := range []struct {
		rows int
		name string
	}{
		{s.Rotated, "rotated"},
		{s.Failed, "failed: the old password stands"},
		{s.Unknown, "unknown: either password may stand"},
		{s.Invalid, "invalid: not sent"},
		{s.NotAttempted, "not attempted: the old password stands"},
	} {
		if line.rows > 0 {
			hang(b, fmt.Sprintf("  %*d  ", digits, line.rows), line.name, width)
		}
	}
}

// canary writes that the first rows proved the way.
func (d Digest) canary(b *bytes.Buffer, width int) {
	if d.Run.Canary == 0 {
		return
	}
	b.WriteByte('\n')
	hang(b, "", "canary: "+rows(d.Run.Canary)+" went first, all rotated", width)
}

// breakdown writes how the rows stand by the column that was asked for.
func (d Digest) breakdown(b *bytes.Buffer, width int) {
	by := d.Summary.By
	if by == nil {
		return
	}
	fmt.Fprintf(b, "\nby %s:\n", Sanitize(by.Column))
	if FindColumn(d.Run.Columns, by.Column) < 0 {
		b.WriteString("  the input has no such column\n")
		return
	}
	shown := by.Values[:min(len(by.Values), closingParts)]
	if left := by.Values[len(shown):]; len(left) > 0 {
		shown = append(slices.Clone(shown), sum(left))
	}
	nameWidth := 0
	for _, p := range shown {
		nameWidth = max(nameWidth, uniseg.StringWidth(p.Name()))
	}
	for _, p := range shown {
		hang(b, "  "+pad(p.Name(), nameWidth)+"  ", p.text(), width)
	}
}

// reasons writes the groups, those with most rows first.
func (d Digest) reasons(b *bytes.Buffer, width int) {
	if len(d.Groups) == 0 {
		return
	}
	shown := d.Groups[:min(len(d.Groups), closingGroups)]
	countWidth, codeWidth := 0, 0
	for _, g := range shown {
		countWidth = max(countWidth, len(rows(g.Rows)))
		codeWidth = max(codeWidth, uniseg.StringWidth(g.code()))
	}
	b.WriteString("\nnot rotated, and why:\n")
	for _, g := range shown {
		hang(b, fmt.Sprintf("  %*s  %s  ", countWidth, rows(g.Rows), pad(g.code(), codeWidth)), g.reason(), width)
		hang(b, strings.Repeat(" ", countWidth+4), g.Who(), width)
	}
	if left := d.Groups[len(shown):]; len(left) > 0 {
		sum := 0
		for _, g := range left {
			sum += g.Rows
		}
		hang(b, "  ", fmt.Sprintf("and %s for other reasons, see the report", rows(sum)), width)
	}
}

// spent writes what the run cost in requests and in waiting.
func (d Digest) spent(b *bytes.Buffer, width int) {
	s := d.Summary
	text := fmt.Sprintf("%d requests", s.Requests)
	if s.Requests == 1 {
		text = "1 request"
	}
	if s.Throttled > 0 {
		text += fmt.Sprintf(", %d of them throttled", s.Throttled)
	}
	if waited := time.Duration(s.WaitedS * float64(time.Second)); waited >= time.Second {
		text += ", waited " + FormatDuration(waited) + " for the allowance"
	}
	b.WriteByte('\n')
	hang(b, "", text, width)
}

// files writes where the files are.
func (d Digest) files(b *bytes.Buffer) {
	if len(d.Formats) == 0 {
		return
	}
	width := 0
	for _, f := range d.Formats {
		width = max(width, len(f.Name))
	}
	b.WriteByte('\n')
	for _, f := range d.Formats {
		fmt.Fprintf(b, "%-*s  %s\n", width, f.Name, Sanitize(filepath.Join(d.Run.Dir, f.File)))
	}
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

// hang writes text after prefix, wrapped at width between words, with all lines
// but the first indented as deep as the prefix, or less if that left no room.
// A word longer than a line stays whole.
func hang(b *bytes.Buffer, prefix, text string, width int) {
	b.WriteString(prefix)
	column := uniseg.StringWidth(prefix)
	indent := min(column, width/2)
	for i, word := range strings.Fields(text) {
		size := uniseg.StringWidth(word)
		gap := min(i, 1)
		if column+gap+size > width && column > indent {
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

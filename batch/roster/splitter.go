package roster

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"siprotate/batch"
)

// A splitter cuts a text into CSV records, without a look at what the cells
// say. encoding/csv would read on to the end of the file for a closing quote,
// change \r\n inside cells to \n, and not take \r for a line end.
//
// The rules are RFC 4180's, with \n, \r\n and \r for line ends.
type splitter struct {
	r       *bufio.Reader // holds the largest record; nothing of it is consumed while it is being cut
	err     error         // of r, once it ended
	line    int           // of what comes next, from 1
	comma   byte
	maxCell int
}

func newSplitter(r io.Reader, maxCell int) *splitter {
	return &splitter{r: bufio.NewReaderSize(r, maxCell*recordCells+64), line: 1, maxCell: maxCell}
}

// A record is one record of a text. Its text and ends are valid until the next
// call of the splitter.
type record struct {
	line  int    // at which it starts
	blank bool   // nothing but delimiters, spaces and empty quotes
	text  []byte // without the line end
	last  bool   // the text ends here, without a line end
	ends  []int  // for each cell, the offset behind it
}

// cells returns what the cells say, without their quotes.
func (r record) cells() []string {
	cells := make([]string, len(r.ends))
	start := 0
	for i, end := range r.ends {
		cell := string(r.text[start:end])
		if strings.HasPrefix(cell, `"`) {
			cell = strings.ReplaceAll(cell[1:len(cell)-1], `""`, `"`)
		}
		cells[i], start = cell, end+1
	}
	return cells
}

// A syntaxError is a fault for which a text cannot be cut into records.
type syntaxError struct {
	batch.Fault
	final bool // the splitter cannot go on
}

// next consumes one record, which should have so many cells. It returns io.EOF
// at the end, an error of the reader, or a *syntaxError. After one that is not
// final, it goes on with the line below the fault, so that a stray quote costs
// one line and not the rest of the file.
func (s *splitter) next(cells int) (record, error) {
	c, err := s.scan()
	if err == nil && c.multiline() && len(c.ends) != cells {
		err = s.brokenQuote(&c, fmt.Sprintf("the row that begins in line %d and ends in line %d has %s instead of %d: is a quote missing?",
			c.line, c.at.line, count(len(c.ends), "cell"), cells))
	}
	s.consume(&c)
	return c.record, err
}

// consume goes on behind a record.
func (s *splitter) consume(c *cut) {
	s.r.Discard(c.end.offset) // is buffered
	s.line = c.end.line
}

// A place is an offset into what is not consumed, and its line.
type place struct{ offset, line int }

// A cut is a record while it is being cut.
type cut struct {
	record
	state  state
	cell   int   // offset at which the cell starts
	at     place // how far the cut got
	resync place // the start of the line below the first quoted cell that spans lines; zero if there is none
	end    place // where the next record starts
}

// multiline reports whether a quoted cell spans lines.
func (c *cut) multiline() bool { return c.resync.offset > 0 }

type state uint8

const (
	atCell  state = iota // at the first byte of a cell
	inCell               // inside a cell without quotes
	inQuote              // inside a quoted cell
	atQuote              // behind a quote inside a quoted cell: it closes the cell, or another follows
)

// scan cuts the next record without consuming it.
func (s *splitter) scan() (cut, error) {
	c := cut{record: record{line: s.line, blank: true, ends: make([]int, 0, 8)}, at: place{0, s.line}}
	for {
		if err := s.limit(&c); err != nil {
			return c, err
		}
		done, err := s.step(&c)
		if done || err != nil {
			return c, err
		}
	}
}

// step takes one byte, or one line end, into the record.
func (s *splitter) step(c *cut) (done bool, err error) {
	b, ok := s.byteAt(c.at.offset)
	switch {
	case !ok && s.err != io.EOF:
		return false, s.err
	case !ok && c.at.offset == 0:
		return false, io.EOF
	case !ok && c.state == inQuote:
		return false, s.brokenQuote(c, "a quoted cell that begins here is never closed")
	case !ok:
		s.finish(c)
		return true, nil
	case c.state == inQuote:
		s.quoted(c, b)
		return false, nil
	case b == s.comma:
		c.ends = append(c.ends, c.at.offset)
		c.state, c.cell = atCell, c.at.offset+1
	case b == '\n' || b == '\r':
		s.finish(c)
		return true, nil
	case c.state == atQuote && b == '"':
		c.state, c.blank = inQuote, false
	case c.state == atQuote:
		return false, s.brokenQuote(c, "a quoted cell goes on behind its closing quote")
	case b == '"' && c.state == inCell:
		return false, s.brokenQuote(c, "a quote stands inside a cell that does not begin with one")
	case b == '"':
		c.state = inQuote
	default:
		c.state = inCell
		c.blank = c.blank && (b == ' ' || b == '\t')
	}
	c.at.offset++
	return false, nil
}

// quoted takes one byte, or one line end, into a quoted cell.
func (s *splitter) quoted(c *cut, b byte) {
	switch b {
	case '"':
		c.state = atQuote
		c.at.offset++
	case '\n', '\r':
		c.blank = false
		c.at = s.nextLine(c.at)
		if !c.multiline() {
			c.resync = c.at
		}
	default:
		c.blank = false
		c.at.offset++
	}
}

// nextLine returns the place behind the line end that stands at p.
func (s *splitter) nextLine(p place) place {
	b, _ := s.byteAt(p.offset)
	if next, ok := s.byteAt(p.offset + 1); b == '\r' && ok && next == '\n' {
		p.offset++
	}
	return place{p.offset + 1, p.line + 1}
}

// finish closes the record at the line end, or the end of the text, that it
// has come to.
func (s *splitter) finish(c *cut) {
	c.end = c.at
	if _, ok := s.byteAt(c.at.offset); ok {
		c.end = s.nextLine(c.at)
	} else {
		c.last = true
	}
	c.text, _ = s.r.Peek(c.at.offset) // is buffered
	c.ends = append(c.ends, c.at.offset)
}

// limit refuses a record that is larger than a list of users can need.
func (s *splitter) limit(c *cut) error {
	switch {
	case c.at.offset-c.cell > s.maxCell && c.multiline():
		return s.brokenQuote(c, fmt.Sprintf("a quoted cell that begins here is not closed within %d bytes", s.maxCell))
	case c.at.offset-c.cell > s.maxCell:
		return s.tooLarge(c, fmt.Sprintf("a cell is larger than %d bytes", s.maxCell))
	case c.at.offset > s.maxCell*recordCells:
		return s.tooLarge(c, fmt.Sprintf("a row is larger than %d bytes", s.maxCell*recordCells))
	case len(c.ends) >= MaxColumns:
		return s.tooLarge(c, fmt.Sprintf("a row has more than %d cells", MaxColumns))
	}
	return nil
}

// tooLarge gives up on the text, unless a quoted cell that spans lines is the
// likelier cause.
func (s *splitter) tooLarge(c *cut, text string) error {
	if c.multiline() {
		return s.brokenQuote(c, text)
	}
	c.end = c.at
	return &syntaxError{batch.Fault{Line: c.at.line, Text: text, Hint: "is this the right file?"}, true}
}

// brokenQuote blames the first quoted cell that spans lines, for then its
// closing quote is what is missing, or else the current line. The text goes on
// below that line.
func (s *splitter) brokenQuote(c *cut, text string) error {
	const hint = "put cells that hold a quote, a delimiter or a line break in quotes, and double the quotes inside"
	if c.multiline() {
		c.end = c.resync
		return &syntaxError{Fault: batch.Fault{Line: c.resync.line - 1, Text: text, Hint: hint}}
	}
	for {
		b, ok := s.byteAt(c.at.offset)
		switch {
		case !ok || b == '\n' || b == '\r':
			s.finish(c)
			return &syntaxError{Fault: batch.Fault{Line: c.at.line, Text: text, Hint: hint}}
		case c.at.offset > s.maxCell*recordCells:
			return s.tooLarge(c, text)
		}
		c.at.offset++
	}
}

// byteAt returns the byte at an offset into what is not consumed, and false at
// the end of the text.
func (s *splitter) byteAt(offset int) (byte, bool) {
	text, err := s.r.Peek(offset + 1)
	if err != nil {
		s.err = err
		return 0, false
	}
	return text[offset], true
}

// count says how many there are of what.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

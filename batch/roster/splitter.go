package roster

import (
	"bytes"
	"fmt"
	"io"
)

// A splitter cuts a text into CSV records, without a look at what the cells
// say. It stands in front of the CSV reader, which alone would read on to the
// end of the file for a closing quote, change \r\n inside cells to \n, and not
// take \r for a line end.
//
// The rules are RFC 4180's, with \n, \r\n and \r for line ends.
type splitter struct {
	r       io.Reader
	err     error  // of r, once it ended
	buf     []byte // what was read; buf[from:] is not consumed yet
	from    int
	line    int // of buf[from], from 1
	comma   byte
	maxCell int
}

func newSplitter(r io.Reader, maxCell int) *splitter {
	return &splitter{r: r, buf: make([]byte, 0, 64<<10), line: 1, maxCell: maxCell}
}

// A record is one record of a text. Its text is valid until the next call of
// the splitter.
type record struct {
	line  int    // at which it starts
	cells int    // at least 1
	blank bool   // nothing but delimiters, spaces and empty quotes
	text  []byte // without the line end
}

// A brokenText is a fault for which a text cannot be cut into records.
type brokenText struct {
	line       int
	text, hint string
	final      bool // the splitter cannot go on
}

func (b *brokenText) Error() string { return b.text }

// next consumes one record, which should have so many cells. It returns io.EOF
// at the end, an error of the reader, or a *brokenText. After one that is not
// final, it goes on with the line below the fault, so that a stray quote costs
// one line and not the rest of the file.
func (s *splitter) next(cells int) (record, error) {
	c, err := s.scan()
	if err == nil && c.multiline() && !c.blank && c.cells != cells {
		err = s.brokenQuote(&c, fmt.Sprintf("the row that begins in line %d and ends in line %d has %s instead of %d: is a quote missing?",
			c.record.line, c.at.line, count(c.cells), cells))
	}
	s.consume(&c)
	return c.record, err
}

// consume goes on behind a record.
func (s *splitter) consume(c *cut) {
	s.from += c.end.offset
	s.line = c.end.line
}

// A place is an offset into what is not consumed, and its line.
type place struct{ offset, line int }

// A cut is a record while it is being cut.
type cut struct {
	record
	state state
	cell  int   // offset at which the cell starts
	at    place // how far the cut got
	lured place // the start of the line below the first quoted cell that spans lines; zero if there is none
	end   place // where the next record starts
}

// multiline reports whether a quoted cell spans lines.
func (c *cut) multiline() bool { return c.lured.offset > 0 }

type state uint8

const (
	atCell  state = iota // at the first byte of a cell
	inCell               // inside a cell without quotes
	inQuote              // inside a quoted cell
	atQuote              // behind a quote inside a quoted cell: it closes the cell, or another follows
)

// scan cuts the next record without consuming it.
func (s *splitter) scan() (cut, error) {
	c := cut{record: record{line: s.line, cells: 1, blank: true}, at: place{0, s.line}}
	for {
		s.skip(&c)
		if err := s.limit(&c); err != nil {
			return c, err
		}
		b, ok := s.byteAt(c.at.offset)
		if !ok {
			return c, s.last(&c)
		}
		done, err := s.step(&c, b)
		if done || err != nil {
			return c, err
		}
	}
}

// skip takes the bytes at hand that mean nothing to a splitter, for speed: line
// ends, quotes and tabs are below them.
func (s *splitter) skip(c *cut) {
	if c.state == atQuote {
		return
	}
	rest := s.buf[s.from+c.at.offset:]
	n := 0
	for n < len(rest) && rest[n] > '"' && rest[n] != s.comma {
		n++
	}
	if n == 0 {
		return
	}
	if c.state == atCell {
		c.state = inCell
	}
	c.blank = false
	c.at.offset += n
}

// step takes one byte, or one line end, into the record.
func (s *splitter) step(c *cut, b byte) (done bool, err error) {
	switch {
	case c.state == inQuote:
		s.quoted(c, b)
		return false, nil
	case b == s.comma:
		c.cells++
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
			c.lured = c.at
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
	}
	c.text = s.buf[s.from : s.from+c.at.offset]
}

// last ends the record at the end of the text.
func (s *splitter) last(c *cut) error {
	switch {
	case s.err != io.EOF:
		return s.err
	case c.at.offset == 0:
		return io.EOF
	case c.state == inQuote:
		return s.brokenQuote(c, "a quoted cell that begins here is never closed")
	}
	s.finish(c)
	return nil
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
	case c.cells > MaxColumns:
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
	return &brokenText{line: c.at.line, text: text, hint: "is this the right file?", final: true}
}

// brokenQuote blames the first quoted cell that spans lines, for then its
// closing quote is what is missing, or else the current line. The text goes on
// below that line.
func (s *splitter) brokenQuote(c *cut, text string) error {
	const hint = "put cells that hold a quote, a delimiter or a line break in quotes, and double the quotes inside"
	if c.multiline() {
		c.end = c.lured
		return &brokenText{line: c.lured.line - 1, text: text, hint: hint}
	}
	for {
		b, ok := s.byteAt(c.at.offset)
		switch {
		case !ok:
			c.end = c.at
			return &brokenText{line: c.at.line, text: text, hint: hint}
		case b == '\n' || b == '\r':
			c.end = s.nextLine(c.at)
			return &brokenText{line: c.at.line, text: text, hint: hint}
		case c.at.offset > s.maxCell*recordCells:
			return s.tooLarge(c, text)
		}
		c.at.offset++
	}
}

// byteAt returns the byte at an offset into what is not consumed, and false at
// the end of the text.
func (s *splitter) byteAt(offset int) (byte, bool) {
	if i := s.from + offset; i < len(s.buf) {
		return s.buf[i], true
	}
	return s.readTo(offset)
}

func (s *splitter) readTo(offset int) (byte, bool) {
	for s.from+offset >= len(s.buf) {
		if s.err != nil {
			return 0, false
		}
		s.fill()
	}
	return s.buf[s.from+offset], true
}

// fill reads more. Where the buffer is full, what is consumed makes room, and
// only where nothing is, the buffer grows: the limits bound it.
func (s *splitter) fill() {
	if len(s.buf) == cap(s.buf) {
		s.makeRoom()
	}
	free := s.buf[len(s.buf):cap(s.buf)]
	n, err := s.r.Read(free)
	s.buf, s.err = s.buf[:len(s.buf)+n], err
}

func (s *splitter) makeRoom() {
	rest := s.buf[s.from:]
	room := s.buf[:0]
	if s.from == 0 {
		room = make([]byte, 0, 2*cap(s.buf))
	}
	s.buf, s.from = append(room, rest...), 0
}

// canonical appends the record as the CSV reader needs it to give every cell
// back byte for byte: it takes one \r from each \r\n, so that one is added.
func canonical(dst []byte, rec record) []byte {
	for text := rec.text; ; {
		i := bytes.Index(text, []byte("\r\n"))
		if i < 0 {
			return append(append(dst, text...), '\n')
		}
		dst = append(append(dst, text[:i]...), "\r\r\n"...)
		text = text[i+2:]
	}
}

func count(cells int) string {
	if cells == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", cells)
}

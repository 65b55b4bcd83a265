package roster

import (
	"bytes"
	"fmt"
	"io"
	"regexp"

	"siprotate/batch"
)

// delimiters are those that the header can show; where it reads as well with
// several, the first one counts.
var delimiters = []byte{',', ';', '\t'}

// typeLine is what PowerShell's Export-Csv writes above the header, unless it is
// called with -NoTypeInformation.
var typeLine = regexp.MustCompile(`^#TYPE [^\s",;]+$`)

// findHeader consumes the lines up to and including the header, and sets the
// splitter's delimiter: the one that Excel's "sep=" line names, or else the one
// with which the header has the most known columns, or else the most columns.
func findHeader(s *splitter) (record, error) {
	if c, err := s.scan(); err == nil && typeLine.Match(c.text) {
		s.consume(&c)
	}
	candidates, err := separatorLine(s)
	if err != nil {
		return record{}, err
	}
	for {
		s.comma, err = delimiter(s, candidates)
		if err != nil {
			return record{}, err
		}
		c, err := s.scan()
		if err != nil {
			return record{}, err
		}
		s.consume(&c)
		if !c.blank {
			return c.record, nil
		}
	}
}

// separatorLine consumes Excel's "sep=;" line, if there is one, and returns the
// delimiters that are possible below it.
func separatorLine(s *splitter) ([]byte, error) {
	c, err := s.scan()
	text := bytes.Trim(c.text, `"`)
	if err != nil || len(text) < 4 || !bytes.EqualFold(text[:4], []byte("sep=")) {
		return delimiters, nil
	}
	if len(text) != 5 || !bytes.Contains(delimiters, text[4:]) {
		name := "the delimiter"
		if len(text) == 5 {
			name += fmt.Sprintf(" %q", text[4:])
		}
		return nil, &syntaxError{Fault: batch.Fault{Line: c.line, Text: name + " is none of comma, semicolon and tab"}}
	}
	s.consume(&c)
	return []byte{text[len("sep=")]}, nil
}

// delimiter returns the best candidate for the record that comes next, and an
// error only if the reader fails.
func delimiter(s *splitter, candidates []byte) (byte, error) {
	best, most := candidates[0], -1
	for _, comma := range candidates {
		s.comma = comma
		c, err := s.scan()
		if s.err != nil && s.err != io.EOF {
			return 0, s.err
		}
		n := 2 // cannot be read, which says more than one unknown column
		if err == nil {
			n = fit(c.record)
		}
		if n > most {
			best, most = comma, n
		}
	}
	return best, nil
}

// fit says how well a header reads with a delimiter: known columns weigh more
// than any number of others.
func fit(rec record) int {
	n := len(rec.ends)
	for _, name := range rec.cells() {
		if known[fold(name)].column != "" {
			n += MaxColumns
		}
	}
	return n
}

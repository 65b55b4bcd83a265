package report

import (
	"strconv"
	"time"
)

// A csvLine is a line of CSV in the making, as RFC 4180 has it but for the bare
// line feed at its end. It keeps every byte of a cell, and costs no allocation
// once its array has grown.
type csvLine []byte

// text appends a cell.
func (l csvLine) text(cell string) csvLine {
	if !needsQuotes(cell) {
		return append(append(l, cell...), ',')
	}
	l = append(l, '"')
	for i := range len(cell) {
		if cell[i] == '"' {
			l = append(l, '"')
		}
		l = append(l, cell[i])
	}
	return append(l, '"', ',')
}

// number appends a cell with a number.
func (l csvLine) number(n int) csvLine {
	return append(strconv.AppendInt(l, int64(n), 10), ',')
}

// time appends a cell with a time, empty if that is zero.
func (l csvLine) time(t time.Time) csvLine {
	if !t.IsZero() {
		l = appendStamp(l, t)
	}
	return append(l, ',')
}

// texts appends a cell for each text.
func (l csvLine) texts(cells []string) csvLine {
	for _, cell := range cells {
		l = l.text(cell)
	}
	return l
}

// end ends the line, which has one cell at least.
func (l csvLine) end() csvLine {
	l[len(l)-1] = '\n'
	return l
}

// needsQuotes reports whether a cell may not stand bare. Spaces at its ends
// could, but some readers trim them.
func needsQuotes(cell string) bool {
	if cell == "" {
		return false
	}
	if cell[0] == ' ' || cell[len(cell)-1] == ' ' {
		return true
	}
	for i := range len(cell) {
		switch cell[i] {
		case ',', '"', '\r', '\n':
			return true
		}
	}
	return false
}

// appendStamp appends t as the files spell it: RFC 3339 in UTC with
// milliseconds. It lets the time package write the seconds only, since that is
// several times as fast as a layout with a fraction.
func appendStamp(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(b, time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(b[:len(b)-len("Z")], '.', digit(ms/100), digit(ms/10), digit(ms), 'Z')
}

// digit returns the last decimal digit of n.
func digit(n int) byte { return '0' + byte(n%10) }

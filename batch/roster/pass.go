package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"siprotate/batch"
)

// A pass is one reading of a roster, for gocsv to map: it pulls the records'
// cells out of the pass and sends each one, sorted into a line, to a channel
// with room for one, all in one goroutine. What it sent is taken out when it
// pulls the next.
type pass struct {
	roster *Roster
	yield  func(batch.Row, error) bool
	in     io.Reader
	utf16  bool
	text   *splitter
	header *header // nil until it is read
	lines  chan line
	empty  int        // lines that were read already: rows that lack their only cell
	below  *lookahead // what was read behind them

	// The record that gocsv maps, or the latest one.
	cells  []string
	start  int // its line
	number int
	open   bool // nothing shows that its last cell is whole

	faults  int  // of the input as a whole
	swapped bool // one of them says that columns are swapped
	stopped bool // nobody wants more
}

// errStopped ends a pass before the end of the input.
var errStopped = errors.New("the pass was stopped")

// GetCSVRow yields the row that gocsv has mapped, and returns the cells of the
// next record: of the first one, the columns that are known by its header.
func (p *pass) GetCSVRow() ([]string, error) {
	if p.header == nil {
		if err := p.readHeader(); err != nil {
			return nil, p.stop(err)
		}
		return p.header.fields, nil
	}
	select {
	case l := <-p.lines:
		row, swap := p.row(l)
		p.send(row, nil)
		p.faultSwap(swap)
	default:
	}
	return p.next()
}

// GetCSVRows is never called: gocsv pulls one record at a time.
func (p *pass) GetCSVRows() ([][]string, error) { return nil, errors.ErrUnsupported }

// readHeader finds out the encoding and reads the header.
func (p *pass) readHeader() error {
	text, utf16, err := decode(p.in)
	if err != nil {
		return err
	}
	p.utf16, p.text = utf16, newSplitter(text, p.roster.maxCell)
	rec, err := findHeader(p.text)
	if err == io.EOF {
		return &syntaxError{Fault: batch.Fault{Text: "the file is empty: a header and at least one row are needed"}}
	}
	if err != nil {
		return err
	}
	if what := flaw(rec.text, p.utf16); what != "" {
		return &syntaxError{Fault: batch.Fault{Line: rec.line, Text: "the header " + what, Hint: hintUTF8}}
	}
	h, faults := readColumns(rec.cells(), p.roster.CheckPassword)
	if h.nameless() {
		// Nothing of the line is quoted: where the header was left out, it may
		// well hold a password.
		return &syntaxError{Fault: batch.Fault{Line: rec.line, Text: "the first line names no known column",
			Hint: hintHeader(rec.cells())}}
	}
	p.header, p.roster.columns = h, h.others()
	for _, f := range faults {
		f.Line = rec.line
		p.fault(f)
	}
	return nil
}

// hintHeader says what a first line lacks that names no known column.
func hintHeader(cells []string) string {
	hint := "a header is needed, with at least " + wayText
	for i, cell := range cells {
		if name := fold(cell); strings.Contains(name, "mail") && !strings.ContainsAny(name, "@0123456789") {
			return fmt.Sprintf("%s; if column %d holds email addresses, call it %s", hint, i+1, colEmail)
		}
	}
	return hint
}

// next reads up to the next record that can be mapped.
func (p *pass) next() ([]string, error) {
	for !p.stopped {
		rec, err := p.record()
		syntax, broken := errors.AsType[*syntaxError](err)
		switch {
		case broken && !syntax.final:
			p.fault(syntax.Fault)
			continue
		case err == io.EOF && p.number == 0 && p.faults == 0:
			p.fault(batch.Fault{Text: "has no rows below its header"})
			return nil, err
		case err == io.EOF:
			return nil, err
		case err != nil:
			return nil, p.stop(err)
		case rec.line > MaxLines:
			return nil, p.stop(&syntaxError{Fault: batch.Fault{Line: rec.line, Text: fmt.Sprintf("has more than %d lines", MaxLines)}})
		case rec.blank:
			continue
		}
		p.number++
		p.cells, p.start = rec.cells(), rec.line
		p.open = rec.last && !bytes.HasSuffix(rec.text, []byte(`"`))
		if flaw(rec.text, p.utf16) == "" {
			return p.cells, nil
		}
		p.faultFlaws()
	}
	return nil, errStopped
}

// A lookahead is what the splitter returned before it is asked for.
type lookahead struct {
	record
	err error
}

// record returns the next record. In a file of one column, an empty line with
// another record below it is a row that lacks its cell, and not a blank line.
func (p *pass) record() (record, error) {
	columns := len(p.header.fields)
	if p.below == nil {
		rec, err := p.text.next(columns)
		for columns == 1 && err == nil && rec.blank {
			p.empty++
			rec, err = p.text.next(columns)
		}
		if err == io.EOF {
			p.empty = 0
		}
		p.below = &lookahead{rec, err}
	}
	if p.empty > 0 {
		line := p.below.line - p.empty
		p.empty--
		return record{line: line, ends: []int{0}}, nil
	}
	next := p.below
	p.below = nil
	return next.record, next.err
}

// faultFlaws faults the cells that hold broken text. The encoding is the file's,
// so that no row of such a file can be trusted.
func (p *pass) faultFlaws() {
	for i, cell := range p.cells {
		if what := flaw([]byte(cell), p.utf16); what != "" {
			p.fault(batch.Fault{Line: p.start, Column: p.header.label(i), Text: what, Hint: hintUTF8})
		}
	}
}

// faultSwap faults the input if one of its rows shows that columns are swapped:
// the other rows need not show it, and would hand their passwords on as ids.
func (p *pass) faultSwap(swap swap) {
	if swap == plainlySwapped && !p.swapped {
		p.swapped = true
		p.fault(batch.Fault{Line: p.start, Text: "the columns are swapped: a password stands among the ids", Hint: hintSwapped})
	}
}

// warnings returns what the whole pass found doubtful.
func (p *pass) warnings() []string {
	last := len(p.header.fields) - 1
	if !p.open || len(p.cells) != last+1 || p.cells[last] == "" || p.header.fields[last] == "" {
		return nil
	}
	f := batch.Fault{File: p.roster.name, Line: p.start, Column: p.header.label(last), Text: "no line end follows: is the file cut short?"}
	return []string{f.Error()}
}

// stop turns the reason for which no more can be read into the pass's error.
func (p *pass) stop(err error) error {
	syntax, ok := errors.AsType[*syntaxError](err)
	if !ok {
		return fmt.Errorf("cannot read %s: %w", p.roster.name, err)
	}
	p.fault(syntax.Fault)
	return errStopped
}

// fault yields a fault of the input as a whole.
func (p *pass) fault(f batch.Fault) {
	p.faults++
	f.File = p.roster.name
	p.send(batch.Row{}, f)
}

// send yields a row or a fault, unless nobody wants more.
func (p *pass) send(row batch.Row, err error) {
	p.stopped = p.stopped || !p.yield(row, err)
}

// escapes are what jq and Miller write into a tab-separated cell for what it
// cannot hold. Others write them as they are: no reader can know.
var escapes = regexp.MustCompile(`\\[tnr\\]`)

// row checks the latest record, which gocsv has mapped. Spaces around ids are
// what spreadsheets leave; those of a password may be meant.
func (p *pass) row(l line) (batch.Row, swap) {
	row := batch.Row{
		Number:   p.number,
		Line:     p.start,
		UserID:   strings.TrimSpace(l.UserID),
		DeviceID: strings.TrimSpace(l.DeviceID),
		SIPID:    strings.TrimSpace(l.SIPID),
		Email:    strings.TrimSpace(l.Email),
		Password: l.Password.Secret,
		Extra:    p.header.extra(p.cells),
	}
	swap := p.roster.swapped(&row)
	row.Faults = p.roster.check(&row)
	if swap != notSwapped {
		withholdSwapped(&row)
	}
	if p.text.comma == '\t' && escapes.MatchString(row.Password.Reveal()) {
		row.Faults = append(row.Faults, batch.Fault{Column: colPassword,
			Text: `holds \t, \n, \r or \\, which may stand for another character in a tab-separated file`,
			Hint: "write the file with commas, as @csv of jq and --ocsv of Miller do"})
	}
	if want := len(p.header.fields); len(p.cells) != want {
		swap = notSwapped // out of step
		if p.header.has(colPassword) {
			row = batch.Row{Number: p.number, Line: p.start, Extra: make([]string, len(row.Extra))}
		}
		row.Faults = []batch.Fault{{Text: fmt.Sprintf("%s instead of %d", count(len(p.cells), "cell"), want)}}
	}
	if len(row.Faults) > 0 {
		p.roster.withholdShifted(row.Extra)
	}
	if !row.Password.Empty() {
		row.PasswordSource = batch.Provided
	}
	return row, swap
}

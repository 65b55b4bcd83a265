package roster

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"siprotate/batch"
)

// A reading is one call of Read.
type reading struct {
	Options
	sink    Sink
	digest  hash.Hash
	utf16   bool
	split   *splitter
	table   *table
	devices *devices
	faults  batch.Faults
	summary Summary
}

func (rd *reading) read(raw io.Reader) error {
	err := rd.open(raw)
	for err == nil {
		err = rd.next()
	}
	return rd.verdict(err)
}

// open finds out the encoding and reads the header.
func (rd *reading) open(raw io.Reader) error {
	text, err := decode(raw)
	if err != nil {
		return rd.unread(err)
	}
	rd.utf16 = text.utf16
	rd.split = newSplitter(text, rd.MaxCell)
	return rd.header()
}

// verdict turns the reason for which reading ended into the result of Read.
func (rd *reading) verdict(err error) error {
	var broken *brokenText
	switch {
	case err == errEnd:
		rd.summary.SHA256 = hex.EncodeToString(rd.digest.Sum(nil))
		if err := rd.end(); err != nil {
			return err
		}
	case errors.As(err, &broken):
		rd.fault(broken.line, "", broken.text, broken.hint)
	default:
		return err
	}
	if rd.faults.Total > 0 {
		return &rd.faults
	}
	return nil
}

// header reads the header and gets ready for the rows.
func (rd *reading) header() error {
	rec, cells, err := findHeader(rd.split)
	if err == io.EOF {
		return &brokenText{text: "the file is empty: a header and at least one row are needed"}
	}
	if err != nil {
		return rd.unread(err)
	}
	if what := flaw(rec.text, rd.utf16); what != "" {
		return &brokenText{line: rec.line, text: "the header " + what, hint: hintUTF8}
	}
	columns, problems := readColumns(cells, rd.Find != nil)
	if len(columns.at) == 0 {
		// Nothing of the line is quoted: where the header was left out, it may
		// well hold a password.
		return &brokenText{line: rec.line, text: "the first line names no known column", hint: "a header is needed, with at least " + rd.wanted()}
	}
	for _, p := range problems {
		rd.fault(rec.line, p.column, p.text, p.hint)
	}
	rd.summary.Columns = columns.others
	rd.table, err = newTable(rd.split.comma, columns)
	return err
}

// next reads one record.
func (rd *reading) next() error {
	rec, err := rd.split.next(len(rd.table.columns.names))
	var broken *brokenText
	if errors.As(err, &broken) && !broken.final {
		rd.fault(broken.line, "", broken.text, broken.hint)
		return nil
	}
	if err != nil {
		return rd.unread(err)
	}
	if rec.line > MaxLines {
		return &brokenText{line: rec.line, text: fmt.Sprintf("has more than %d lines", MaxLines)}
	}
	if rec.blank {
		return nil
	}
	cells, err := rd.table.cells(rec)
	if err != nil {
		return err
	}
	return rd.row(rec, cells)
}

// errEnd says that the whole input was read. It is not io.EOF, which a sink
// might return for reasons of its own.
var errEnd = errors.New("end of the input")

// unread names the input in an error of its reader.
func (rd *reading) unread(err error) error {
	var broken *brokenText
	switch {
	case err == io.EOF:
		return errEnd
	case errors.As(err, &broken):
		return err
	}
	return fmt.Errorf("cannot read %s: %w", rd.Name, err)
}

// row checks one row and passes it on.
func (rd *reading) row(rec record, cells *cells) error {
	rd.summary.Rows++
	if rd.unreadable(rec, cells) {
		return nil
	}
	cells.trimIDs()
	v := rd.check(rec, cells)
	if v.partial && len(v.problems) == 0 {
		rd.find(rec, cells, &v)
	}
	if v.device {
		rd.devices.add(cells.UserID, cells.DeviceID, rd.summary.Rows, rec.line, len(v.problems) > 0)
	}
	if !rd.SkipInvalid {
		for _, p := range v.problems {
			rd.fault(rec.line, p.column, p.text, p.hint)
		}
	}
	if rd.faults.Total > 0 {
		return nil
	}
	if v.ragged && rd.table.columns.has(colPassword) {
		cells.withhold()
	}
	return rd.pass(rec, cells, v.problems)
}

// find has the row completed.
func (rd *reading) find(rec record, cells *cells, v *verdict) {
	row := batch.Row{
		Number: rd.summary.Rows, Line: rec.line,
		UserID: cells.UserID, DeviceID: cells.DeviceID, SIPID: cells.SIPID, Email: cells.Email,
	}
	if fault := rd.Find(&row); fault != nil {
		v.add(fault.Column, fault.Text, fault.Hint)
		return
	}
	cells.UserID, cells.DeviceID, cells.SIPID, cells.Email = row.UserID, row.DeviceID, row.SIPID, row.Email
	v.device = cells.UserID != "" && cells.DeviceID != ""
}

// wanted says which columns a header needs.
func (rd *reading) wanted() string {
	if rd.Find != nil {
		return wayText
	}
	return strings.Join(required, " and ")
}

// unreadable faults the cells that hold broken text. The encoding is the
// file's, so that no row of such a file can be trusted.
func (rd *reading) unreadable(rec record, cells *cells) bool {
	if flaw(rec.text, rd.utf16) == "" {
		return false
	}
	found := false
	for i, cell := range cells.all(rd.table.columns) {
		if what := flaw([]byte(cell), rd.utf16); what != "" {
			rd.fault(rec.line, rd.table.columns.label(i), what, hintUTF8)
			found = true
		}
	}
	if !found { // it stands in a cell beyond the header's
		rd.fault(rec.line, "", flaw(rec.text, rd.utf16), hintUTF8)
	}
	return true
}

// pass hands a row to the sink.
func (rd *reading) pass(rec record, cells *cells, problems []problem) error {
	row := batch.Row{
		Number:   rd.summary.Rows,
		Line:     rec.line,
		UserID:   cells.UserID,
		DeviceID: cells.DeviceID,
		SIPID:    cells.SIPID,
		Email:    cells.Email,
		Password: cells.Password.Secret,
		Extra:    cells.Others,
	}
	if err := rd.source(&row, len(problems) == 0); err != nil {
		return err
	}
	if err := rd.sink.Add(row); err != nil {
		return err
	}
	if len(problems) == 0 {
		return nil
	}
	return rd.refuse(row.Number, reasons(problems))
}

// source says where the row's password comes from, and draws one where the
// input gives none and the row is sound.
func (rd *reading) source(row *batch.Row, sound bool) error {
	if !row.Password.Empty() {
		row.PasswordSource = batch.Provided
		rd.summary.Provided++
		return nil
	}
	if !sound {
		return nil
	}
	password, err := rd.Generate()
	if err != nil {
		return err
	}
	row.Password, row.PasswordSource = batch.NewSecret(password), batch.Generated
	rd.summary.Generated++
	return nil
}

// end judges what only the whole input shows.
func (rd *reading) end() error {
	if rd.summary.Rows == 0 && rd.faults.Total == 0 {
		rd.fault(0, "", "has no rows below its header", "")
	}
	if !rd.SkipInvalid {
		rd.faultTwins()
		return nil
	}
	if rd.faults.Total > 0 {
		return nil
	}
	return rd.refuseTwins()
}

// faultTwins faults the rows of a device, but for the first.
func (rd *reading) faultTwins() {
	for s, twin := range rd.devices.twins() {
		if twin < s.line {
			rd.fault(int(s.line), colDevice, sameDevice(twin), "")
		}
	}
}

// refuseTwins refuses every row of a device that stands in several rows: which
// of them was meant, nobody can know.
func (rd *reading) refuseTwins() error {
	for s, twin := range rd.devices.twins() {
		if s.refused() {
			continue
		}
		if err := rd.refuse(s.number(), colDevice+": "+sameDevice(twin)); err != nil {
			return err
		}
	}
	return nil
}

func (rd *reading) refuse(row int, why string) error {
	rd.summary.Refused++
	return rd.sink.Refuse(row, why)
}

func (rd *reading) fault(line int, column, text, hint string) {
	rd.faults.Add(batch.Fault{File: rd.Name, Line: line, Column: column, Text: text, Hint: hint})
}

func sameDevice(line uint32) string { return fmt.Sprintf("same device as line %d", line) }

func reasons(problems []problem) string {
	var b strings.Builder
	for i, p := range problems {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

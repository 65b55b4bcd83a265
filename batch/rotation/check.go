package rotation

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"siprotate/batch"
	"siprotate/batch/directory"
)

// The columns that name a device.
const (
	columnUser   = "user_id"
	columnDevice = "device_id"
)

// An InputError says that a source has faults, all of which are told together.
// Nothing was sent.
type InputError struct {
	batch.Faults
	Sound int // rows that SkipInvalid would rotate; 0 where the source as a whole is at fault
}

// Unwrap returns the faults.
func (e *InputError) Unwrap() error { return &e.Faults }

// A checked is what a first pass over a source has found. It keeps a few bytes of
// each row, and of a row that lacks its ids what it names its device by.
type checked struct {
	source Source
	skip   bool // faulty rows are refused one by one, and not the source
	faults batch.Faults
	digest string
	rows   []rowCheck
	named  map[int]batch.Row // by number: rows that lack their ids; once resolved, completed or with faults
	wanted directory.Wanted
	seen   duplicates
	twins  map[int]int // by number: the line of another row with the same device
}

// A rowCheck is what is remembered of each row.
type rowCheck struct {
	given    bool // the source has its password
	unsound  bool // it has faults, or shares its device with another row
	nameless bool // it has both ids and no SIP id
}

// count returns how many rows can be rotated, and of how many of these the source
// has the password.
func (c *checked) count() (sound, given int) {
	for _, row := range c.rows {
		if row.unsound {
			continue
		}
		sound++
		if row.given {
			given++
		}
	}
	return sound, given
}

// sound returns the rows that can be rotated, from another pass over the source.
func (c *checked) sound() iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		for row, err := range c.source.Rows() {
			if err != nil || row.Number > len(c.rows) {
				yield(batch.Row{}, changed(c.source, err))
				return
			}
			if !c.rows[row.Number-1].unsound && !yield(row, nil) {
				return
			}
		}
	}
}

// nameless returns how many rows can be rotated, and not proved.
func (c *checked) nameless() (rows int) {
	for _, row := range c.rows {
		if row.nameless && !row.unsound {
			rows++
		}
	}
	return rows
}

// check makes a first pass over the source, to find every fault before anything
// is written or sent.
func (r Rotation) check(src Source) (*checked, error) {
	c := &checked{source: src, skip: r.SkipInvalid, named: map[int]batch.Row{}}
	broken := false
	for row, err := range src.Rows() {
		var fault batch.Fault
		switch {
		case errors.As(err, &fault):
			c.faults.Add(fault)
			broken = true
		case err != nil:
			return nil, &SourceError{err}
		default:
			c.add(row)
		}
	}
	if broken {
		return nil, &InputError{Faults: c.faults}
	}
	if w, ok := src.(warner); ok {
		for _, text := range w.Warnings() {
			r.Events(Warning{text})
		}
	}
	var err error
	if c.digest, err = src.Digest(); err != nil {
		return nil, &SourceError{err}
	}
	return c, c.verdict()
}

// A SourceError says that a source could not be read.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

func (c *checked) add(row batch.Row) {
	c.rows = append(c.rows, rowCheck{given: !row.Password.Empty(), nameless: row.SIPID == "" && row.UserID != "" && row.DeviceID != ""})
	faulty := len(row.Faults) > 0
	switch {
	case slices.ContainsFunc(row.Faults, ofAnID):
	case row.UserID != "" && row.DeviceID != "":
		c.seen.add(row.UserID, row.DeviceID, row.Number, row.Line, faulty)
	case !faulty:
		if fault := c.wanted.AddRow(&row); fault != nil {
			row.Faults = []batch.Fault{*fault}
			break
		}
		row.Password, row.Extra = batch.Secret{}, nil
		c.named[row.Number] = row
	}
	c.refuse(row.Number, row.Line, row.Faults)
}

// ofAnID reports whether a fault says that an id names no device.
func ofAnID(f batch.Fault) bool { return f.Column == columnUser || f.Column == columnDevice }

// refuse counts a row with faults, and tells them unless the row is skipped.
func (c *checked) refuse(row, line int, faults []batch.Fault) {
	if len(faults) == 0 {
		return
	}
	c.rows[row-1].unsound = true
	if c.skip {
		return
	}
	for _, fault := range faults {
		fault.File, fault.Line = c.source.Name(), line
		c.faults.Add(fault)
	}
}

// resolve completes the rows that lacked their ids.
func (c *checked) resolve(index *directory.Index) error {
	for number, row := range c.named {
		if fault := index.Complete(&row); fault != nil {
			row.Faults = []batch.Fault{*fault}
			c.refuse(number, row.Line, row.Faults)
		} else {
			c.seen.add(row.UserID, row.DeviceID, number, row.Line, false)
		}
		c.named[number] = row
	}
	return c.verdict()
}

// verdict looks for devices that stand in several rows, and returns the faults
// found so far as an [*InputError]. Which of the rows of one device was meant,
// nobody can know: all are refused where rows are skipped.
func (c *checked) verdict() error {
	c.twins = map[int]int{}
	for s, other := range c.seen.twins() {
		if !s.faulty() {
			c.twins[s.number()] = other
			c.rows[s.number()-1].unsound = true
		}
		if !c.skip && other < int(s.line) {
			fault := sameDevice(other)
			fault.File, fault.Line = c.source.Name(), int(s.line)
			c.faults.Add(fault)
		}
	}
	if c.faults.Total > 0 {
		sound, _ := c.count()
		return &InputError{c.faults, sound}
	}
	return nil
}

func sameDevice(line int) batch.Fault {
	return batch.Fault{Column: columnDevice, Text: fmt.Sprintf("same device as line %d", line)}
}

// complete gives a row of a later pass what the first one has found.
func (c *checked) complete(row *batch.Row) {
	if found, ok := c.named[row.Number]; ok {
		row.UserID, row.DeviceID, row.SIPID, row.Email = found.UserID, found.DeviceID, found.SIPID, found.Email
		row.Faults = append(row.Faults, found.Faults...)
	}
	if line, twin := c.twins[row.Number]; twin && len(row.Faults) == 0 {
		row.Faults = append(row.Faults, sameDevice(line))
	}
}

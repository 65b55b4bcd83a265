package cli

import (
	"errors"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/batch/roster"
)

// An exclusion is the rows of a file that name whom a rotation leaves out.
type exclusion struct {
	name   string
	rows   []exclusionRow
	wanted directory.Wanted
}

type exclusionRow struct {
	line int
	ref  directory.Reference
}

// readExclusion reads a file of users and devices to be left out.
func readExclusion(src source) (*exclusion, error) {
	r, err := src.open()
	if err != nil {
		return nil, usage(err, "")
	}
	defer r.Close()
	e := &exclusion{name: src.name}
	none := lookups{also: func(*batch.Row) {}}
	_, err = roster.Read(r, roster.Options{
		Name: src.name, Find: none.collect,
		Check:    func(string) error { return nil }, // no password of the file is used
		Generate: func() (string, error) { return "", nil },
	}, e)
	var faults *batch.Faults
	if errors.As(err, &faults) {
		return nil, usage(faults, faults.Hint())
	}
	return e, err
}

// Add takes a row of the file. Where it has both ids, these alone count, as in
// an input.
func (e *exclusion) Add(row batch.Row) error {
	ref := reference(&row)
	if ref.UserID != "" && ref.DeviceID != "" {
		ref.SIPID, ref.Email = "", ""
	}
	e.wanted.Add(ref)
	e.rows = append(e.rows, exclusionRow{row.Line, ref})
	return nil
}

// Refuse is never called, since no row is skipped.
func (e *exclusion) Refuse(int, string) error { return nil }

// devices returns the keys of all the devices that the rows name. A row that
// names nobody is an error: whom it meant would lose the password.
func (e *exclusion) devices(users []directory.User) (map[string]bool, error) {
	index := directory.NewIndex(&e.wanted, users)
	devices := map[string]bool{}
	var faults batch.Faults
	for _, row := range e.rows {
		matches, problem := index.All(row.ref)
		if problem != nil {
			faults.Add(batch.Fault{File: e.name, Line: row.line, Column: problem.Column, Text: problem.Text, Hint: problem.Hint})
		}
		for _, m := range matches {
			devices[batch.DeviceKey(m.User.ID, m.Device.ID)] = true
		}
	}
	if faults.Total > 0 {
		return nil, usage(&faults, "no password was sent")
	}
	return devices, nil
}

package batch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxFaults is how many faults of an input are told; the others are counted.
const MaxFaults = 50

// A Fault is one thing wrong with an input. It never holds a password, and
// what it quotes from the input has no control characters. As an error of a
// source it puts the whole input in doubt; a fault of one row stands in the row.
type Fault struct {
	File   string // the input's name; left empty in the faults of a [Row]
	Line   int    // from 1; 0 for the input as a whole; left 0 in the faults of a [Row]
	Column string // empty for the line as a whole
	Text   string // what is wrong
	Hint   string // what to do; may be empty
}

// Error returns the fault as "users.csv:17: device_id: text".
func (f Fault) Error() string {
	place := f.File
	if f.Line > 0 {
		place += ":" + strconv.Itoa(f.Line)
	}
	if f.Column != "" {
		place += ": " + f.Column
	}
	return place + ": " + f.Text
}

// Faults are all faults of one input. It is an error.
type Faults struct {
	First []Fault // at most MaxFaults, ordered by line
	Total int     // all of them
}

// Error returns the first faults, one a line, and how many more there are.
func (f *Faults) Error() string {
	lines := make([]string, 0, len(f.First)+1)
	for _, fault := range f.First {
		lines = append(lines, fault.Error())
	}
	if more := f.Total - len(f.First); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Hint returns what to do about the first faults, each advice once, one a line.
func (f *Faults) Hint() string {
	var hints []string
	for _, fault := range f.First {
		if fault.Hint != "" && !slices.Contains(hints, fault.Hint) {
			hints = append(hints, fault.Hint)
		}
	}
	return strings.Join(hints, "\n")
}

// Add counts a fault, and keeps it if it is one of the first by line. Faults of
// one line stay in the order in which they were found.
func (f *Faults) Add(fault Fault) {
	f.Total++
	i := len(f.First)
	for i > 0 && f.First[i-1].Line > fault.Line {
		i--
	}
	f.First = slices.Insert(f.First, i, fault)
	f.First = f.First[:min(len(f.First), MaxFaults)]
}

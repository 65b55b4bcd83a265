package roster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"siprotate/batch"
)

// ordinary are the folded names of columns that people do have and that stand
// within a typing error of a known one.
var ordinary = []string{"mail", "deviceip", "userip", "sipip", "passport"}

// doubtful returns what is wrong with an unknown column, and the known column
// that was probably meant: a misspelt password column would silently be taken
// for no password column at all.
func doubtful(name string) (batch.Fault, string) {
	folded := fold(name)
	if near := nearest(folded); near.column != "" {
		return batch.Fault{Text: "is no known column", Hint: fmt.Sprintf("did you mean %s? rename the column", near.name)}, near.column
	}
	if secretive(folded) {
		return batch.Fault{Text: "holds passwords by its name, but is not the column " + colPassword,
			Hint: "rename the column to " + colPassword + ", or remove it: unknown columns are copied to the report"}, colPassword
	}
	return batch.Fault{}, ""
}

// secretive reports whether a column by its name holds passwords. As an unknown
// column, they would end up in the report, which holds none.
func secretive(folded string) bool {
	suffixes := []string{"password", "passwd", "pwd", "passphrase", "secret", "secrets", "kennwort", "credential", "credentials"}
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(folded, suffix) })
}

// nearest returns the known name that a folded name misspells, if any.
func nearest(folded string) knownName {
	var near knownName
	if slices.Contains(ordinary, folded) {
		return near
	}
	best := 0
	for _, candidate := range slices.Sorted(maps.Keys(known)) { // so that a tie ends the same way each time
		of := known[candidate]
		d := distance(folded, candidate)
		numbered := strings.TrimRight(folded, "0123456789") == candidate // "email 2"
		if d > tolerance(candidate, of.column) || numbered && of.column != colPassword {
			continue
		}
		if near.column == "" || d < best {
			best, near = d, of
		}
	}
	return near
}

// tolerance is how many typing errors turn a known name into a suspicious one.
// Words like "user", "device" and "uid" are two errors or less away from a
// known name without being one, so only the password columns, whose loss is
// silent, get more than one, and short names none.
func tolerance(candidate, column string) int {
	switch {
	case column == colPassword:
		return 2
	case len(candidate) >= len("email"):
		return 1
	}
	return 0
}

// distance counts the typing errors between two names: letters that are
// missing, added, wrong, or swapped with their neighbour.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	if len(a) > 2*len(b) {
		return len(a)
	}
	var above, row []int
	next := make([]int, len(b)+1)
	for j := range next {
		next[j] = j
	}
	for i := range a {
		above, row, next = row, next, make([]int, len(b)+1)
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], above[j-1]+1)
			}
		}
	}
	return next[len(b)]
}

package cli_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Here the files of a run are read without the program's own code, as somebody
// would who has lost the program.

// A written is what a journal says.
type written struct {
	sealed    bool             // the plan is whole
	passwords map[int][]string // by row: every one that was written down
	sends     int
	rotated   map[int]bool // rows with a confirmation
	resent    []int        // rows with a request after their confirmation
}

// readJournal reads the journal in a run directory. None at all is one that says
// nothing.
func readJournal(tb testing.TB, dir string) written {
	tb.Helper()
	j := written{passwords: map[int][]string{}, rotated: map[int]bool{}}
	text, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if !errors.Is(err, fs.ErrNotExist) {
		must(tb, err)
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // a kill cut the write short
		}
		var r struct {
			Type     string
			Row      int
			Password string
			Outcome  string
		}
		must(tb, json.Unmarshal(line, &r))
		switch r.Type {
		case "row", "reissue":
			j.passwords[r.Row] = append(j.passwords[r.Row], r.Password)
		case "planned":
			j.sealed = true
		case "send":
			j.sends++
			if j.rotated[r.Row] {
				j.resent = append(j.resent, r.Row)
			}
		case "result":
			j.rotated[r.Row] = r.Outcome == "rotated"
		}
	}
	return j
}

// confirmedRows returns how many rows are confirmed.
func (j written) confirmedRows() (n int) {
	for _, yes := range j.rotated {
		if yes {
			n++
		}
	}
	return n
}

// readCSV reads a CSV file into one map a line, by column.
func readCSV(tb testing.TB, path string) (lines []map[string]string) {
	tb.Helper()
	text, err := os.ReadFile(path)
	must(tb, err)
	return parseCSV(tb, path, text)
}

func parseCSV(tb testing.TB, path string, text []byte) (lines []map[string]string) {
	tb.Helper()
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	must(tb, err)
	if len(records) == 0 {
		tb.Fatalf("%s is empty", path)
	}
	for _, record := range records[1:] {
		line := map[string]string{}
		for i, column := range records[0] {
			line[column] = record[i]
		}
		lines = append(lines, line)
	}
	return lines
}

// A summary is summary.json.
type summary struct {
	Rows, Rotated, Failed, Unknown, Invalid, Requests int

	NotAttempted int `json:"not_attempted"`
}

func readSummary(tb testing.TB, dir string) (s summary) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	must(tb, err)
	must(tb, json.Unmarshal(text, &s))
	return s
}

// passwordOf returns the password that a request's body asks for.
func passwordOf(body string) string {
	var request struct{ Password string }
	if err := json.Unmarshal([]byte(body), &request); err != nil {
		return "not JSON: " + body
	}
	return request.Password
}

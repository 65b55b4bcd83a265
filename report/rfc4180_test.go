package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parseCSV is a strict reader of RFC 4180 (with LF line ends) that, unlike
// encoding/csv's, changes no byte of a cell.
func parseCSV(text string) ([][]string, error) {
	var lines [][]string
	for len(text) > 0 {
		var line []string
		for more := true; more; {
			cell, rest, err := parseCell(text)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", len(lines)+1, err)
			}
			line = append(line, cell)
			if rest == "" {
				return nil, errors.New("the last line has no end")
			}
			more, text = rest[0] == ',', rest[1:]
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// parseCell returns the first cell of text, and what follows, which begins with
// a comma or a line end.
func parseCell(text string) (cell, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ",\n")
		if end < 0 {
			return "", "", errors.New("a cell has no end")
		}
		if strings.ContainsAny(text[:end], "\"\r") {
			return "", "", errors.New("a bare cell needs quotes")
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for text = text[1:]; ; {
		end := strings.IndexByte(text, '"')
		if end < 0 || end+1 == len(text) {
			return "", "", errors.New("a quoted cell has no end")
		}
		b.WriteString(text[:end])
		switch next := text[end+1]; next {
		case '"':
			b.WriteByte('"')
			text = text[end+2:]
		case ',', '\n':
			return b.String(), text[end+1:], nil
		default:
			return "", "", fmt.Errorf("%q after a quoted cell", next)
		}
	}
}

func TestParseCSV(t *testing.T) {
	got, err := parseCSV("a,\"b\"\"\r\n,\",\n,\n")
	if want := [][]string{{"a", "b\"\r\n,", ""}, {"", ""}}; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("parsed %q, %v", got, err)
	}
	for _, bad := range []string{"a", "a\rb\n", "a\"b\n", "\"a", "\"a\"b\n", "\"a\""} {
		if got, err := parseCSV(bad); err == nil {
			t.Errorf("%q: parsed as %q", bad, got)
		}
	}
}

func readCSV(t rapid.TB, dir, name string) [][]string {
	t.Helper()
	lines, err := parseCSV(readFile(t, dir, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return lines
}

func readFile(t rapid.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

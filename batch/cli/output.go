package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"siprotate/batch/durable"
	"siprotate/batch/journal"
)

// writeTable writes rows of cells for people, in columns.
func writeTable(w io.Writer, rows [][]string) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, cells := range rows {
		fmt.Fprintln(out, strings.Join(cells, "\t"))
	}
	return out.Flush()
}

// fitted takes columns of a table with a header away, one by one, until a terminal
// of width columns shows it without wrapping; 0: there is no terminal.
func fitted(rows [][]string, width int, yielding ...string) [][]string {
	for _, name := range yielding {
		if width == 0 || widthOf(rows) <= width {
			break
		}
		column := slices.Index(rows[0], name)
		for i := range rows {
			rows[i] = slices.Delete(rows[i], column, column+1)
		}
	}
	return rows
}

// widthOf returns how many columns of a terminal a table takes.
func widthOf(rows [][]string) (width int) {
	var text strings.Builder
	_ = writeTable(&text, rows)
	for line := range strings.Lines(text.String()) {
		width = max(width, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
	}
	return width
}

// jsonLines writes each value as a line of JSON.
func jsonLines[T any](w io.Writer, values []T) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, value := range values {
		if err := out.Encode(value); err != nil {
			return err
		}
	}
	return nil
}

// deliver writes the data of a command to a file, or to standard output if none
// is named. The file is for its owner alone: it may name people.
func (a *app) deliver(file string, text []byte) error {
	if err := mayReplace(file); err != nil {
		return err
	}
	var err error
	if file == "" || file == "-" {
		_, err = a.out.Write(text)
	} else {
		err = replaceFile(file, 0o600, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	if err != nil {
		return failure(fmt.Errorf("write the output: %w", err), "")
	}
	return nil
}

// replaceFile writes a file in one step: whoever reads it sees the one of before or
// the whole new one.
func replaceFile(name string, perm fs.FileMode, write func(io.Writer) error) error {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.Replace(root, filepath.Base(name), perm, write)
}

// mayReplace refuses what no output is to take the place of: the journal of a run,
// and what is no file, such as /dev/null.
func mayReplace(file string) error {
	if file == "" || file == "-" {
		return nil
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return usagef("name another file, or none for standard output", "%s is no plain file", file)
	}
	if strings.EqualFold(filepath.Base(file), journal.Name) && journal.Exists(filepath.Dir(file)) {
		return usagef("name another file", "%s is the journal of a run", file)
	}
	return nil
}

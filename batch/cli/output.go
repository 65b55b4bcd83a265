package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/google/renameio/v2/maybe"
)

// writeTable writes rows of cells for people, in columns.
func writeTable(w io.Writer, rows [][]string) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, cells := range rows {
		fmt.Fprintln(out, strings.Join(cells, "\t"))
	}
	return out.Flush()
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
	var err error
	if file == "" || file == "-" {
		_, err = a.out.Write(text)
	} else {
		err = maybe.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return failure(fmt.Errorf("write the output: %w", err), "")
	}
	return nil
}

package roster

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// The known columns.
const (
	colUser     = "user_id"
	colDevice   = "device_id"
	colSIP      = "sip_id"
	colEmail    = "email"
	colPassword = "password"
)

// known maps the folded names and aliases of the known columns to the columns.
var known = map[string]string{
	"userid": colUser, "uuid": colUser, "useruuid": colUser,
	"deviceid": colDevice,
	"sipid":    colSIP, "sipusername": colSIP, "contacturi": colSIP,
	"email":    colEmail,
	"password": colPassword, "sippassword": colPassword,
}

// required are the columns that together name a device by themselves.
var required = []string{colUser, colDevice}

// ways are the columns each of which may do so with the help of Options.Find.
var ways = []string{colUser, colSIP, colEmail}

// wayText tells all of that to a person.
const wayText = "user_id and device_id, or sip_id, email or user_id to find the device by"

// fold takes from a name what does not count when names are compared.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// delimiters are those that are told from the header; where it could be read
// with several, the first one counts.
var delimiters = []byte{',', ';', '\t'}

// findHeader consumes the lines up to and including the header, and sets the
// splitter's delimiter: the one that Excel's "sep=" line names, or else the one
// with which the header has the most known columns, or else the most columns.
func findHeader(s *splitter) (record, []string, error) {
	candidates, err := separatorLine(s)
	if err != nil {
		return record{}, nil, err
	}
	for {
		s.comma, err = delimiter(s, candidates)
		if err != nil {
			return record{}, nil, err
		}
		c, err := s.scan()
		if err != nil {
			return record{}, nil, err
		}
		cells, err := splitHeader(s.comma, c.record)
		if err != nil {
			return record{}, nil, err
		}
		s.consume(&c)
		if !c.blank {
			return c.record, cells, nil
		}
	}
}

// separatorLine consumes Excel's "sep=;" line, if there is one, and returns the
// delimiters that are possible below it.
func separatorLine(s *splitter) ([]byte, error) {
	c, err := s.scan()
	text := bytes.Trim(c.text, `"`)
	if err != nil || len(text) < 4 || !bytes.EqualFold(text[:4], []byte("sep=")) {
		return delimiters, nil
	}
	if len(text) != 5 || !bytes.Contains(delimiters, text[4:]) {
		return nil, &brokenText{line: c.line,
			text: fmt.Sprintf("the delimiter %s is none of comma, semicolon and tab", show(string(text[4:])))}
	}
	s.consume(&c)
	return []byte{text[len("sep=")]}, nil
}

// delimiter returns the best candidate for the record that comes next, and an
// error only if the reader fails.
func delimiter(s *splitter, candidates []byte) (byte, error) {
	best, most := candidates[0], -1
	for _, comma := range candidates {
		s.comma = comma
		c, err := s.scan()
		if s.err != nil && s.err != io.EOF {
			return 0, s.err
		}
		if err != nil {
			continue
		}
		if c.blank {
			return comma, nil
		}
		if n := fit(comma, c.record); n > most {
			best, most = comma, n
		}
	}
	return best, nil
}

// fit says how well a header reads with a delimiter: known columns weigh more
// than any number of others.
func fit(comma byte, rec record) int {
	cells, _ := splitHeader(comma, rec)
	n := len(cells)
	for _, name := range cells {
		if known[fold(name)] != "" {
			n += MaxColumns
		}
	}
	return n
}

// splitHeader returns the cells of the header.
func splitHeader(comma byte, rec record) ([]string, error) {
	if rec.blank {
		return nil, nil
	}
	r := csv.NewReader(bytes.NewReader(canonical(nil, rec)))
	r.Comma = rune(comma)
	cells, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", rec.line, err)
	}
	return cells, nil
}

// A columns says which column of an input is what.
type columns struct {
	names  []string       // all of them, as written
	fields []string       // all of them: a known column, or "other[0]", "other[1]" ...
	at     map[string]int // where the known columns stand
	others []string       // the names of the other ones, as written
}

// readColumns understands a header, and says what is wrong with it.
func readColumns(names []string, finding bool) (columns, []problem) {
	c := columns{names: names, fields: make([]string, len(names)), at: make(map[string]int)}
	var problems []problem
	meant := make(map[string]bool)
	for i, name := range names {
		field := known[fold(name)]
		if first, twice := c.at[field]; twice {
			problems = append(problems, problem{label(name), fmt.Sprintf("is the column %s again, like %s", field, label(names[first])), ""})
			field = ""
		}
		if field != "" {
			c.fields[i], c.at[field] = field, i
			continue
		}
		c.fields[i] = fmt.Sprintf("other[%d]", len(c.others))
		c.others = append(c.others, name)
		if p, column := doubtful(name); column != "" {
			problems = append(problems, p)
			meant[column] = true
		}
	}
	if finding {
		return c, append(problems, c.wayless(meant)...)
	}
	return c, append(problems, c.missing(meant)...)
}

// wayless faults a header by whose columns no device can be found.
func (c columns) wayless(meant map[string]bool) []problem {
	for _, column := range ways {
		if c.has(column) || meant[column] {
			return nil
		}
	}
	return []problem{{"", "no column names a device", "the columns are " + c.list() + "; siprotate needs " + wayText}}
}

// missing faults a header without the required columns, once. A column that
// was probably meant by a misspelt one has its fault already.
func (c columns) missing(meant map[string]bool) []problem {
	var lacking []string
	for _, column := range required {
		if _, ok := c.at[column]; !ok && !meant[column] {
			lacking = append(lacking, column)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	text := "the column " + lacking[0] + " is missing"
	if len(lacking) > 1 {
		text = "the columns " + strings.Join(lacking, " and ") + " are missing"
	}
	return []problem{{"", text, "the columns are " + c.list() + "; siprotate needs both " + strings.Join(required, " and ")}}
}

// list names the columns for a person.
func (c columns) list() string {
	const most = 12
	var labels []string
	for i := range c.names {
		if i == most {
			labels = append(labels, fmt.Sprintf("and %d more", len(c.names)-most))
			break
		}
		labels = append(labels, c.label(i))
	}
	return strings.Join(labels, ", ")
}

// label names the i-th column for a person.
func (c columns) label(i int) string {
	if strings.TrimSpace(c.names[i]) == "" {
		return fmt.Sprintf("column %d", i+1)
	}
	return label(c.names[i])
}

// has reports whether the header has the known column.
func (c columns) has(column string) bool {
	_, ok := c.at[column]
	return ok
}

package roster

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"siprotate/batch"
)

// The known columns.
const (
	colUser     = "user_id"
	colDevice   = "device_id"
	colSIP      = "sip_id"
	colEmail    = "email"
	colPassword = "password"
)

// A line is one record, its known cells in their places. gocsv fills it. Each
// tag begins with the column's name; its aliases follow.
type line struct {
	UserID   string `csv:"user_id,uuid,user_uuid"`
	DeviceID string `csv:"device_id"`
	SIPID    string `csv:"sip_id,sip_username,contact_uri"`
	Email    string `csv:"email"`
	Password secret `csv:"password,sip_password"`
}

// A secret is a batch.Secret that gocsv can fill.
type secret struct{ batch.Secret }

// UnmarshalCSV keeps the cell, byte for byte.
func (s *secret) UnmarshalCSV(cell string) error {
	s.Secret = batch.NewSecret(cell)
	return nil
}

// A knownName is a name that a header may give to a known column.
type knownName struct{ column, name string }

// known has the known names by what [fold] makes of them.
var known = func() map[string]knownName {
	names := make(map[string]knownName)
	for l, i := reflect.TypeFor[line](), 0; i < l.NumField(); i++ {
		tag := strings.Split(l.Field(i).Tag.Get("csv"), ",")
		for _, name := range tag {
			names[fold(name)] = knownName{tag[0], name}
		}
	}
	return names
}()

// ways are the columns each of which may name a device by itself, and wayText
// says to people what a row needs.
var ways = []string{colUser, colSIP, colEmail}

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

// A header says which column of an input is what.
type header struct {
	names  []string // of all columns, as written
	labels []string // for each of them what people see
	fields []string // for each of them the known column, or empty
}

// readColumns understands the cells of a header, and says what is wrong with
// it. Where the header was left out, a password may stand among the names: one
// that the policy takes for a password is not quoted.
func readColumns(names []string, policy func(string) error) (*header, []batch.Fault) {
	h := &header{names: names, labels: make([]string, len(names)), fields: make([]string, len(names))}
	var faults []batch.Fault
	meant := make(map[string]bool)
	for i, name := range names {
		is := known[fold(name)]
		switch plain := isPlainName(name); {
		case plain && (is.column != "" || policy(name) != nil):
			h.labels[i] = name
		case is.column != "":
			h.labels[i] = is.name
		default:
			h.labels[i] = fmt.Sprintf("column %d", i+1)
		}
		if is.column == "" {
			if f, column := doubtful(name); column != "" {
				f.Column = h.labels[i]
				faults = append(faults, f)
				meant[column] = true
			}
		} else if first := slices.Index(h.fields, is.column); first >= 0 {
			faults = append(faults, batch.Fault{Column: h.labels[i], Text: fmt.Sprintf("is the column %s again, like %s", is.column, h.labels[first])})
		} else {
			h.fields[i] = is.column
		}
	}
	if !slices.ContainsFunc(ways, func(column string) bool { return h.has(column) || meant[column] }) {
		faults = append(faults, batch.Fault{Text: "no column names a device", Hint: "the columns are " + h.list() + "; siprotate needs " + wayText})
	}
	return h, faults
}

// nameless reports whether the header has no known column.
func (h *header) nameless() bool { return strings.Join(h.fields, "") == "" }

func (h *header) has(column string) bool { return slices.Contains(h.fields, column) }

// others returns the names of the columns that are not known.
func (h *header) others() []string { return h.extra(h.names) }

// extra returns those of a record's cells that belong to no known column: one
// for each such column, empty where the record is short.
func (h *header) extra(cells []string) []string {
	var extra []string
	for i, column := range h.fields {
		switch {
		case column != "":
		case i < len(cells):
			extra = append(extra, cells[i])
		default:
			extra = append(extra, "")
		}
	}
	return extra
}

// list names the columns for a person.
func (h *header) list() string {
	const most = 12
	labels := h.labels
	if len(labels) > most {
		labels = append(slices.Clone(labels[:most]), fmt.Sprintf("and %d more", len(labels)-most))
	}
	return strings.Join(labels, ", ")
}

// isPlainName reports whether a name of a column can be shown as it is.
func isPlainName(name string) bool {
	return utf8.RuneCountInString(name) <= 40 && plainName().MatchString(name)
}

var plainName = lazy(`^[\pL\pN(][\pL\pM\pN _./()-]*$`)

// lazy returns an expression that is compiled when it is first needed: those with
// classes of Unicode take a tenth of the program's start.
func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// label names the i-th column for a person; beyond the header, there is none.
func (h *header) label(i int) string {
	if i >= len(h.labels) {
		return ""
	}
	return h.labels[i]
}

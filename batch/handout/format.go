package handout

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"siprotate/exotel"
)

// A Writer writes credentials in one format. What it writes is whole once it is
// closed; it does not close what it writes to.
type Writer interface {
	Write(*Credential) error
	Close() error
}

// A Format is a way to write credentials. Columns are the names of the rows'
// Extra.
type Format struct {
	Name string
	New  func(w io.Writer, columns []string) Writer
}

// The formats there are.
var (
	CSV         = Format{"csv", newCSV}
	JSONL       = Format{"jsonl", newJSONL}
	Bitwarden   = Format{"bitwarden", newBitwarden}
	OnePassword = Format{"1password", newOnePassword}

	Formats = []Format{CSV, JSONL, Bitwarden, OnePassword}
)

// SealedCSV is CSV with one column more, sealed: a password that could not be
// opened stands there in unpadded base64, and none in the column password. It is
// for what is sealed as a whole.
var SealedCSV = Format{"sealed csv", newSealedCSV}

// Write writes credentials in a format, and returns how many there were.
func Write(w io.Writer, f Format, columns []string, credentials iter.Seq2[Credential, error]) (n int, err error) {
	out := f.New(w, columns)
	for c, err := range credentials {
		if err != nil {
			return n, err
		}
		if err := out.Write(&c); err != nil {
			return n, err
		}
		n++
	}
	return n, out.Close()
}

// A table writes CSV. The first error comes back from Close.
type table struct {
	csv   *csv.Writer
	cells func(*Credential) []string
}

func newTable(w io.Writer, header []string, cells func(*Credential) []string) Writer {
	t := &table{csv.NewWriter(w), cells}
	_ = t.csv.Write(header)
	return t
}

func (t *table) Write(c *Credential) error { return t.csv.Write(t.cells(c)) }

func (t *table) Close() error {
	t.csv.Flush()
	return t.csv.Error()
}

// csvColumns are those of a run's credentials.csv.
var csvColumns = []string{"row", "user_id", "device_id", "sip_id", "email", "password", "outcome"}

func csvCells(c *Credential) []string {
	row := c.Row
	return []string{
		strconv.Itoa(row.Number), row.UserID, row.DeviceID, row.SIPID, row.Email, c.Password.Reveal(), c.Result.Outcome.String(),
	}
}

func newCSV(w io.Writer, columns []string) Writer {
	return newTable(w, slices.Concat(csvColumns, columns), func(c *Credential) []string {
		return append(csvCells(c), extra(c, columns)...)
	})
}

func newSealedCSV(w io.Writer, columns []string) Writer {
	return newTable(w, slices.Concat(csvColumns, []string{"sealed"}, columns), func(c *Credential) []string {
		return append(append(csvCells(c), c.Sealed), extra(c, columns)...)
	})
}

// extra returns a cell for each of the input's other columns; an invalid row may
// have had more or fewer.
func extra(c *Credential, columns []string) []string {
	cells := make([]string, len(columns))
	copy(cells, c.Row.Extra)
	return cells
}

// An object is a credential as a JSON object: a line of JSONL, and what a command
// is given.
type object struct {
	Row      int               `json:"row"`
	UserID   string            `json:"user_id"`
	DeviceID string            `json:"device_id"`
	SIPID    string            `json:"sip_id"`
	Email    string            `json:"email"`
	Password string            `json:"password"`
	Outcome  string            `json:"outcome"`
	Columns  map[string]string `json:"columns,omitempty"` // the input's others
}

func toObject(c *Credential, columns []string) object {
	o := object{
		Row: c.Row.Number, UserID: c.Row.UserID, DeviceID: c.Row.DeviceID, SIPID: c.Row.SIPID, Email: c.Row.Email,
		Password: c.Password.Reveal(), Outcome: c.Result.Outcome.String(), Columns: map[string]string{},
	}
	for i, cell := range extra(c, columns) {
		o.Columns[columns[i]] = cell
	}
	return o
}

type jsonLines struct {
	out     *json.Encoder
	columns []string
}

func newJSONL(w io.Writer, columns []string) Writer { return jsonLines{newEncoder(w), columns} }

func newEncoder(w io.Writer) *json.Encoder {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out
}

func (l jsonLines) Write(c *Credential) error { return l.out.Encode(toObject(c, l.columns)) }

func (jsonLines) Close() error { return nil }

// The vaultExport is what Bitwarden imports as "Bitwarden (json)": an unencrypted
// export of an individual vault.
//
// Source: bitwarden.com/help/condition-bitwarden-import, "Condition a JSON".
// The items stand between the two, a comma between each.
const (
	vaultExport = `{
  "encrypted": false,
  "folders": [],
  "items": [`
	vaultEnd = "]\n}\n"
)

type vaultItem struct {
	Type     int          `json:"type"`
	Name     string       `json:"name"`
	Notes    *string      `json:"notes"`
	Favorite bool         `json:"favorite"`
	Fields   []vaultField `json:"fields"`
	Login    vaultLogin   `json:"login"`
}

type vaultField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Type  int    `json:"type"`
}

type vaultLogin struct {
	URIs     []vaultURI `json:"uris"`
	Username string     `json:"username"`
	Password string     `json:"password"`
	TOTP     *string    `json:"totp"`
}

type vaultURI struct {
	Match *int   `json:"match"`
	URI   string `json:"uri"`
}

// What Bitwarden's numbers stand for.
const (
	vaultLoginItem = 1
	vaultTextField = 0
)

type bitwarden struct {
	to      io.Writer
	columns []string
	text    bytes.Buffer // of one item
	out     *json.Encoder
	items   int
}

func newBitwarden(w io.Writer, columns []string) Writer {
	b := &bitwarden{to: w, columns: columns}
	b.out = newEncoder(&b.text)
	b.out.SetIndent("    ", "  ")
	return b
}

func (b *bitwarden) Write(c *Credential) error {
	item := vaultItem{
		Type: vaultLoginItem, Name: title(c), Fields: []vaultField{},
		Login: vaultLogin{URIs: []vaultURI{}, Username: user(c), Password: c.Password.Reveal()},
	}
	if uri := uri(c); uri != "" {
		item.Login.URIs = append(item.Login.URIs, vaultURI{URI: uri})
	}
	for _, f := range details(c, b.columns) {
		item.Fields = append(item.Fields, vaultField{f.name, f.value, vaultTextField})
	}
	before := ",\n    "
	if b.items == 0 {
		before = vaultExport + before[1:]
	}
	b.items++
	b.text.Reset()
	b.text.WriteString(before)
	if err := b.out.Encode(item); err != nil {
		return err
	}
	_, err := b.to.Write(bytes.TrimSuffix(b.text.Bytes(), []byte("\n")))
	return err
}

func (b *bitwarden) Close() error {
	end := "\n  " + vaultEnd
	if b.items == 0 {
		end = vaultExport + vaultEnd
	}
	_, err := io.WriteString(b.to, end)
	return err
}

// newOnePassword writes what 1Password imports as a CSV of logins. The first line
// may name the columns.
//
// Source: support.1password.com/cs/import-mac, "Item types", Login items.
func newOnePassword(w io.Writer, columns []string) Writer {
	return newTable(w, []string{"title", "website", "username", "password", "notes"}, func(c *Credential) []string {
		var notes []string
		for _, f := range details(c, columns) {
			notes = append(notes, f.name+": "+f.value)
		}
		return []string{title(c), uri(c), user(c), c.Password.Reveal(), strings.Join(notes, "\n")}
	})
}

// title is what people look for in a password manager.
func title(c *Credential) string {
	return "Exotel SIP " + cmp.Or(c.Row.Email, user(c), c.Row.UserID)
}

func user(c *Credential) string { return cmp.Or(exotel.SIPID(c.Row.SIPID), c.Row.Email) }

func uri(c *Credential) string {
	if c.Row.SIPID == "" {
		return ""
	}
	return "sip:" + exotel.SIPID(c.Row.SIPID)
}

type detail struct{ name, value string }

// details is what else is known of a credential, as far as it says something.
func details(c *Credential, columns []string) (all []detail) {
	all = []detail{{"user_id", c.Row.UserID}, {"device_id", c.Row.DeviceID}, {"email", c.Row.Email}, {"outcome", c.Result.Outcome.String()}}
	for i, cell := range extra(c, columns) {
		all = append(all, detail{columns[i], cell})
	}
	return slices.DeleteFunc(all, func(d detail) bool { return d.value == "" })
}

package roster

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/gocarina/gocsv"

	"siprotate/batch"
)

// A cells is one record, its cells sorted into the known columns and the
// others. The number of Others that gocsv has to know is MaxColumns.
type cells struct {
	UserID   string   `csv:"user_id"`
	DeviceID string   `csv:"device_id"`
	SIPID    string   `csv:"sip_id"`
	Email    string   `csv:"email"`
	Password secret   `csv:"password"`
	Others   []string `csv:"other" csv[]:"1000"`
}

// A secret is a batch.Secret that gocsv can fill.
type secret struct{ batch.Secret }

// UnmarshalCSV keeps the cell, byte for byte.
func (s *secret) UnmarshalCSV(cell string) error {
	s.Secret = batch.NewSecret(cell)
	return nil
}

// trimIDs takes off the spaces around ids that spreadsheets leave; those of a
// password may be meant.
func (c *cells) trimIDs() {
	for _, id := range []*string{&c.UserID, &c.DeviceID, &c.SIPID, &c.Email} {
		*id = strings.TrimSpace(*id)
	}
}

// withhold forgets what the cells say. In a row whose cells do not fit the
// header, the password may stand in any of them, and all but its own column go
// to the report.
func (c *cells) withhold() { *c = cells{Others: make([]string, len(c.Others))} }

// all returns the cells in the order of the columns.
func (c *cells) all(cols columns) []string {
	all := make([]string, len(cols.fields))
	others := c.Others
	for i, field := range cols.fields {
		switch field {
		case colUser:
			all[i] = c.UserID
		case colDevice:
			all[i] = c.DeviceID
		case colSIP:
			all[i] = c.SIPID
		case colEmail:
			all[i] = c.Email
		case colPassword:
			all[i] = c.Password.Reveal()
		default:
			all[i], others = others[0], others[1:]
		}
	}
	return all
}

// A table reads records into cells. gocsv puts the cells into the fields of the
// struct; it gets one record at a time, from a buffer that always holds a whole
// one, and a header of our own making that knows no aliases and no doubles.
type table struct {
	columns columns
	buffer  bytes.Buffer
	scratch []byte
	rows    *gocsv.Unmarshaller
}

func newTable(comma byte, cols columns) (*table, error) {
	t := &table{columns: cols}
	r := csv.NewReader(&t.buffer)
	r.Comma = rune(comma)
	r.FieldsPerRecord = -1 // the splitter counts them
	r.ReuseRecord = true   // gocsv copies the cells out of it
	t.buffer.WriteString(strings.Join(cols.fields, string(r.Comma)) + "\n")
	rows, err := gocsv.NewUnmarshaller(r, &cells{})
	if err != nil {
		return nil, fmt.Errorf("cannot map the columns: %w", err)
	}
	t.rows = rows
	return t, nil
}

// cells returns the record's cells. Those that a short record lacks are empty,
// those that a long one has too many are left out.
func (t *table) cells(rec record) (*cells, error) {
	t.scratch = canonical(t.scratch[:0], rec)
	t.buffer.Write(t.scratch)
	row, err := t.rows.Read()
	if err != nil {
		return nil, fmt.Errorf("cannot read line %d: %w", rec.line, err)
	}
	c := row.(*cells)
	for len(c.Others) < len(t.columns.others) {
		c.Others = append(c.Others, "")
	}
	return c, nil
}

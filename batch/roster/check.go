package roster

import (
	"fmt"
	"strings"
)

// A problem is what is wrong with a column, or with a whole row; the zero
// problem is none.
type problem struct{ column, text, hint string }

func (p problem) String() string {
	if p.column == "" {
		return p.text
	}
	return p.column + ": " + p.text
}

// A verdict is what checking a row brought to light.
type verdict struct {
	problems []problem
	device   bool // the ids are sound: they name a device
	partial  bool // the row names its device by something else
	ragged   bool // the cells do not fit the header
}

func (v *verdict) add(column, text, hint string) {
	v.problems = append(v.problems, problem{column, text, hint})
}

// check judges a row by itself.
func (rd *reading) check(rec record, c *cells) verdict {
	var v verdict
	if want := len(rd.table.columns.names); rec.cells != want {
		v.ragged = true
		v.add("", fmt.Sprintf("%s instead of %d", count(rec.cells), want), "")
		return v
	}
	rd.checkDevice(&v, c)
	v.id(colSIP, c.SIPID, addressFault)
	v.id(colEmail, c.Email, emailFault)
	if c.Password.Empty() {
		return v
	}
	if err := rd.Check(c.Password.Reveal()); err != nil {
		v.add(colPassword, err.Error(), "")
	}
	return v
}

// checkDevice judges how the row names its device. Where the header lacks a
// column that every row needs, that is said once, and not again in every row.
func (rd *reading) checkDevice(v *verdict, c *cells) {
	user := v.id(colUser, c.UserID, userFault)
	device := v.id(colDevice, c.DeviceID, deviceFault)
	switch {
	case c.UserID != "" && c.DeviceID != "":
		v.device = user && device
	case rd.Find == nil:
		rd.wantKey(v, colUser, c.UserID)
		rd.wantKey(v, colDevice, c.DeviceID)
	case c.UserID == "" && c.SIPID == "" && c.Email == "":
		v.add("", "names no device: a row needs "+wayText, "")
	default:
		v.partial = true
	}
}

// wantKey faults the absence of an id without which no device is named.
func (rd *reading) wantKey(v *verdict, column, id string) {
	if id == "" && rd.table.columns.has(column) {
		v.add(column, "missing: a row needs "+strings.Join(required, " and "), "")
	}
}

// id adds what is wrong with an id.
func (v *verdict) id(column, id string, fault func(string) problem) (sound bool) {
	p := fault(id)
	if p.text == "" {
		return true
	}
	v.add(column, p.text, p.hint)
	return false
}

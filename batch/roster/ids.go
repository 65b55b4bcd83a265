package roster

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"siprotate/batch"
)

// check returns what is wrong with a row by itself.
func (o *Options) check(row *batch.Row) []batch.Fault {
	var faults []batch.Fault
	add := func(column string, f batch.Fault) {
		if f.Text != "" {
			f.Column = column
			faults = append(faults, f)
		}
	}
	add(colUser, o.userFault(row.UserID))
	add(colDevice, o.deviceFault(row.DeviceID))
	if row.UserID == "" && row.SIPID == "" && row.Email == "" {
		add("", batch.Fault{Text: "names no device: a row needs " + wayText})
	}
	add(colSIP, addressFault(row.SIPID))
	add(colEmail, emailFault(row.Email))
	if !row.Password.Empty() {
		if err := o.CheckPassword(row.Password.Reveal()); err != nil {
			add(colPassword, batch.Fault{Text: err.Error()})
		}
	}
	return faults
}

// userDigits is how many hex digits a user id has where it was seen, with or
// without the dashes of a UUID. Other forms are let through.
const userDigits = 32

// userFault says what is wrong with a user id.
func (o *Options) userFault(id string) batch.Fault {
	digits, hex := countDigits(id)
	switch {
	case hex && digits == userDigits:
		return batch.Fault{}
	case onlyDigits(id) && len(id) < userDigits:
		return batch.Fault{Text: fmt.Sprintf("%s %s: user ids have %d hex digits", show(id), turned, userDigits), Hint: hintText}
	case hex && digits > userDigits*3/4 && digits < userDigits: // fewer may be an id of another kind
		return batch.Fault{Text: fmt.Sprintf("%s has %d hex digits instead of %d", show(id), digits, userDigits)}
	}
	return o.idFault(id)
}

// deviceFault says what is wrong with a device id.
func (o *Options) deviceFault(id string) batch.Fault {
	if onlyDigits(id) {
		return batch.Fault{}
	}
	return o.idFault(id)
}

// addressFault says what is wrong with a SIP id.
func addressFault(id string) batch.Fault {
	if f := damage(id); f.Text != "" {
		return f
	}
	return wordFault(id)
}

// emailFault says what is wrong with an email address.
func emailFault(id string) batch.Fault {
	if f := residue(id); f.Text != "" {
		return f
	}
	return wordFault(id)
}

// idFault says what is wrong with an id that stands in the path of a URL.
func (o *Options) idFault(id string) batch.Fault {
	if f := addressFault(id); f.Text != "" || id == "" {
		return f
	}
	if err := o.CheckID(id); err != nil {
		return batch.Fault{Text: err.Error()}
	}
	return batch.Fault{}
}

// wordFault says why a text cannot be one word.
func wordFault(id string) batch.Fault {
	for _, r := range id {
		switch {
		case '!' <= r && r <= '~': // nearly all are
		case unicode.IsControl(r):
			return batch.Fault{Text: show(id) + " holds a control character"}
		case unicode.IsSpace(r):
			return batch.Fault{Text: show(id) + " holds a space"}
		case !unicode.IsPrint(r):
			return batch.Fault{Text: show(id) + " holds an invisible character"}
		}
	}
	return batch.Fault{}
}

const (
	turned   = "looks like a spreadsheet turned it into a number"
	hintText = "format the column as text in the spreadsheet, enter the ids again, and export it again"
)

// What spreadsheets make of ids. They always write the exponent's sign, which
// tells a number from a hex id with an e in it.
var (
	errorValue = regexp.MustCompile(`^#(?:[A-Z0-9/]+[!?]?|#+)$`)
	exponent   = regexp.MustCompile(`^[+-]?\d+(?:[.,]\d+)?[eE][+-]\d+$`)
	grouped    = regexp.MustCompile(`^\d{1,3}(?:[.,' \x{a0}\x{2009}\x{202f}]\d{2,3})+$`)
	decimal    = regexp.MustCompile(`^[+-]?\d+[.,]\d+$`)
)

// damage says what a spreadsheet did to an id.
func damage(id string) batch.Fault {
	if f := residue(id); f.Text != "" {
		return f
	}
	if id == "" || !strings.ContainsAny(id[:1], "+-0123456789") || onlyDigits(id) {
		return batch.Fault{}
	}
	if exponent.MatchString(id) || grouped.MatchString(id) || decimal.MatchString(id) {
		return batch.Fault{Text: show(id) + " " + turned, Hint: hintText}
	}
	return batch.Fault{}
}

// residue says what of a spreadsheet's own language stands in place of a text.
func residue(id string) batch.Fault {
	switch {
	case strings.HasPrefix(id, "="):
		return batch.Fault{Text: show(id) + " is a spreadsheet's formula", Hint: hintText}
	case strings.HasPrefix(id, "'"):
		return batch.Fault{Text: show(id) + " begins with an apostrophe, a spreadsheet's mark for text", Hint: hintText}
	case strings.HasPrefix(id, "#") && errorValue.MatchString(id):
		return batch.Fault{Text: show(id) + " is the error of a spreadsheet's formula", Hint: hintText}
	}
	return batch.Fault{}
}

// countDigits counts the hex digits of a text that has nothing else, dashes
// aside.
func countDigits(id string) (digits int, hex bool) {
	for i := range len(id) {
		switch b := id[i] | 0x20; {
		case id[i] == '-':
		case '0' <= id[i] && id[i] <= '9', 'a' <= b && b <= 'f':
			digits++
		default:
			return 0, false
		}
	}
	return digits, true
}

func onlyDigits(id string) bool {
	return id != "" && strings.Trim(id, "0123456789") == ""
}

// shown is how many characters of a value a fault shows.
const shown = 40

// show quotes a value for a person: cut, and with everything that is not
// plainly printable escaped.
func show(value string) string {
	n := 0
	for i := range value {
		if n == shown {
			return strconv.Quote(value[:i]) + "…"
		}
		n++
	}
	return strconv.Quote(value)
}

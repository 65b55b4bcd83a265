package roster

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"siprotate/batch"
)

// check returns what is wrong with a row by itself. Where columns are swapped,
// a password stands among the ids: of a cell that is no id, neither the faults
// nor the row hold the text from then on.
func (o *Options) check(row *batch.Row) []batch.Fault {
	var faults []batch.Fault
	named := row.UserID != "" || row.SIPID != "" || row.Email != ""
	user, swappedNames := o.userFault, isPlainEmail(row.SIPID)
	if digits, hex := countDigits(row.DeviceID); hex && digits == userDigits && onlyDigits(row.UserID) {
		user = func(id string) batch.Fault {
			return quoting(id, "looks like a device id, and device_id like a user id", hintSwapped)
		}
	}
	for _, id := range []struct {
		column string
		cell   *string
		fault  func(string) batch.Fault
	}{
		{colUser, &row.UserID, user},
		{colDevice, &row.DeviceID, o.deviceFault},
		{colSIP, &row.SIPID, addressFault},
		{colEmail, &row.Email, emailFault},
	} {
		f := id.fault(*id.cell)
		if f.Text == "" {
			continue
		}
		if !strings.HasPrefix(f.Text, strconv.Quote(*id.cell)) {
			*id.cell = ""
		}
		if id.column == colEmail && swappedNames {
			f.Hint = hintSwapped
		}
		f.Column = id.column
		faults = append(faults, f)
	}
	if !named {
		faults = append(faults, batch.Fault{Text: "names no device: a row needs " + wayText})
	}
	if !row.Password.Empty() {
		if err := o.CheckPassword(row.Password.Reveal()); err != nil {
			faults = append(faults, batch.Fault{Column: colPassword, Text: err.Error()})
		}
	}
	return faults
}

// quoting returns a fault that quotes the id. That is for ids that have the
// shape of damage; all others may be passwords.
func quoting(id, text, hint string) batch.Fault {
	const most = 40 // characters that are worth reading
	if utf8.RuneCountInString(id) > most {
		return withholding(id, text, hint)
	}
	return batch.Fault{Text: strconv.Quote(id) + " " + text, Hint: hint}
}

// withholding returns a fault that says of the id only how long it is.
func withholding(id, text, hint string) batch.Fault {
	return batch.Fault{Text: fmt.Sprintf("%s (%s)", text, count(utf8.RuneCountInString(id), "character")), Hint: hint}
}

// userDigits is how many hex digits a user id has where it was seen, with or
// without the dashes of a UUID. Other forms are let through.
const userDigits = 32

func (o *Options) userFault(id string) batch.Fault {
	digits, hex := countDigits(id)
	switch {
	case hex && digits == userDigits:
		return batch.Fault{}
	case onlyDigits(id) && len(id) < userDigits:
		return quoting(id, fmt.Sprintf("%s: user ids have %d hex digits", turned, userDigits), hintText)
	case hex && digits > userDigits*3/4 && digits < userDigits: // fewer may be an id of another kind
		text := fmt.Sprintf("has %d hex digits instead of %d", digits, userDigits)
		if id != strings.ToLower(id) && id != strings.ToUpper(id) { // no program writes ids so
			return withholding(id, text, "")
		}
		return quoting(id, text, "")
	}
	return o.idFault(id)
}

func (o *Options) deviceFault(id string) batch.Fault {
	if onlyDigits(id) {
		return batch.Fault{}
	}
	return o.idFault(id)
}

func (o *Options) idFault(id string) batch.Fault {
	if f := nameFault(id); f.Text != "" || id == "" {
		return f
	}
	if err := o.CheckID(id); err != nil {
		text := err.Error()
		if strings.Contains(text, id) {
			text = "is no id"
		}
		return withholding(id, text, "")
	}
	return batch.Fault{}
}

// atHost is what may follow the name in a SIP id.
var atHost = regexp.MustCompile(`@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?$`)

func addressFault(id string) batch.Fault {
	name := atHost.ReplaceAllLiteralString(id, "")
	f := nameFault(name)
	if f.Text != "" && name != id {
		return withholding(id, "holds what no SIP id has", "")
	}
	return f
}

// nameFault says what is wrong with a name that a program gave.
func nameFault(id string) batch.Fault {
	if f := cmp.Or(damage(id), wordFault(id)); f.Text != "" {
		return f
	}
	for _, r := range id {
		switch {
		case r > unicode.MaxASCII:
			return withholding(id, "holds a character outside ASCII", "")
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~:+", r):
			return withholding(id, "holds a special character that no id has", "")
		}
	}
	return batch.Fault{}
}

func emailFault(id string) batch.Fault {
	if f := cmp.Or(residue(id), wordFault(id)); f.Text != "" {
		return f
	}
	name, domain, _ := strings.Cut(id, "@")
	dot := strings.LastIndexByte(domain, '.')
	if id != "" && (name == "" || dot <= 0 || dot == len(domain)-1 || strings.ContainsFunc(domain, notInDomain)) {
		return withholding(id, "has no @ with a domain behind it", "")
	}
	return batch.Fault{}
}

func notInDomain(r rune) bool {
	return r != '.' && r != '-' && !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number)
}

// wordFault says why a text cannot be one word.
func wordFault(id string) batch.Fault {
	for _, r := range id {
		switch {
		case unicode.IsControl(r):
			return withholding(id, "holds a control character", "")
		case unicode.IsSpace(r):
			return withholding(id, "holds a space", "")
		case !unicode.IsPrint(r):
			return withholding(id, "holds an invisible character", "")
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
	exponent = regexp.MustCompile(`^[+-]?\d+(?:[.,]\d+)?[eE][+-]\d+$`)
	grouped  = regexp.MustCompile(`^\d{1,3}(?:[.,' \x{a0}\x{2009}\x{202f}]\d{2,3})+$`)
	decimal  = regexp.MustCompile(`^[+-]?\d+[.,]\d+$`)

	numberAsText = regexp.MustCompile(`^(?:="?|')\d+"?$`)
	errorValue   = regexp.MustCompile(`^#(?:[A-Z0-9/]+[!?]?|#+)$`) // in any language
	errorWord    = regexp.MustCompile(`^#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|#+)$`)
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
		return quoting(id, turned, hintText)
	}
	return batch.Fault{}
}

// residue says what of a spreadsheet's own language stands in place of a text.
func residue(id string) batch.Fault {
	if id == "" || !strings.ContainsAny(id[:1], "='#") {
		return batch.Fault{}
	}
	fault := withholding
	if numberAsText.MatchString(id) || errorWord.MatchString(id) {
		fault = quoting
	}
	switch {
	case strings.HasPrefix(id, "="):
		return fault(id, "is a spreadsheet's formula", hintText)
	case strings.HasPrefix(id, "'"):
		return fault(id, "begins with an apostrophe, a spreadsheet's mark for text", hintText)
	case errorValue.MatchString(id):
		return fault(id, "is the error of a spreadsheet's formula", hintText)
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

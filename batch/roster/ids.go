package roster

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// userDigits is how many hex digits a user id has where it was seen, with or
// without the dashes of a UUID. Other forms are let through.
const userDigits = 32

// userFault says what is wrong with a user id.
func userFault(id string) problem {
	digits, hex := countDigits(id)
	switch {
	case hex && digits == userDigits:
		return problem{}
	case onlyDigits(id) && len(id) < userDigits:
		return problem{text: fmt.Sprintf("%s %s: user ids have %d hex digits", show(id), turned, userDigits), hint: hintText}
	case hex && digits > userDigits*3/4 && digits < userDigits: // fewer may be an id of another kind
		return problem{text: fmt.Sprintf("%s has %d hex digits instead of %d", show(id), digits, userDigits)}
	}
	return pathFault(id)
}

// deviceFault says what is wrong with a device id.
func deviceFault(id string) problem {
	if onlyDigits(id) {
		return problem{}
	}
	return pathFault(id)
}

// addressFault says what is wrong with a SIP id.
func addressFault(id string) problem {
	if p := damage(id); p.text != "" {
		return p
	}
	return wordFault(id)
}

// emailFault says what is wrong with an email address.
func emailFault(id string) problem {
	if p := residue(id); p.text != "" {
		return p
	}
	return wordFault(id)
}

// pathFault says why an id cannot stand in the path of a URL as it is.
func pathFault(id string) problem {
	if p := addressFault(id); p.text != "" {
		return p
	}
	if id == "." || id == ".." {
		return problem{text: show(id) + " would change the path of the URL"}
	}
	for _, r := range id {
		switch {
		case strings.ContainsRune(`/\?#%`, r):
			return problem{text: fmt.Sprintf("%s holds %q, which would change the path of the URL", show(id), r)}
		case r > unicode.MaxASCII || strings.ContainsRune("\"<>[]^`{|}", r):
			return problem{text: fmt.Sprintf("%s holds %q, which no URL holds as it is", show(id), r)}
		}
	}
	return problem{}
}

// wordFault says why a text cannot be one word.
func wordFault(id string) problem {
	for _, r := range id {
		switch {
		case '!' <= r && r <= '~': // nearly all are
		case unicode.IsControl(r):
			return problem{text: show(id) + " holds a control character"}
		case unicode.IsSpace(r):
			return problem{text: show(id) + " holds a space"}
		case !unicode.IsPrint(r):
			return problem{text: show(id) + " holds an invisible character"}
		}
	}
	return problem{}
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
func damage(id string) problem {
	if p := residue(id); p.text != "" {
		return p
	}
	if id == "" || !strings.ContainsAny(id[:1], "+-0123456789") || onlyDigits(id) {
		return problem{}
	}
	if exponent.MatchString(id) || grouped.MatchString(id) || decimal.MatchString(id) {
		return problem{text: show(id) + " " + turned, hint: hintText}
	}
	return problem{}
}

// residue says what of a spreadsheet's own language stands in place of a text.
func residue(id string) problem {
	switch {
	case strings.HasPrefix(id, "="):
		return problem{text: show(id) + " is a spreadsheet's formula", hint: hintText}
	case strings.HasPrefix(id, "'"):
		return problem{text: show(id) + " begins with an apostrophe, a spreadsheet's mark for text", hint: hintText}
	case strings.HasPrefix(id, "#") && errorValue.MatchString(id):
		return problem{text: show(id) + " is the error of a spreadsheet's formula", hint: hintText}
	}
	return problem{}
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

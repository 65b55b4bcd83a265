package roster

import (
	"regexp"
	"strings"

	"siprotate/batch"
)

const hintSwapped = "see to it that each column's name stands above its own cells"

// Shapes that ids have and hardly any password has.
var (
	plainEmail   = lazy(`^[\pL\pM\pN._%+'-]+@[\pL\pM\pN-]+(?:\.[\pL\pM\pN-]+)*\.\pL[\pL\pM]+$`)
	plainAddress = lazy(`^(?i:sips?:)[\pL\pN._+-]+(?:@[A-Za-z0-9.-]+(?::\d+)?)?$`)
	lowerName    = regexp.MustCompile(`^[a-z0-9._~:+-]+$`)
	numberedName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*[-_.]?\d{5,}$`)
)

// A swap says how sure it is that a row has a password among its ids.
type swap uint8

const (
	notSwapped swap = iota
	perhapsSwapped
	plainlySwapped // and so every row of the input, whatever it looks like
)

// swapped looks for a password among a row's ids, and for an id in the place of
// the password. By itself neither proves much: ids may comply with the policy, and
// passwords may look like names.
func (o *Options) swapped(row *batch.Row) swap {
	password := row.Password.Reveal()
	if password == "" {
		return notSwapped
	}
	compliant, secretive, numbered := o.idsLikePasswords(row)
	refused := o.CheckPassword(password) != nil
	address := isPlainEmail(password) || plainAddress().MatchString(password)
	switch {
	case secretive && (address || refused && likeID(password)):
		return plainlySwapped
	case address, refused && compliant, secretive && !numbered && numberedName.MatchString(password):
		return perhapsSwapped
	}
	return notSwapped
}

// withholdShifted empties what may be the password among a faulty row's other cells:
// they are shown beside the fault, and may be out of their columns.
func (o *Options) withholdShifted(cells []string) {
	for i, cell := range cells {
		if o.CheckPassword(strings.TrimSpace(cell)) == nil {
			cells[i] = ""
		}
	}
}

// idsLikePasswords reports whether the policy takes an id for a password though
// it lacks the plain shape of its column's ids, whether one of these looks like no
// id at all, and whether one looks like a numbered name.
func (o *Options) idsLikePasswords(row *batch.Row) (compliant, secretive, numbered bool) {
	digits, hex := countDigits(row.UserID)
	for _, id := range [...]struct {
		cell  string
		plain bool
	}{
		{row.UserID, hex && digits == userDigits},
		{row.DeviceID, onlyDigits(row.DeviceID)},
		{row.SIPID, plainAddress().MatchString(row.SIPID) || isPlainEmail(row.SIPID)},
		{row.Email, isPlainEmail(row.Email)},
	} {
		if id.cell == "" || id.plain || o.CheckPassword(id.cell) != nil {
			continue
		}
		compliant = true
		secretive = secretive || !lowerName.MatchString(id.cell)
		numbered = numbered || numberedName.MatchString(id.cell)
	}
	return compliant, secretive, numbered
}

func isPlainEmail(text string) bool {
	return strings.Contains(text, "@") && plainEmail().MatchString(text)
}

// likeID reports whether a password that the policy refuses looks like an id.
func likeID(password string) bool {
	const least = 8 // characters of a name; shorter ones are weak passwords
	digits, hex := countDigits(password)
	return onlyDigits(password) || hex && digits == userDigits ||
		len(password) >= least && lowerName.MatchString(password) && strings.ContainsAny(password, "0123456789")
}

// withholdSwapped faults a row that has a password among its ids, and takes these
// out of it: nothing may show them or look them up.
func withholdSwapped(row *batch.Row) {
	row.UserID, row.DeviceID, row.SIPID, row.Email = "", "", "", ""
	faults := []batch.Fault{{Text: "a password seems to stand among the ids, and an id in its place", Hint: hintSwapped}}
	for _, f := range row.Faults {
		if f.Column == colPassword {
			faults = append(faults, f)
		}
	}
	row.Faults = faults
}

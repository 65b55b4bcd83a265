package exotel

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The vendor's password policy, from its page on setting a SIP password. The
// page gives no greatest length.
const (
	MinPasswordLength  = 8 // characters
	minPasswordClasses = 3 // of the four in classNames
)

// A charClasses is a set of the policy's kinds of characters.
type charClasses uint8

var classNames = [...]string{"a-z", "A-Z", "0-9", "special characters"}

const (
	lower charClasses = 1 << iota
	upper
	digit
	special
)

const notUTF8 = "is not valid UTF-8"

// A PolicyError says why a password does not comply with the vendor's policy.
// It never holds the password, nor any character of it.
type PolicyError struct {
	Faults []string // each says one thing that is missing or wrong; at least one
}

// Error returns all faults in one line.
func (e *PolicyError) Error() string { return "password " + strings.Join(e.Faults, ", and ") }

// CheckPassword returns nil if the vendor's policy accepts the password, and a
// [*PolicyError] if not. The policy asks for at least [MinPasswordLength]
// characters, and for at least three of: a-z, A-Z, 0-9, special characters.
//
// The vendor gives "!@#$%^&*" as examples of special characters and no full
// list; here, every printable ASCII punctuation character is one. Any other
// character is accepted and counts for none of the four. Control characters
// and invalid UTF-8 are faults, since JSON or a phone would change them.
func CheckPassword(password string) error {
	if !utf8.ValidString(password) {
		return &PolicyError{Faults: []string{notUTF8}}
	}
	var faults []string
	if strings.ContainsFunc(password, unicode.IsControl) {
		faults = append(faults, "holds a control character")
	}
	if n := utf8.RuneCountInString(password); n < MinPasswordLength {
		characters := "characters"
		if n == 1 {
			characters = "character"
		}
		faults = append(faults, fmt.Sprintf("has %d %s where at least %d are needed", n, characters, MinPasswordLength))
	}
	if has := classesOf(password); has.count() < minPasswordClasses {
		faults = append(faults, fmt.Sprintf("needs %d more of %s", minPasswordClasses-has.count(), has.missing()))
	}
	if len(faults) > 0 {
		return &PolicyError{Faults: faults}
	}
	return nil
}

func classesOf(password string) charClasses {
	var has charClasses
	for i := range len(password) {
		has |= classOf(password[i])
	}
	return has
}

// classOf returns the class of an ASCII character, and the empty set for a
// byte of any other.
func classOf(c byte) charClasses {
	switch {
	case 'a' <= c && c <= 'z':
		return lower
	case 'A' <= c && c <= 'Z':
		return upper
	case '0' <= c && c <= '9':
		return digit
	case '!' <= c && c <= '~':
		return special
	}
	return 0
}

func (c charClasses) count() int { return bits.OnesCount8(uint8(c)) }

// missing names the classes that c lacks.
func (c charClasses) missing() string {
	var names []string
	for i, name := range classNames {
		if c&(1<<i) == 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

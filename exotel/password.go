package exotel

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
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

// The lengths of generated passwords, in characters. The vendor documents no
// greatest length; what phones accept ends well below this one.
const (
	MinGeneratedLength = MinPasswordLength
	MaxGeneratedLength = 128
)

// The alphabet of generated passwords: letters and digits that nobody mistakes
// for one another on paper (none of 0, O, 1, l, I), and the special characters
// that the vendor's documentation names, but for &, which HTML and URLs write in
// other ways. The letters stand first.
const (
	alphabet    = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!@#$%^*"
	letterCount = 25 + 24
)

// maxRandom bounds the random bytes spent on one password. A true source of
// randomness needs a few dozen; one that is stuck would never end.
const maxRandom = 64_000

// Generate returns a password of length characters, drawn with random bytes
// from r, which should be [crypto/rand.Reader]. It is uniform over all strings
// of that length that consist of a-z, A-Z, 2-9 and !@#$%^* without the letters
// l, I and O, start with a letter (so that no spreadsheet takes one for a
// formula), and satisfy [CheckPassword].
//
// The length is from [MinGeneratedLength] to [MaxGeneratedLength]; any other is
// an error, as is a reader that fails or always says the same. Generate is safe
// for concurrent use if r is.
func Generate(r io.Reader, length int) (string, error) {
	if length < MinGeneratedLength || length > MaxGeneratedLength {
		return "", fmt.Errorf("password length %d is not within %d to %d", length, MinGeneratedLength, MaxGeneratedLength)
	}
	// Drawing whole strings until one complies is what keeps the result uniform;
	// mending a string that does not comply would favour some over others.
	source := bufio.NewReaderSize(io.LimitReader(r, maxRandom), 64)
	password := make([]byte, length)
	for {
		if err := draw(source, password); err != nil {
			return "", fmt.Errorf("generate password: %w", err)
		}
		if text := string(password); classesOf(text).count() >= minPasswordClasses {
			return text, nil
		}
	}
}

// draw fills text with a letter followed by any characters of the alphabet.
func draw(source io.Reader, text []byte) error {
	within := int64(letterCount)
	for i := range text {
		n, err := rand.Int(source, big.NewInt(within))
		switch {
		case err == io.EOF:
			return fmt.Errorf("the source of randomness ends, or does not vary: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return err
		}
		text[i] = alphabet[n.Int64()]
		within = int64(len(alphabet))
	}
	return nil
}

package exotel

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCheckPassword(t *testing.T) {
	tests := []struct {
		name, password string
		want           string // part of the error, "" for none
	}{
		{"three classes", "abcdefG1", ""},
		{"four classes", "abcdE1!?", ""},
		{"no letters below, none above", "ABCDEF1!", ""},
		{"every ASCII punctuation counts", "abcdefG~", ""},
		{"space counts for none", "abcdefg1 ", "needs 1 more of A-Z, special characters"},
		{"other letters count for none", "äöüÄÖÜ1a", "needs 1 more of A-Z, special characters"},
		{"other letters are accepted", "aB1äöüéè", ""},
		{"characters are counted, not bytes", "aB1äöü", "has 6 characters where at least 8 are needed"},
		{"eight characters of many bytes", "aB1日本語日本", ""},
		{"seven", "abcdE1!", "has 7 characters where at least 8 are needed"},
		{"empty", "", "needs 3 more of a-z, A-Z, 0-9, special characters"},
		{"two classes", "abcdefg1", "needs 1 more of A-Z, special characters"},
		{"one class", "abcdefgh", "needs 2 more of A-Z, 0-9, special characters"},
		{"two faults", "abc", "has 3 characters where at least 8 are needed, and needs 2 more of A-Z, 0-9, special characters"},
		{"tab", "abcdE1!?\t", "holds a control character"},
		{"line end", "abcdE1!?\n", "holds a control character"},
		{"NUL", "abcd\x00E1!?", "holds a control character"},
		{"DEL", "abcdE1!?\x7f", "holds a control character"},
		{"C1", "abcdE1!?\u0085", "holds a control character"},
		{"invalid UTF-8", "abcdE1!?\xff", "is not valid UTF-8"},
		{"cut UTF-8", "abcdE1!?\xc3", "is not valid UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := CheckPassword(test.password)
			if test.want == "" {
				if err != nil {
					t.Errorf("error %q, want none", err)
				}
				return
			}
			if policy, ok := errors.AsType[*PolicyError](err); !ok || !strings.Contains(policy.Error(), test.want) {
				t.Errorf("error %v, want a PolicyError with %q", err, test.want)
			}
		})
	}
}

// The rule, said once more in another way.
func compliant(password string) bool {
	if !utf8.ValidString(password) || len([]rune(password)) < 8 {
		return false
	}
	classes := 0
	for _, chars := range []string{
		"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
	} {
		if strings.ContainsAny(password, chars) {
			classes++
		}
	}
	return classes >= 3 && !strings.ContainsFunc(password, func(r rune) bool { return unicode.Is(unicode.Cc, r) })
}

func TestCheckPasswordProperty(t *testing.T) {
	candidates := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-zA-Z0-9!-~ äß\x00]{0,12}`),
		rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 6, 14).Draw(t, "bytes")) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		password := candidates.Draw(t, "password")
		if err := CheckPassword(password); (err == nil) != compliant(password) {
			t.Errorf("%q: error %v, compliant %v", password, err, compliant(password))
		}
	})
}

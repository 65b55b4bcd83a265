package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Joiners that ordinary text of several scripts, and emoji, are written with.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// Plain makes text from outside harmless for a terminal and for a log. Control
// characters (so escape sequences and line ends too), marks that reorder or
// hide text, characters that Unicode has not assigned, and bytes that are no
// UTF-8 become visible escapes as Go writes them: \n, \x1b, \u202e. All else
// stays as it is. Text that went through Plain comes out of it unchanged.
func Sanitize(s string) string {
	if i := firstHarmful(s); i < len(s) {
		return escape(s, i)
	}
	return s
}

// firstHarmful returns the index of the first character to be escaped, or the
// length of s.
func firstHarmful(s string) int {
	for i := 0; i < len(s); {
		if ' ' <= s[i] && s[i] <= '~' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if harmful(r, size) {
			return i
		}
		i += size
	}
	return len(s)
}

func harmful(r rune, size int) bool {
	if r == utf8.RuneError && size == 1 {
		return true
	}
	return !unicode.IsGraphic(r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner
}

// escape escapes what is harmful from index start on.
func escape(s string, start int) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:start])
	for i := start; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case !harmful(r, size):
			b.WriteString(s[i : i+size])
		case size == 1:
			b.WriteString(escapeByte(s[i]))
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

func escapeByte(c byte) string {
	switch c {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	return fmt.Sprintf(`\x%02x`, c)
}

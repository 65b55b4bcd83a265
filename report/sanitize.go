package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Joiners that ordinary text of several scripts, and emoji, are written with.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// Sanitize makes text from outside harmless for a terminal and for a log. Control
// characters (so escape sequences and line ends too), marks that reorder or
// hide text, characters that Unicode has not assigned, and bytes that are no
// UTF-8 become visible escapes as Go writes them: \n, \x1b, \u202e. All else
// stays as it is. Sanitized text comes out of it unchanged.
func Sanitize(s string) string {
	var b strings.Builder
	done := 0 // bytes of s that stand in b
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if harmful(r, size) {
			b.WriteString(s[done:i] + visible(s[i:i+size]))
			done = i + size
		}
		i += size
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

func harmful(r rune, size int) bool {
	if r == utf8.RuneError && size == 1 {
		return true
	}
	return !unicode.IsGraphic(r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner
}

// visible returns the escape of a character, or of a byte that is none.
func visible(character string) string {
	if len(character) == 1 && !strings.Contains("\n\r\t", character) {
		return fmt.Sprintf(`\x%x`, character)
	}
	quoted := strconv.QuoteToASCII(character)
	return quoted[1 : len(quoted)-1]
}

// Characters with which a spreadsheet's formula begins; the full-width ones
// are taken for the plain ones in East Asian editions. Tabs and carriage
// returns, which begin one too, have become visible escapes by then. See
// OWASP, "CSV Injection".
const formulaStarts = "=+-@＝＋－＠"

// Quotation marks that may get lost on a cell's way into a spreadsheet.
const quotationMarks = "\"'`“”‘’"

// escapeFormula makes a cell that a spreadsheet would run as a formula plain text, by
// an apostrophe in front. What follows a semicolon counts as a cell too, since
// spreadsheets in half of the world split there. The text must have gone
// through [Sanitize].
func escapeFormula(cell string) string {
	parts := strings.Split(cell, ";")
	for i, part := range parts {
		if beginsFormula(strings.TrimLeftFunc(part, ignored)) {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}

func beginsFormula(text string) bool {
	first, size := utf8.DecodeRuneInString(text)
	return size > 0 && strings.ContainsRune(formulaStarts, first)
}

// ignored reports whether a spreadsheet may skip r on its way to a formula.
func ignored(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(quotationMarks, r)
}

// Truncate shortens s to n columns and at most as many characters, the last of
// them an ellipsis, between two characters as people see them.
func Truncate(s string, n int) string {
	switch {
	case len(s) <= n:
		return s
	case n <= 0:
		return ""
	}
	used, end := 0, 0 // end is where the ellipsis would stand
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used += max(g.Width(), len(g.Runes())); used > n {
			return s[:end] + "…"
		}
		if used < n {
			_, end = g.Positions()
		}
	}
	return s
}

package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Characters with which a spreadsheet's formula begins; the full-width ones
// are taken for the plain ones in East Asian editions. Tabs and carriage
// returns, which begin one too, have become visible escapes by then. See
// OWASP, "CSV Injection".
const formulaStarts = "=+-@＝＋－＠"

// Quotation marks that may get lost on a cell's way into a spreadsheet.
const quotationMarks = "\"'`“”‘’"

// EscapeFormula makes a cell that a spreadsheet would run as a formula plain text, by
// an apostrophe in front. What follows a semicolon counts as a cell too, since
// spreadsheets in half of the world split there. The text must have gone
// through [Plain].
func EscapeFormula(cell string) string {
	if !strings.Contains(cell, ";") {
		return escapeOne(cell)
	}
	parts := strings.Split(cell, ";")
	for i, part := range parts {
		parts[i] = escapeOne(part)
	}
	return strings.Join(parts, ";")
}

func escapeOne(cell string) string {
	text := strings.TrimLeftFunc(cell, ignored)
	if text == "" {
		return cell
	}
	if first, _ := utf8.DecodeRuneInString(text); !strings.ContainsRune(formulaStarts, first) {
		return cell
	}
	return "'" + cell
}

// ignored reports whether a spreadsheet may skip r on its way to a formula.
func ignored(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(quotationMarks, r)
}

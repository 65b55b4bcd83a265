package exotel

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// decodeNumbers reads rows of bytes in decimal, as Go, Java and JavaScript print
// them, and in binary.
func decodeNumbers(text string, least int) string {
	if strings.Count(text, " ")+strings.Count(text, ",") < least-1 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		n := len(text[i:]) - len(strings.TrimLeft(text[i:], "0123456789"))
		if n == 0 {
			if !strings.ContainsRune(` ,;[]"`+"\t\r\n", rune(text[i])) {
				b.WriteByte(0) // what stands apart is not read together
			}
			i++
			continue
		}
		base := 10
		if n == 8 {
			base = 2
		}
		if code, err := strconv.ParseUint(text[i:i+n], base, 8); err == nil {
			b.WriteByte(byte(code))
		}
		i += n
	}
	return b.String()
}

var codePoint = regexp.MustCompile(`(?i)[\s,;"]*u\+([0-9a-f]{4,6})`)

// decodeCodePoints reads characters written as U+0041.
func decodeCodePoints(text string, _ int) string {
	if !strings.Contains(text, "U+") && !strings.Contains(text, "u+") {
		return text
	}
	return codePoint.ReplaceAllStringFunc(text, func(found string) string {
		char, _ := strconv.ParseUint(found[strings.IndexByte(found, '+')+1:], 16, 32)
		return string(rune(char))
	})
}

var quotedByte = regexp.MustCompile(`=(?:\r?\n|[0-9A-Fa-f]{2})`)

// decodeQuotedPrintable reads =41 as a byte, and joins the lines that it folds.
func decodeQuotedPrintable(text string, _ int) string {
	if !strings.Contains(text, "=") {
		return text
	}
	return quotedByte.ReplaceAllStringFunc(text, func(found string) string {
		char, ok := parseHex(found, 1, 2)
		if !ok {
			return ""
		}
		return string([]byte{byte(char)})
	})
}

// decodeForms takes characters for those that they are forms of, such as wide
// ones, and leaves out the invisible ones; then also the marks on letters.
func decodeForms(text string, _ int) string {
	if isASCII(text) || !utf8.ValidString(text) {
		return text
	}
	visible := func(marks bool) func(rune) rune {
		return func(r rune) rune {
			if unicode.Is(unicode.Cf, r) || !marks && unicode.Is(unicode.M, r) {
				return -1
			}
			return r
		}
	}
	composed := strings.Map(visible(true), norm.NFKC.String(text))
	bare := strings.Map(visible(false), norm.NFKD.String(text))
	return composed[:min(len(composed), 2*len(text))] + "\x00" + bare[:min(len(bare), 2*len(text))]
}

package exotel

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var numberOrGap = regexp.MustCompile(`[0-9]+|[^0-9]+`)

// decodeNumbers reads rows of bytes in decimal, as Go, Java and JavaScript print
// them, and in binary.
func decodeNumbers(text string, least int) string {
	if strings.Count(text, " ")+strings.Count(text, ",") < least-1 {
		return text
	}
	return numberOrGap.ReplaceAllStringFunc(text, func(found string) string {
		if strings.Trim(found, " ,;[]\"\t\r\n") == "" {
			return ""
		}
		base := 10
		if len(found) == 8 {
			base = 2
		}
		code, err := strconv.ParseUint(found, base, 8)
		if err != nil {
			return "\x00" // what stands apart is not read together
		}
		return string([]byte{byte(code)})
	})
}

var codePoint = regexp.MustCompile(`(?i)[\s,;"]*u\+([0-9a-f]{4,6})`)

// decodeCodePoints reads characters written as U+0041.
func decodeCodePoints(text string, _ int) string {
	if !strings.Contains(text, "U+") && !strings.Contains(text, "u+") {
		return text
	}
	return codePoint.ReplaceAllStringFunc(text, func(found string) string {
		_, digits, _ := strings.Cut(found, "+")
		return string(hexRune(digits))
	})
}

var quotedByte = regexp.MustCompile(`=(?:\r?\n|[0-9A-Fa-f]{2})`)

// decodeQuotedPrintable reads =41 as a byte, and joins the lines that it folds.
func decodeQuotedPrintable(text string, _ int) string {
	if !strings.Contains(text, "=") {
		return text
	}
	return quotedByte.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasSuffix(found, "\n") {
			return ""
		}
		return hexByte(found[1:])
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

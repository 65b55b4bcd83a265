package exotel

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The decoders undo the encodings in which servers, proxies and net/http repeat
// what they were sent. Each leaves alone what it cannot read, takes time in
// proportion to the text, and returns a text at most three times as long. What
// decodes to less than least bytes may be left out.
var decoders = [...]func(text string, least int) string{decodeHTML, decodePercent, decodeEscapes, decodeHex, decodeBase64}

// The rareDecoders undo what is hardly ever done to a text within another encoding.
var rareDecoders = [...]func(text string, least int) string{decodeBase32, decodeNumbers, decodeCodePoints, decodeQuotedPrintable, decodeForms}

func decodeHTML(text string, _ int) string { return html.UnescapeString(text) }

func decodePercent(text string, _ int) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' {
			if char, ok := parseHex(text, i+1, 2); ok {
				b.WriteByte(byte(char))
				i += 2
				continue
			}
			if char, ok := parseHex(text, i+2, 4); ok && text[i+1]|0x20 == 'u' {
				b.WriteRune(rune(char))
				i += 5
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// parseHex reads so many hexadecimal digits from there.
func parseHex(text string, from, digits int) (uint64, bool) {
	if from+digits > len(text) {
		return 0, false
	}
	n, err := strconv.ParseUint(text[from:from+digits], 16, 32)
	return n, err == nil
}

// decodeEscapes undoes the escapes of JSON, JavaScript and Go, and the doubled
// quotes of CSV.
func decodeEscapes(text string, _ int) string {
	if !strings.ContainsRune(text, '"') && !strings.ContainsRune(text, '\\') {
		return text
	}
	text = strings.ReplaceAll(text, `""`, `"`)
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			i++
			continue
		}
		i += decodeEscape(&b, text[i:])
	}
	return b.String()
}

// escapeDigits are how many digits such an escape may have. Texts turned to upper
// case are read as well.
var escapeDigits = map[byte][]int{'x': {2}, 'X': {2}, 'u': {4}, 'U': {8, 4}}

// decodeEscape writes the character of the escape that the text begins with, and
// returns the escape's length.
func decodeEscape(b *strings.Builder, text string) int {
	kind := text[1]
	if end := strings.IndexByte(text[:min(len(text), len(`\u{10ffff}`))], '}'); end > 3 && kind|0x20 == 'u' && text[2] == '{' {
		if char, ok := parseHex(text, 3, end-3); ok {
			b.WriteRune(rune(char))
			return end + 1
		}
	}
	for _, digits := range escapeDigits[kind] {
		if char, ok := parseHex(text, 2, digits); ok && char <= utf8.MaxRune {
			return digits + 2 + writeChar(b, kind, char, text[digits+2:])
		}
	}
	if char, err := strconv.ParseUint(text[1:min(4, len(text))], 8, 8); err == nil && len(text) >= 4 {
		b.WriteByte(byte(char))
		return 4
	}
	if i := strings.IndexByte("abfnrtv", kind); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v"[i])
	} else {
		b.WriteByte(kind)
	}
	return 2
}

// writeChar writes a character by its number, and returns how much of the rest it
// took as the other half of a pair.
func writeChar(b *strings.Builder, kind byte, char uint64, rest string) int {
	if kind == 'x' || kind == 'X' {
		b.WriteByte(byte(char))
		return 0
	}
	if low, ok := parseHex(rest, 2, 4); ok && strings.EqualFold(rest[:2], `\u`) && utf16.IsSurrogate(rune(char)) {
		if pair := utf16.DecodeRune(rune(char), rune(low)); pair != utf8.RuneError {
			b.WriteRune(pair)
			return 6
		}
	}
	b.WriteRune(rune(char))
	return 0
}

// A codeBytes says what a byte is in an encoding.
type codeBytes [256]byte

const (
	foreign byte = iota // ends a run of code
	code
	ignored // may stand within a run
)

func newCodeBytes(codes, ignore string) *codeBytes {
	var a codeBytes
	for i := range len(codes) {
		a[codes[i]] = code
	}
	for i := range len(ignore) {
		a[ignore[i]] = ignored
	}
	return &a
}

const digitsAndLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

var (
	hexAlphabet    = newCodeBytes("0123456789abcdefABCDEF", " +\r\n\t:-,;._\"")
	base64Alphabet = newCodeBytes(digitsAndLetters+"+/-_", " \t\r\n")
	base32Alphabet = newCodeBytes("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "\r\n")
)

func decodeHex(text string, least int) string {
	if strings.Contains(text, "0x") || strings.Contains(text, "0X") {
		text = hexPrefix.Replace(text)
	}
	return decodeRuns(text, hexAlphabet, 2*least, 2, func(b, run []byte) []byte {
		from := len(b)
		b, _ = hex.AppendDecode(b, run[:len(run)&^1])
		return alsoWithoutZeros(b, from)
	})
}

var hexPrefix = strings.NewReplacer("0x", "", "0X", "")

// alsoWithoutZeros appends what stands from there once more without its zeros,
// which UTF-16 has between the letters.
func alsoWithoutZeros(b []byte, from int) []byte {
	if decoded := b[from:]; bytes.IndexByte(decoded, 0) >= 0 {
		b = append(append(b, 0), bytes.ReplaceAll(decoded, []byte{0}, nil)...)
	}
	return b
}

func decodeBase32(text string, least int) string {
	return decodeRuns(text, base32Alphabet, least*8/5, 8, func(b, run []byte) []byte {
		switch len(run) % 8 {
		case 1, 3, 6: // a whole number of bytes ends before
			run = run[:len(run)-1]
		}
		b, _ = base32.StdEncoding.WithPadding(base32.NoPadding).AppendDecode(b, bytes.ToUpper(run))
		return b
	})
}

// decodeBase64 reads both alphabets, with and without padding.
func decodeBase64(text string, least int) string {
	return decodeRuns(text, base64Alphabet, least*4/3, 4, func(b, run []byte) []byte {
		if len(run)%4 == 1 {
			run = run[:len(run)-1]
		}
		encoding := base64.RawStdEncoding
		if bytes.IndexByte(run, '-') >= 0 || bytes.IndexByte(run, '_') >= 0 {
			encoding = base64.RawURLEncoding
			run = bytes.ReplaceAll(bytes.ReplaceAll(run, []byte("+"), []byte("-")), []byte("/"), []byte("_"))
		}
		from := len(b)
		b, _ = encoding.AppendDecode(b, run)
		return alsoWithoutZeros(b, from)
	})
}

// decodeRuns decodes each run of code, from each of its first bytes: a longer
// text before the secret moves it within the code. Runs shorter than least are
// left out.
func decodeRuns(text string, a *codeBytes, least, alignments int, decode func(b, run []byte) []byte) string {
	if len(text) < least {
		return ""
	}
	var b, run []byte
	for i := 0; i <= len(text); i++ {
		if i < len(text) && a[text[i]] != foreign {
			if a[text[i]] == code {
				run = append(run, text[i])
			}
			continue
		}
		if n := len(run); n >= least {
			b = slices.Grow(b, alignments*(n+1))
			for i := range min(alignments, n-least+1) {
				b = append(decode(b, run[i:]), 0)
			}
		}
		run = run[:0]
	}
	return string(b)
}

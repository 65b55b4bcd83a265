package exotel

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"iter"
	"regexp"
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

var percent = regexp.MustCompile(`(?i)%(?:[0-9a-f]{2}|u[0-9a-f]{4})`)

func decodePercent(text string, _ int) string {
	if !strings.Contains(text, "%") {
		return text
	}
	return percent.ReplaceAllStringFunc(text, func(found string) string {
		if found[1]|0x20 == 'u' {
			return string(hexRune(found[2:]))
		}
		return hexByte(found[1:])
	})
}

// hexRune returns the character that has that number. The digits were checked.
func hexRune(digits string) rune {
	char, _ := strconv.ParseUint(digits, 16, 32)
	return rune(char)
}

func hexByte(digits string) string { return string([]byte{byte(hexRune(digits))}) }

// An escape has the number of a character, or of two that make up one, or is one
// of those without. Texts turned to upper case are read as well.
var escape = regexp.MustCompile(`(?i)\\(?:(?-i:U)00(?:0[0-9a-f]|10)[0-9a-f]{4}|ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|u[0-9a-f]{4}|u\{[0-9a-f]{1,6}\}|x[0-9a-f]{2}|[0-3][0-7]{2}|[\s\S])`)

var shortEscape = strings.NewReplacer(
	`\a`, "\a", `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v", `\\`, `\`, `\`, "",
)

// decodeEscapes undoes the escapes of JSON, JavaScript and Go, and the doubled
// quotes of CSV.
func decodeEscapes(text string, _ int) string {
	if !strings.ContainsAny(text, `"\`) {
		return text
	}
	text = strings.ReplaceAll(text, `""`, `"`)
	return escape.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) < len(`\x41`) || found[1] >= utf8.RuneSelf {
			return shortEscape.Replace(found)
		}
		digits := strings.Trim(found[2:], "{}")
		switch {
		case found[1] <= '3':
			char, _ := strconv.ParseUint(found[1:], 8, 8)
			return string([]byte{byte(char)})
		case found[1]|0x20 == 'x':
			return hexByte(digits)
		case len(digits) > len("0010ffff"):
			return string(utf16.DecodeRune(hexRune(digits[:4]), hexRune(digits[6:])))
		}
		return string(hexRune(digits))
	})
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
	var b []byte
	for found := range runs(text, (*[256]byte)(a), least) {
		run := a.codeIn(found)
		b = slices.Grow(b, alignments*(len(run)+1))
		for i := range min(alignments, len(run)-least+1) {
			b = append(decode(b, run[i:]), 0)
		}
	}
	return string(b)
}

// runs yields the runs of bytes that the table does not have as 0, if they have
// so many bytes or more.
func runs[T byte | int](text string, table *[256]T, least int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := least - 1; i < len(text); i += least { // no such run is between
			if table[text[i]] == 0 {
				continue
			}
			start, end := i, i+1
			for start > 0 && table[text[start-1]] != 0 {
				start--
			}
			for end < len(text) && table[text[end]] != 0 {
				end++
			}
			if end-start >= least && !yield(text[start:end]) {
				return
			}
			i = end
		}
	}
}

// codeIn returns the text without what is ignored in it.
func (a *codeBytes) codeIn(text string) []byte {
	run := make([]byte, 0, len(text))
	for i := range len(text) {
		if a[text[i]] == code {
			run = append(run, text[i])
		}
	}
	return run
}

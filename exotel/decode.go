package exotel

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The decoders undo the encodings in which servers, proxies and net/http repeat
// what they were sent. Each leaves alone what it cannot read, takes time in
// proportion to the text, and returns a text at most three times as long.
var decoders = [...]func(string) string{html.UnescapeString, decodePercent, decodeEscapes, decodeHex, decodeBase64}

func decodePercent(text string) string {
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
func decodeEscapes(text string) string {
	text = strings.ReplaceAll(text, `""`, `"`)
	if !strings.Contains(text, `\`) {
		return text
	}
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
	for _, digits := range escapeDigits[kind] {
		if char, ok := parseHex(text, 2, digits); ok {
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

func decodeHex(text string) string {
	isHex := func(r rune) bool { return strings.ContainsRune("0123456789abcdefABCDEF +\r\n:", r) }
	return decodeRuns(text, isHex, " +\r\n:", 2, func(b []byte, run string) []byte {
		b, _ = hex.AppendDecode(b, []byte(run[:len(run)&^1]))
		return b
	})
}

var toStandard = strings.NewReplacer("-", "+", "_", "/")

// decodeBase64 reads both alphabets, with and without padding.
func decodeBase64(text string) string {
	isBase64 := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("+/-_\r\n", r)
	}
	return decodeRuns(text, isBase64, "\r\n", 4, func(b []byte, run string) []byte {
		if len(run)%4 == 1 {
			run = run[:len(run)-1]
		}
		b, _ = base64.RawStdEncoding.AppendDecode(b, []byte(toStandard.Replace(run)))
		return b
	})
}

// decodeRuns decodes each run of such characters, from each of its first ones:
// a longer text before the secret moves it within the code. Lone characters of
// ignored are no part of the code.
func decodeRuns(text string, in func(rune) bool, ignored string, alignments int, decode func([]byte, string) []byte) string {
	var b []byte
	for run := range strings.FieldsFuncSeq(text, func(r rune) bool { return !in(r) }) {
		run = strings.Map(func(r rune) rune {
			if strings.ContainsRune(ignored, r) {
				return -1
			}
			return r
		}, run)
		for i := range min(alignments, len(run)) {
			b = append(decode(b, run[i:]), 0)
		}
	}
	return string(b)
}

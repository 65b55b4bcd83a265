package exotel

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// headLength is how many letters and digits a secret needs to be found with
// other characters between them. Fewer occur in any text.
const headLength = 7

const headMask = 1<<(8*headLength) - 1

// A separatedSet knows the letters and digits of secrets. All of them have to
// show: a part of them, read across words, occurs in ordinary texts.
type separatedSet struct {
	heads  map[uint64]int // their first characters
	wholes map[string]int
}

func (s *separatedSet) count(secret string, by int) {
	whole := lettersOf(secret)
	if len(whole) < headLength || whole == "password" {
		return
	}
	var head uint64
	for i := range headLength {
		head = head<<8 | uint64(whole[i])
	}
	adjust(s.heads, head, by)
	adjust(s.wholes, whole, by)
}

// matches reports whether the text holds the letters and digits of a secret,
// whatever stands between them. A text that has nothing between is none of its.
func (s *separatedSet) matches(text string) bool {
	if isAlphanumeric(text) {
		return false
	}
	letters := lettersOf(text)
	var head uint64
	for i := range len(letters) {
		head = (head<<8 | uint64(letters[i])) & headMask
		if i < headLength-1 || s.heads[head] == 0 {
			continue
		}
		rest := letters[i+1-headLength:]
		for n := headLength; n <= len(rest); n++ {
			if s.wholes[rest[:n]] > 0 {
				return true
			}
		}
	}
	return false
}

// lettersOf returns the letters and digits, those of ASCII in lower case.
func lettersOf(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			return -1
		case r < utf8.RuneSelf:
			return unicode.ToLower(r)
		}
		return r
	}, text)
}

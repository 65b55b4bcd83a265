package exotel

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// minBase64 keeps pieces from being taken for a secret that are too short
// to be one: a password of the least length has nine characters in base64.
const minBase64 = 9

// spellingsOf returns the forms in which a server, or a library that quotes it,
// may tell a secret back: as it is, escaped for JSON, Go, or a URL, and in
// base64, there also from the middle of a longer text. The longest come first.
func spellingsOf(secret string) []string {
	quoted := strconv.Quote(secret)
	quoted = quoted[1 : len(quoted)-1]
	twice := strconv.Quote(quoted)
	all := []string{
		twice[1 : len(twice)-1], quoted, inJSON(secret, true), inJSON(secret, false),
		url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(secret, `"`, `""`), secret,
	}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if text := inBase64(secret, shift, encoding); len(text) >= minBase64 {
				all = append(all, text)
			}
		}
	}
	return all
}

func inJSON(secret string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(secret) // a string always has a JSON form
	text := strings.TrimSuffix(b.String(), "\n")
	return text[1 : len(text)-1]
}

// inBase64 returns the characters that stand for the secret alone, so many bytes
// after a multiple of three.
func inBase64(secret string, shift int, encoding *base64.Encoding) string {
	text := encoding.EncodeToString(append(make([]byte, shift, shift+len(secret)), secret...))
	text = text[(shift*8+5)/6:]
	if (shift+len(secret))%3 != 0 {
		text = text[:len(text)-1]
	}
	return text
}

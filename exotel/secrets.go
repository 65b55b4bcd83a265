package exotel

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxText bounds each text that an answer brings, in bytes. The vendor's own
// are below 100; a server gone wrong shall not fill the caller's disk.
const maxText = 2048

// withheld stands in for a text that held a secret.
const withheld = "[withheld: it held a secret]"

// credentials are one account's way in. They live in a closure only, which
// nothing can print.
type credentials struct {
	token, basic string      // what an answer must not show: the token, and the pair as sent
	header       http.Header // of every request, shared: nobody may change it
	putHeader    http.Header // the same for a request with a body
}

// loadCredentials reads and checks the key and the token. Of its own, its errors
// show neither.
func loadCredentials(read func() (key, token string, err error), userAgent string) (func() credentials, error) {
	if read == nil {
		return nil, errors.New("credentials: none are given")
	}
	key, token, err := read()
	switch {
	case err != nil:
		return nil, fmt.Errorf("credentials: %w", err)
	case key == "" || token == "":
		return nil, errors.New("credentials: the API key or the API token is empty")
	case strings.Contains(key, ":"):
		return nil, errors.New("credentials: the API key holds a colon, which HTTP basic authentication cannot carry")
	case strings.ContainsFunc(key+token, unicode.IsControl):
		return nil, errors.New("credentials: the API key or the API token holds a control character, such as a line end")
	case strings.ContainsFunc(userAgent, unicode.IsControl):
		return nil, errors.New("user agent holds a control character")
	}
	basic := basicAuth(key, token)
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Basic " + basic}}
	if userAgent != "" {
		header.Set("User-Agent", userAgent)
	}
	putHeader := header.Clone()
	putHeader.Set("Content-Type", "application/json")
	loaded := credentials{token, basic, header, putHeader}
	return func() credentials { return loaded }, nil
}

func basicAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// window is how many bytes of a secret in a row count as the secret.
const window = 8

// keptPasswords is how many passwords stay known after their requests ended. An
// answer can only repeat what the server was sent before. A late one is found
// while its connection rests (see pool), and in those ten milliseconds 256 requests
// end at 25,000 a second; at the usual fifty a minute they are five minutes' work.
const keptPasswords = 256

// A secretSet knows what no text may show: the credentials, and the passwords of
// the requests that are or were lately under way. It is safe for concurrent use.
type secretSet struct {
	mu      sync.RWMutex
	windows map[uint64]int // each window of the longer secrets, and in how many
	letters [256]int       // the characters of the longer secrets, in both cases: most of what decoding makes up has others
	short   map[string]int // the secrets shorter than a window
	least   int            // the length of the shortest secret, at most a window
	others  int            // how many secrets are not all ASCII
	apart   separatedSet
	ended   []string // the passwords whose requests ended, oldest first
}

func newSecretSet(secrets ...string) *secretSet {
	s := &secretSet{windows: make(map[uint64]int), short: make(map[string]int), least: window,
		apart: separatedSet{make(map[uint64]int), make(map[string]int)}}
	for _, secret := range secrets {
		s.begin(secret)
	}
	return s
}

// begin makes the secret known.
func (s *secretSet) begin(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(secret, 1)
}

// end says that the secret's request ended. It stays known for a while.
func (s *secretSet) end(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, secret)
	if len(s.ended) > keptPasswords {
		s.count(s.ended[0], -1)
		s.ended = s.ended[1:]
	}
}

func (s *secretSet) count(secret string, by int) {
	s.apart.count(secret, by)
	if !isASCII(secret) {
		s.others += by
	}
	forms := []string{fold(secret)}
	if len(secret) < window || !isASCII(secret) {
		lower := fold(strings.ToLower(secret))
		forms = append(forms, lower, reverse(forms[0]), reverse(lower)) // of others, matches finds the reverse
	}
	for _, form := range forms {
		s.countFolded(form, by)
	}
}

func (s *secretSet) countFolded(secret string, by int) {
	if secret == "" {
		return
	}
	if len(secret) < window {
		adjust(s.short, secret, by)
		s.least = window
		for secret := range s.short {
			s.least = min(s.least, len(secret))
		}
		return
	}
	for i := range len(secret) {
		c := secret[i]
		s.letters[c] += by
		switch {
		case 'a' <= c && c <= 'z':
			s.letters[c+'A'-'a'] += by
		case c == ' ':
			s.letters['+'] += by
		}
	}
	for i := range len(secret) - window + 1 {
		// The API's own word is no secret, unless it is the whole of one.
		if part := secret[i : i+window]; part != "password" || len(secret) == window {
			adjust(s.windows, binary.BigEndian.Uint64([]byte(part)), by)
		}
	}
}

func adjust[K comparable](counts map[K]int, key K, by int) {
	if n := counts[key] + by; n != 0 {
		counts[key] = n
	} else {
		delete(counts, key)
	}
}

// fold makes equal what shall count as equal: upper and lower case of ASCII, and
// the two characters that a URL has for a space.
func fold(text string) string {
	folded := []byte(text)
	for i, c := range folded {
		folded[i] = foldByte(c)
	}
	return string(folded)
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '+':
		return ' '
	}
	return c
}

func reverse(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes)
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}

// safe returns the text as it may be shown: cut to maxText, and withheld if any
// of its decoded forms holds a secret or a window of one. It cuts first: what is
// not shown need not be decoded, and what is shown of a secret is looked for.
func (s *secretSet) safe(text string) string {
	text = cut(text, maxText)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(text) < s.least && isAlphanumeric(text) {
		return text // nothing decodes it to a longer one
	}
	if s.found(text, 2) || s.foundDecoded(reverse(text), 2) || s.foundRarely(text) {
		return withheld
	}
	return text
}

func isAlphanumeric(text string) bool { return strings.Trim(text, digitsAndLetters) == "" }

// safeError returns err, unless its text may not be shown: net/http quotes what
// it cannot read of an answer. Such an error is replaced by its safe text.
func (s *secretSet) safeError(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if safe := s.safe(text); safe != text {
		return errors.New(safe)
	}
	return err
}

// found reports whether the text holds a secret, decoded up to so many times.
func (s *secretSet) found(text string, times int) bool {
	if len(text) < s.least {
		return false
	}
	return s.matches(text) || times > 0 && s.foundDecoded(text, times)
}

func (s *secretSet) foundDecoded(text string, times int) bool {
	for _, decode := range decoders {
		if decoded := decode(text, s.least); decoded != text && s.found(decoded, times-1) {
			return true
		}
	}
	return false
}

// foundRarely looks where few servers put a secret: into a rare encoding, between
// other characters, into base64 within base64, which has letters of both cases.
func (s *secretSet) foundRarely(text string) bool {
	text = decodeEscapes(decodeHTML(decodePercent(text, 0), 0), 0)
	if s.apart.matches(text) {
		return true
	}
	for _, decode := range rareDecoders {
		decoded := decode(text, s.least)
		if decoded != text && (s.found(decoded, 1) || s.apart.matches(decoded)) {
			return true
		}
	}
	if strings.ToLower(text) == text || strings.ToUpper(text) == text {
		return false
	}
	return s.found(decodeBase64(decodeBase64(text, s.least), s.least), 1)
}

// matches reports whether the text holds a secret, read in either direction, and
// in whichever case.
func (s *secretSet) matches(text string) bool {
	if s.others > 0 && !isASCII(text) {
		if lower := strings.ToLower(text); lower != text && s.matches(lower) {
			return true
		}
	}
	for run := range runs(text, &s.letters, window) {
		var forward, backward uint64
		for i := range len(run) {
			c := foldByte(run[i])
			forward = forward<<8 | uint64(c)
			backward = backward>>8 | uint64(c)<<56
			if i >= window-1 && (s.windows[forward] > 0 || s.windows[backward] > 0) {
				return true
			}
		}
	}
	if len(s.short) == 0 {
		return false
	}
	folded := fold(text)
	for secret := range s.short {
		if strings.Contains(folded, secret) {
			return true
		}
	}
	return false
}

// cut returns the text, without what exceeds n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

package exotel

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// maxText bounds each text that an answer brings, in bytes. The vendor's own
// are below 100; a server gone wrong shall not fill the caller's disk.
const maxText = 2048

const redacted = "[redacted]"

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
	basic := base64.StdEncoding.EncodeToString([]byte(key + ":" + token))
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Basic " + basic}}
	if userAgent != "" {
		header.Set("User-Agent", userAgent)
	}
	putHeader := header.Clone()
	putHeader.Set("Content-Type", "application/json")
	loaded := credentials{token, basic, header, putHeader}
	return func() credentials { return loaded }, nil
}

// redact returns the text without the credentials and the password, should a
// server, or something in between, have echoed them; and bounds its length.
func (c credentials) redact(text, password string) string {
	if text == "" {
		return ""
	}
	for _, secret := range [...]string{password, c.token, c.basic} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return cut(text, maxText)
}

// redactAll is redact for what is no success: there the secrets are looked for
// in every spelling, too, which takes its time.
func (c credentials) redactAll(text, password string) string {
	if text == "" {
		return ""
	}
	for _, secret := range [...]string{password, c.token, c.basic} {
		if secret == "" {
			continue
		}
		for _, spelt := range spellingsOf(secret) {
			text = strings.ReplaceAll(text, spelt, redacted)
		}
	}
	return cut(text, maxText)
}

// redactError returns err, unless its text holds a secret: net/http quotes what it
// cannot read of an answer. Such an error is replaced by its redacted text.
func (c credentials) redactError(err error, password string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if safe := c.redactAll(text, password); safe != text {
		return errors.New(safe)
	}
	return err
}

// cut returns the text, without what exceeds n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

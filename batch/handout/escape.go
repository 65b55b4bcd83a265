package handout

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// No error of these quotes the text: it may be a password.

// escapeXML escapes a text for an element or a quoted attribute.
func escapeXML(text string) (string, error) {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		return "", err
	}
	if strings.Count(b.String(), "\ufffd") != strings.Count(text, "\ufffd") || !utf8.ValidString(text) {
		return "", errors.New("a character that XML cannot hold")
	}
	return b.String(), nil
}

// escapeINI returns a text in double quotes, with a backslash before each quote and
// backslash in it.
func escapeINI(text string) (string, error) {
	if _, err := plainLine(text); err != nil {
		return "", err
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`, nil
}

// escapeJSON returns a text as a JSON string, with its quotes.
func escapeJSON(text string) (string, error) {
	var b bytes.Buffer
	if !utf8.ValidString(text) {
		return "", errors.New("a character that JSON cannot hold")
	}
	err := newEncoder(&b).Encode(text)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// escapeShell returns a text as one word for a POSIX shell.
func escapeShell(text string) (string, error) {
	if strings.Contains(text, "\x00") {
		return "", errors.New("a character that a shell cannot hold")
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'", nil
}

// oneLine returns the text as it is, for a format without quotes or escapes.
func oneLine(text string) (string, error) {
	if strings.TrimSpace(text) != text {
		return "", errors.New("blanks at an end, which a line without quotes cannot hold")
	}
	return plainLine(text)
}

func plainLine(text string) (string, error) {
	if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
		return "", errors.New("a line break or another control character, which one line cannot hold")
	}
	return text, nil
}

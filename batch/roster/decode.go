package roster

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const hintUTF8 = "save the file as CSV in UTF-8"

// A decoded reads an input as UTF-8, without a byte order mark.
type decoded struct {
	io.Reader
	utf16 bool // the input is in UTF-16
}

// decode finds out the encoding of raw.
func decode(raw io.Reader) (decoded, error) {
	in := bufio.NewReaderSize(raw, 64<<10)
	head, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return decoded{}, err
	}
	switch {
	case bytes.Equal(head, []byte("PK\x03\x04")):
		return decoded{}, &brokenText{text: "is a spreadsheet or an archive, not a CSV", hint: hintUTF8}
	case likeUTF16(head):
		return decoded{}, &brokenText{text: "looks like UTF-16 without a byte order mark", hint: hintUTF8}
	}
	utf16 := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
	return decoded{transform.NewReader(in, unicode.BOMOverride(transform.Nop)), utf16}, nil
}

// likeUTF16 reports whether the text begins with two ASCII characters in UTF-16.
func likeUTF16(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	big := head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0
	little := head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0
	return big || little
}

// flaw says what is wrong with the encoding of a text, if anything.
func flaw(text []byte, utf16 bool) string {
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		return "holds a NUL byte"
	case !utf8.Valid(text):
		return "is not valid UTF-8"
	case utf16 && bytes.ContainsRune(text, utf8.RuneError):
		// The decoder puts it where it finds half a character, and a password
		// with another character in it would be another password.
		return "is not valid UTF-16, or holds the replacement character U+FFFD"
	}
	return ""
}

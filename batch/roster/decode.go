package roster

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"siprotate/batch"
)

const hintUTF8 = "save the file as CSV in UTF-8"

// decode returns raw as UTF-8, without a byte order mark, and whether it is in
// UTF-16.
func decode(raw io.Reader) (text io.Reader, utf16 bool, err error) {
	in := bufio.NewReaderSize(raw, 64<<10)
	head, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	switch {
	case bytes.Equal(head, []byte("PK\x03\x04")):
		return nil, false, &syntaxError{Fault: batch.Fault{Text: "is a spreadsheet or an archive, not a CSV", Hint: hintUTF8}}
	case likeUTF16(head):
		return nil, false, &syntaxError{Fault: batch.Fault{Text: "looks like UTF-16 without a byte order mark", Hint: hintUTF8}}
	}
	utf16 = bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
	return transform.NewReader(in, unicode.BOMOverride(transform.Nop)), utf16, nil
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
	case bytes.ContainsRune(text, utf8.RuneError):
		return "holds the replacement character U+FFFD, which stands for one that was lost"
	}
	return ""
}

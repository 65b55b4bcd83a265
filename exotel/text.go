package exotel

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// text is what a JSON value reads as: the characters of a string, the digits of
// a number as they stand, "" for null, and the source of anything else. Ids and
// codes come as numbers or strings, and no number may pass through a float.
type text string

// UnmarshalJSON accepts every JSON value.
func (t *text) UnmarshalJSON(source []byte) error {
	switch {
	case source[0] == '"' && !bytes.ContainsRune(source, '\\') && utf8.Valid(source):
		*t = text(source[1 : len(source)-1]) // the common case, at a tenth of the cost
	case source[0] == '"':
		return json.Unmarshal(source, (*string)(t))
	case string(source) == "null":
		*t = ""
	default:
		*t = text(source)
	}
	return nil
}

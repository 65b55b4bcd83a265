package exotel

// plain reports whether the text stands for itself between the quotes of a JSON
// string: printable ASCII without a quote and a backslash.
func plain[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

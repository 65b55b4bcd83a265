package roster

import "strconv"

// shown is how many characters of a value a fault shows.
const shown = 40

// show quotes a value for a person: cut, and with everything that is not
// plainly printable escaped.
func show(value string) string {
	cut, rest := cutRunes(value, shown)
	return strconv.Quote(cut) + rest
}

// label is show without quotes, for the names of columns.
func label(name string) string {
	cut, rest := cutRunes(name, shown)
	quoted := strconv.Quote(cut)
	return quoted[1:len(quoted)-1] + rest
}

func cutRunes(text string, n int) (cut, rest string) {
	for i := range text {
		if n == 0 {
			return text[:i], "…"
		}
		n--
	}
	return text, ""
}

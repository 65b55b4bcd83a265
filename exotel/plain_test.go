package exotel

import "testing"

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "affd93c2e3674424993e4d70c012156e": true, "!@#$%^&* ~'/<>": true,
		`"`: false, `a\b`: false, "\x00": false, "\x1f": false, "\x7f": false, "a\n": false, "ä": false, "\xff": false,
	} {
		if plain(text) != want || plain([]byte(text)) != want {
			t.Errorf("%q is plain: %v, want %v", text, !want, want)
		}
	}
}

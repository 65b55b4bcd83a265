package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"User not found", "User not found"},
		{`back\slash`, `back\slash`},
		{"Zoë, 深圳, नमस्ते, 👩\u200d🚀, می\u200cخواهم", "Zoë, 深圳, नमस्ते, 👩\u200d🚀, می\u200cخواهم"},
		{"no-break\u00a0space", "no-break\u00a0space"},
		{"a\nb\r\tc", `a\nb\r\tc`},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"\x00\x07\x7f", `\x00\x07\x7f`},
		{"\u009b31m", `\u009b31m`},
		{"user\u202egnp.exe", `user\u202egnp.exe`},
		{"\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		{"\ufeffx\u200by\u2028z", `\ufeffx\u200by\u2028z`},
		{"\U000e0041", `\U000e0041`},
		{"\xff\xc3(", `\xff\xc3(`},
		{"\ufffd", "\ufffd"},
	} {
		if got := Sanitize(c.in); got != c.want {
			t.Errorf("Sanitize(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b]0;title\a", "\u202e", "\xf0\x28\x8c\x28", "é\u0301", "\u009b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Sanitize(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Sanitize(%q) = %q is no UTF-8", s, got)
		}
		if bad := strings.IndexFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
		}); bad >= 0 {
			t.Fatalf("Sanitize(%q) = %q has a harmful character at %d", s, got, bad)
		}
		if again := Sanitize(got); again != got {
			t.Fatalf("Plain changes its own %q to %q", got, again)
		}
		if ascii(s) && got != s {
			t.Fatalf("Plain changed %q to %q", s, got)
		}
	})
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
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

func FuzzSanitize(f *testing.F) {
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

func TestEscapeFormula(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"User not found", "User not found"},
		{"10801", "10801"},
		{"a=b", "a=b"},
		{"=1+1", "'=1+1"},
		{"+91", "'+91"},
		{"-1", "'-1"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"  =1", "'  =1"},
		{"\u00a0=1", "'\u00a0=1"},
		{`"=1`, `'"=1`},
		{"''=1", "'''=1"},
		{"＝1", "'＝1"},
		{"＋1", "'＋1"},
		{"－1", "'－1"},
		{"＠A", "'＠A"},
		{"no;=1;ok", "no;'=1;ok"},
		{"no; -1", "no;' -1"},
		{";", ";"},
	} {
		if got := escapeFormula(c.in); got != c.want {
			t.Errorf("escapeFormula(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzEscapeFormula(f *testing.F) {
	for _, seed := range []string{"=cmd|' /C calc'!A0", "\t=1", "\r\n+1", " \"-1", "x;@y", "＝1;；＝2", "\u2003=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := Sanitize(s)
		got := escapeFormula(plain)
		for cell := range strings.SplitSeq(got, ";") {
			if strings.TrimLeft(cell, " \"") != "" && strings.ContainsAny(firstOf(strings.TrimLeft(cell, " \"")), "=+-@\t\r＝＋－＠") {
				t.Fatalf("escapeFormula(%q) = %q: %q runs as a formula", plain, got, cell)
			}
		}
		if strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(plain, "'", "") {
			t.Fatalf("escapeFormula(%q) = %q changes more than apostrophes", plain, got)
		}
		if !strings.ContainsAny(plain, formulaStarts) && got != plain {
			t.Fatalf("escapeFormula(%q) = %q changes harmless text", plain, got)
		}
	})
}

// firstOf returns the first character of s, which is not empty.
func firstOf(s string) string { return string([]rune(s)[:1]) }

func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äö…"},
		{"abc", 0, ""}, {"深圳深圳", 5, "深圳…"}, {"深圳", 4, "深圳"}, {"a" + strings.Repeat("\u0301", 9), 5, "…"}, // bounded in bytes, too
	} {
		if got := Truncate(c.in, c.n); got != c.want {
			t.Errorf("Truncate(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

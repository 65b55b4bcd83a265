package report

import (
	"strings"
	"testing"
)

func TestDisarm(t *testing.T) {
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
		if got := EscapeFormula(c.in); got != c.want {
			t.Errorf("EscapeFormula(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzDisarm(f *testing.F) {
	for _, seed := range []string{"=cmd|' /C calc'!A0", "\t=1", "\r\n+1", " \"-1", "x;@y", "＝1;；＝2", "\u2003=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := Sanitize(s)
		got := EscapeFormula(plain)
		for cell := range strings.SplitSeq(got, ";") {
			if strings.TrimLeft(cell, " \"") != "" && strings.ContainsAny(firstOf(strings.TrimLeft(cell, " \"")), "=+-@\t\r＝＋－＠") {
				t.Fatalf("EscapeFormula(%q) = %q: %q runs as a formula", plain, got, cell)
			}
		}
		if strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(plain, "'", "") {
			t.Fatalf("EscapeFormula(%q) = %q changes more than apostrophes", plain, got)
		}
		if !strings.ContainsAny(plain, formulaStarts) && got != plain {
			t.Fatalf("EscapeFormula(%q) = %q changes harmless text", plain, got)
		}
	})
}

// firstOf returns the first character of s, which is not empty.
func firstOf(s string) string { return string([]rune(s)[:1]) }

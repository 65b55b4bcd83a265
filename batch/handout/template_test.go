package handout

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"siprotate/batch"
)

func newTemplate(t *testing.T, name, body string) *Template {
	t.Helper()
	template, err := NewTemplate(name, body)
	must(t, err)
	return template
}

// inForce writes a template for row 1 and, with five, row 5.
func makeFiles(t *testing.T, template *Template, dir string, all ...batch.Entry) (Written, error) {
	t.Helper()
	return template.Write(dir, "acc1", columns, everything.Pick(sequence(all), new(int)))
}

func TestBuiltInTemplates(t *testing.T) {
	one := entry(1, batch.Rotated)
	for _, name := range []string{"yealink", "polycom"} {
		text, known := BuiltIn(name)
		if !known {
			t.Fatal(name)
		}
		dir := filepath.Join(t.TempDir(), "out")
		_, err := makeFiles(t, newTemplate(t, "{{.mac}}.cfg", text), dir, one)
		must(t, err)
		got, err := os.ReadFile(filepath.Join(dir, "00aabbccdd01.cfg"))
		must(t, err)
		golden(t, name+".golden", got)
		if name == "polycom" {
			var file struct {
				Reg struct {
					Attrs []xml.Attr `xml:",any,attr"`
				} `xml:"reg"`
			}
			must(t, xml.Unmarshal(got, &file))
			values := map[string]string{}
			for _, a := range file.Reg.Attrs {
				values[a.Name.Local] = a.Value
			}
			if values["reg.1.auth.password"] != awkward+"-1" || values["reg.1.auth.userId"] != "sample1" {
				t.Errorf("%v", values)
			}
		} else if !strings.HasPrefix(string(got), "#!version:1.0.0.1\n") || !strings.Contains(string(got), "\naccount.1.password = "+awkward+"-1\n") {
			t.Errorf("%s", got)
		}
		nameless := one
		nameless.Row.SIPID = ""
		if _, err := makeFiles(t, newTemplate(t, "{{.mac}}.cfg", text), dir, nameless); err == nil || !strings.Contains(err.Error(), "no SIP id") {
			t.Errorf("%s without a SIP id: %v", name, err)
		}
	}
	if _, known := BuiltIn("../handout"); known {
		t.Error("a path is a built-in template")
	}
}

func TestFilesOfATemplate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	template := newTemplate(t, "{{.team}}/{{.row}}.txt", "{{.email}} {{.password | json}} {{index . \"team\"}} {{column . \"none\" \"-\"}}\n")
	columns := []string{"team"}
	one, two := entry(1, batch.Rotated), entry(2, batch.Rotated)
	one.Row.Extra, two.Row.Extra = []string{"red"}, []string{"blue"}
	files := func() (Written, error) {
		return template.Write(dir, "acc1", columns, Selection{}.Pick(sequence([]batch.Entry{one, two}), new(int)))
	}
	w, err := files()
	if err != nil || w != (Written{2, 2}) {
		t.Fatalf("%+v: %v", w, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "red", "1.txt"))
	must(t, err)
	if want := `sample1@example.com "Sample,\"<&>'#;%{\\1é-1" red -` + "\n"; string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	for path, mode := range map[string]os.FileMode{"": 0o700, "red": 0o700, "red/1.txt": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v: %v", path, info.Mode(), err)
		}
	}

	// Again with nothing changed writes nothing.
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	must(t, os.Chtimes(filepath.Join(dir, "red/1.txt"), past, past))
	if w, err := files(); err != nil || w != (Written{2, 0}) {
		t.Errorf("again: %+v: %v", w, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "red/1.txt")); err != nil || !info.ModTime().Equal(past) {
		t.Errorf("written again: %v", err)
	}

	// A changed one is written, and so is one that others may read, or a link.
	two.Row.Password = batch.NewSecret("Sample-Another-2")
	must(t, os.Chmod(filepath.Join(dir, "red/1.txt"), 0o644))
	if w, err := files(); err != nil || w != (Written{2, 2}) {
		t.Errorf("changed: %+v: %v", w, err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.Rename(filepath.Join(dir, "red/1.txt"), outside))
	must(t, os.Symlink(outside, filepath.Join(dir, "red/1.txt")))
	if w, err := files(); err != nil || w != (Written{2, 1}) {
		t.Errorf("a link: %+v: %v", w, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "red/1.txt")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is still there: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*/.siprotate-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Whatever is wrong with a template is known before the first file is written.
func TestTemplatesThatAreRefused(t *testing.T) {
	same := func(cell string) func(*batch.Entry) { return func(e *batch.Entry) { e.Row.Extra[0] = cell } }
	for what, c := range map[string]struct {
		name, body, want string
		change           func(second *batch.Entry)
	}{
		"no such column":         {"{{.row}}", "{{.colour}}", `there is no column "colour"; there are account, device_id`, nil},
		"none in the name":       {"{{.colour}}", "", `name: there is no column "colour"`, nil},
		"none by index":          {"{{.row}}", `{{index . "colour"}}`, `no column "colour"`, nil},
		"one name":               {"a", "", `rows 1 and 2: both would be in "a"`, nil},
		"another case":           {"{{.mac}}", "", `"A" are one file on many systems`, nil},
		"another way of accents": {"{{.mac}}{{if eq .row \"1\"}}\u00e9{{else}}e\u0301{{end}}", "", "one file on many systems", same("a")},
		"no name":                {"", "", "want that of a file", nil},
		"a folder's name":        {"{{.row}}/", "", "want that of a file", nil},
		"out of the folder":      {"../{{.row}}", "", "leads out", nil},
		"an absolute path":       {"/tmp/{{.row}}", "", "leads out", nil},
		"around":                 {"x/../{{.row}}", "", "leads out", nil},
		"the folder":             {".", "", "leads out", nil},
		"a line break":           {"{{.row}}{{index . \"team name\"}}", "", "do not have everywhere", nil},
		"a backslash":            {`..\{{.row}}`, "", "do not have everywhere", nil},
		"a file and a folder":    {"{{.mac}}", "", "needs a folder of that name", same("a/b")},
		"a folder that is there": {"there{{if eq .row \"1\"}}-{{end}}", "", "is a folder", nil},
		"a file on the way":      {"file/{{.row}}", "", "is no folder", nil},
		"a link that leads out":  {"out/{{.row}}", "", "escapes", nil},
		"not one line":           {"{{.row}}", `{{index . "team name" | line}}`, "one line cannot hold", nil},
		"a wrong call":           {"{{.row}}", `{{slice .password 1000}}`, "out of range", nil},
		"a field of a password":  {"{{.row}}", `{{.password.x}}`, "can't evaluate", nil},
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "there"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
		must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "out")))
		one, two := entry(1, batch.Rotated), entry(2, batch.Rotated)
		one.Row.Extra[0], two.Row.Extra[0] = "a", "A"
		if c.change != nil {
			c.change(&two)
		}
		_, err := makeFiles(t, newTemplate(t, c.name, c.body), dir, one, two)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "Sample,") {
			t.Errorf("%s: a password in %q", what, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
			t.Errorf("%s: something was written: %v", what, left)
		}
	}
	for _, bad := range []string{"{{", "{{.x | rot13}}", "{{end}}"} {
		if _, err := NewTemplate("x", bad); err == nil {
			t.Errorf("%q is a template", bad)
		}
		if _, err := NewTemplate(bad, "x"); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

func TestARowInDoubtHasNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	_, err := makeFiles(t, newTemplate(t, "{{.row}}", "{{.password}}"), dir, entries()...)
	if err == nil || !strings.Contains(err.Error(), "row 3: several passwords may be in force") {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", dir, err)
	}
}

func BenchmarkTemplate(b *testing.B) {
	text, _ := BuiltIn("yealink")
	template, err := NewTemplate("{{.mac}}.cfg", text)
	must(b, err)
	one := entry(1, batch.Rotated)
	for range b.N {
		if _, _, err := template.make(&Of(&one)[0], "acc1", columns); err != nil {
			b.Fatal(err)
		}
	}
}

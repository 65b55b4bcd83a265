package handout

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"siprotate/batch/durable"
	"siprotate/exotel"
)

// A Template makes one file a row. Both its parts are executed on the row's
// columns: row, user_id, device_id, sip_id, email, password, outcome and account,
// and the input's others by the names of its header; one of the former hides one
// of the latter. A column that is not there is an error.
//
// Beside the functions of text/template there are xml, ini, json, shell and url,
// which escape a text for there; line, which refuses what is not one line of
// plain text; sipuser, the user name within a SIP id; and column, the column of a
// name that need not be there, or a text in its place.
type Template struct {
	name, body *template.Template
}

//go:embed templates
var builtIn embed.FS

// BuiltIn returns the text of a template that comes with the program, "yealink" or
// "polycom", and whether it is one. They name the vendor's documentation that they
// are from.
func BuiltIn(name string) (text string, known bool) {
	content, err := builtIn.ReadFile("templates/" + name + ".tmpl")
	return string(content), err == nil
}

// NewTemplate returns the template that makes files with the body, under the name.
func NewTemplate(name, body string) (*Template, error) {
	t := &Template{}
	var err error
	if t.name, err = parse("name", name); err != nil {
		return nil, err
	}
	t.body, err = parse("template", body)
	return t, err
}

func parse(name, text string) (*template.Template, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return t, nil
}

var functions = template.FuncMap{
	"xml":     escapeXML,
	"ini":     escapeINI,
	"json":    escapeJSON,
	"shell":   escapeShell,
	"url":     escapeURL,
	"line":    oneLine,
	"sipuser": sipUser,
	"column":  optionalColumn,
	"index":   column, // the built-in one takes a missing column for an empty one
}

func columnsOf(c *Credential, account string, columns []string) map[string]string {
	all := map[string]string{}
	for i, cell := range extra(c, columns) {
		all[columns[i]] = cell
	}
	maps.Copy(all, map[string]string{
		"row": strconv.Itoa(c.Row.Number), "user_id": c.Row.UserID, "device_id": c.Row.DeviceID, "sip_id": c.Row.SIPID, "email": c.Row.Email,
		"password": c.Password.Reveal(), "outcome": c.Result.Outcome.String(), "account": account,
	})
	return all
}

func sipUser(sipID string) (string, error) {
	user := exotel.SIPID(sipID)
	if user == "" {
		return "", errors.New("the row has no SIP id")
	}
	return user, nil
}

const noColumn = "map has no entry for key " // text/template's words

func column(row map[string]string, name string) (string, error) {
	cell, known := row[name]
	if !known {
		return "", fmt.Errorf("%s%q", noColumn, name)
	}
	return cell, nil
}

func optionalColumn(row map[string]string, name, otherwise string) string {
	if cell, known := row[name]; known {
		return cell
	}
	return otherwise
}

func execute(t *template.Template, row map[string]string) ([]byte, error) {
	var text bytes.Buffer
	err := t.Execute(&text, row)
	if err == nil {
		return text.Bytes(), nil
	}
	if _, name, missing := strings.Cut(err.Error(), noColumn); missing {
		known := strings.Join(slices.Sorted(maps.Keys(row)), ", ")
		return nil, fmt.Errorf("%s: there is no column %s; there are %s", t.Name(), name, known)
	}
	what := strings.TrimPrefix(err.Error(), "template: ")
	if password := row["password"]; password != "" {
		what = strings.ReplaceAll(what, password, redacted)
	}
	return nil, errors.New(what)
}

// Written counts the files of a template.
type Written struct {
	Files   int // in all
	Changed int // of these, those that were written
}

// Write makes the files of the credentials in dir, which is made with mode 0700
// if it is not there, and stays as it is if it is. Each is replaced atomically, has
// mode 0600, and is left alone if it is already as it should be.
//
// Everything is made once before the first file is written: a column that is not
// there is an error, as is a name that is no plain path within dir, that two
// files have, or that differs from another in case alone. credentials is passed over
// twice.
func (t *Template) Write(dir, account string, columns []string, credentials iter.Seq2[Credential, error]) (Written, error) {
	if err := t.check(dir, account, columns, credentials); err != nil {
		return Written{}, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Written{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Written{}, err
	}
	defer root.Close()
	var w Written
	folders := map[string]bool{".": true}
	for c, err := range credentials {
		if err != nil {
			return w, err
		}
		name, body, err := t.make(&c, account, columns)
		if err != nil {
			return w, err
		}
		folders[path.Dir(name)] = true
		changed, err := replace(root, name, body)
		if err != nil {
			return w, err
		}
		w.Files++
		if changed {
			w.Changed++
		}
	}
	for folder := range folders {
		if err := durable.SyncFolder(root.Open, folder); err != nil {
			return w, err
		}
	}
	return w, nil
}

// check makes every file, and writes none.
func (t *Template) check(dir, account string, columns []string, credentials iter.Seq2[Credential, error]) error {
	names := map[string]named{}
	root, err := os.OpenRoot(dir)
	if err == nil {
		defer root.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for c, err := range credentials {
		if err != nil {
			return err
		}
		name, _, err := t.make(&c, account, columns)
		if err != nil {
			return err
		}
		if err := claim(names, name, c.Row.Number); err != nil {
			return err
		}
		if root == nil {
			continue
		}
		if err := writable(root, name); err != nil {
			return fmt.Errorf("row %d: %w", c.Row.Number, err)
		}
	}
	for key, n := range names { // a file where another has a folder
		for parent := path.Dir(key); parent != "."; parent = path.Dir(parent) {
			if other, both := names[parent]; both {
				return fmt.Errorf("row %d: %q would be a file, and row %d needs a folder of that name", other.row, other.name, n.row)
			}
		}
	}
	return nil
}

// make makes the name and the body of a credential's file.
func (t *Template) make(c *Credential, account string, columns []string) (name string, body []byte, err error) {
	row := columnsOf(c, account, columns)
	text, err := execute(t.name, row)
	if err == nil {
		name = string(text)
		body, err = execute(t.body, row)
	}
	if err == nil {
		err = checkName(name)
	}
	if err != nil {
		return "", nil, fmt.Errorf("row %d: %w", c.Row.Number, err)
	}
	return name, body, nil
}

// checkName refuses a name that is no plain path within the folder, on any system.
func checkName(name string) error {
	switch {
	case name == "" || strings.HasSuffix(name, "/"):
		return fmt.Errorf("the name is %q: want that of a file", name)
	case strings.ContainsFunc(name, unicode.IsControl), strings.ContainsAny(name, `\:`):
		return fmt.Errorf("the name %q holds a character that file names do not have everywhere", name)
	case !filepath.IsLocal(filepath.FromSlash(name)), path.Clean(name) != name, name == ".":
		return fmt.Errorf("the name %q leads out of the folder, or around in it", name)
	}
	return nil
}

type named struct {
	name string
	row  int
}

// claim gives a name to a row. File systems that take no notice of case or of
// the way an accent is written take two names for one.
func claim(names map[string]named, name string, row int) error {
	key := norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
	other, taken := names[key]
	switch {
	case !taken:
		names[key] = named{name, row}
		return nil
	case other.row == row:
		return fmt.Errorf("row %d: several passwords may be in force, and all would be in %q", row, name)
	case other.name == name:
		return fmt.Errorf("rows %d and %d: both would be in %q", other.row, row, name)
	}
	return fmt.Errorf("rows %d and %d: %q and %q are one file on many systems", other.row, row, other.name, name)
}

// writable sees early what would keep a file from being written late.
func writable(root *os.Root, name string) error {
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		info, err := root.Stat(parent)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is no folder", filepath.Join(root.Name(), parent))
		}
	}
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", filepath.Join(root.Name(), name))
	}
	return nil
}

const fileMode = 0o600

// replace writes a file, unless it is already as it should be.
func replace(root *os.Root, name string, body []byte) (changed bool, err error) {
	if same(root, name, body) {
		return false, nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return false, err
	}
	return true, durable.Replace(root, name, fileMode, func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	})
}

func same(root *os.Root, name string, body []byte) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&^fileMode != 0 || info.Size() != int64(len(body)) {
		return false
	}
	text, err := root.ReadFile(name)
	return err == nil && bytes.Equal(text, body)
}

func escapeURL(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") // right in a path, too
}

package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
)

const (
	userA = "0f3c5d2e8b7a4961a2b3c4d5e6f70811"
	userB = "1f3c5d2e8b7a4961a2b3c4d5e6f70812"
	userC = "2f3c5d2e8b7a4961a2b3c4d5e6f70813"
)

// A flat is a row as a test compares it.
type flat struct {
	Number, Line                   int
	UserID, DeviceID, SIPID, Email string
	Password                       string
	Source                         batch.PasswordSource
	Extra                          []string
}

// A ledger is a sink that keeps everything.
type ledger struct {
	rows    []flat
	refused map[int]string
	fail    error
}

func (l *ledger) Add(r batch.Row) error {
	l.rows = append(l.rows, flat{r.Number, r.Line, r.UserID, r.DeviceID, r.SIPID, r.Email,
		r.Password.Reveal(), r.PasswordSource, slices.Clone(r.Extra)})
	return l.fail
}

func (l *ledger) Refuse(row int, why string) error {
	if l.refused == nil {
		l.refused = make(map[int]string)
	}
	if old, twice := l.refused[row]; twice {
		return fmt.Errorf("row %d is refused twice: %s; %s", row, old, why)
	}
	l.refused[row] = why
	return nil
}

// plain are options with a policy of four characters at least, none of which is
// a control character.
func plain() Options {
	return Options{
		Name: "users.csv",
		Check: func(p string) error {
			if len(p) < 4 || !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' }) {
				return errors.New("is not good enough")
			}
			return nil
		},
		Generate: func() (string, error) { return "drawn", nil },
	}
}

func readText(t *testing.T, text string, change ...func(*Options)) (*ledger, Summary, error) {
	t.Helper()
	o := plain()
	for _, c := range change {
		c(&o)
	}
	l := new(ledger)
	s, err := Read(strings.NewReader(text), o, l)
	return l, s, err
}

func skip(o *Options) { o.SkipInvalid = true }

// told returns the lines of an error's text.
func told(t *testing.T, err error) []string {
	t.Helper()
	var faults *batch.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("want faults, got %v", err)
	}
	return strings.Split(faults.Error(), "\n")
}

func TestReadRows(t *testing.T) {
	text := "name,User-ID,Device ID,SIP_password,email,sip_id,team\n" +
		"Asha, " + userA + " ,490038, pass word ,a@example.com,sip:asha1,\"North, \"\"B\"\"\"\n" +
		"\n" +
		"\"two\nlines\"," + userB + ",490039,,,,\n" +
		",,,,,,\n" +
		"x," + userC + ",d-1,,,,last"
	l, s, err := readText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	want := []flat{
		{1, 2, userA, "490038", "sip:asha1", "a@example.com", " pass word ", batch.Provided, []string{"Asha", `North, "B"`}},
		{2, 4, userB, "490039", "", "", "drawn", batch.Generated, []string{"two\nlines", ""}},
		{3, 7, userC, "d-1", "", "", "drawn", batch.Generated, []string{"x", "last"}},
	}
	if diff := cmp.Diff(want, l.rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"name", "team"}, s.Columns); diff != "" {
		t.Error(diff)
	}
	if s.Rows != 3 || s.Provided != 1 || s.Generated != 2 || s.Refused != 0 {
		t.Errorf("counts: %+v", s)
	}
}

func TestSHA256(t *testing.T) {
	_, s, err := readText(t, "user_id,device_id\n"+userA+",1\n")
	if err != nil {
		t.Fatal(err)
	}
	const want = "2299e3abf4236492bc57e528a0c127efc62cd32d4dc0654730514e8e404bad72" // by sha256sum
	if s.SHA256 != want {
		t.Errorf("got %s", s.SHA256)
	}
}

// TestFaults has one input for each kind of fault, and the lines that tell it.
func TestFaults(t *testing.T) {
	const head = "user_id,device_id,password,note\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty file", "", "users.csv: the file is empty: a header and at least one row are needed"},
		{"blank lines only", "\n\r\n,,\n", "users.csv: the file is empty: a header and at least one row are needed"},
		{"header only", head, "users.csv: has no rows below its header"},
		{"archive", "PK\x03\x04....", "users.csv: is a spreadsheet or an archive, not a CSV"},
		{"UTF-16 without mark", "u\x00s\x00e\x00", "users.csv: looks like UTF-16 without a byte order mark"},
		{"missing column", "user_id,name\n" + userA + ",x\n", "users.csv:1: the column device_id is missing"},
		{"missing columns", "sip_id\nasha1\n", "users.csv:1: the columns user_id and device_id are missing"},
		{"column twice", "user_id,device_id,UUID\n" + userA + ",1,x\n", "users.csv:1: UUID: is the column user_id again, like user_id"},
		{"no header", userA + ",1,Canary-7-Password\n", "users.csv:1: the first line names no known column"},
		{"typo", "user_id,device_id,passwrod\n" + userA + ",1,x\n", "users.csv:1: passwrod: is no known column"},
		{"typo of a required one", "user_id,devise_id\n" + userA + ",1\n", "users.csv:1: devise_id: is no known column"},
		{"secret column", "user_id,device_id,old_password\n" + userA + ",1,x\n", "users.csv:1: old_password: holds passwords by its name, but is not the column password"},
		{"header with NUL", "user_id,device_id,a\x00\n" + userA + ",1,x\n", "users.csv:1: the header holds a NUL byte"},
		{"header with a stray quote", "user_id,device_id,a\"b\n" + userA + ",1,x\n", "users.csv:1: a quote stands inside a cell that does not begin with one"},
		{"header never closed", "user_id,device_id,\"a\n" + userA + ",1,x\n", "users.csv:1: a quoted cell that begins here is never closed"},
		{"unknown separator", "sep=|\nuser_id|device_id\n", `users.csv:1: the delimiter "|" is none of comma, semicolon and tab`},
		{"too few cells", head + userA + ",1,\n", "users.csv:2: 3 cells instead of 4"},
		{"too many cells", head + userA + ",1,,,\n", "users.csv:2: 5 cells instead of 4"},
		{"one cell", head + userA + "\n", "users.csv:2: 1 cell instead of 4"},
		{"no user", head + ",1,,\n", "users.csv:2: user_id: missing: a row needs user_id and device_id"},
		{"no device", head + userA + ", ,,\n", "users.csv:2: device_id: missing: a row needs user_id and device_id"},
		{"neither", head + ",,,x\n", "users.csv:2: user_id: missing: a row needs user_id and device_id\n" +
			"users.csv:2: device_id: missing: a row needs user_id and device_id"},
		{"weak password", head + userA + ",1,abc,\n", "users.csv:2: password: is not good enough"},
		{"control character in password", head + userA + ",1,\"abcd\r\nef\",\n", "users.csv:2: password: is not good enough"},
		{"damaged id", head + userA + ",4.9E+05,,\n", `users.csv:2: device_id: "4.9E+05" looks like a spreadsheet turned it into a number`},
		{"several in one row", head + "..,a/b,abc,\n", `users.csv:2: user_id: ".." would change the path of the URL` + "\n" +
			`users.csv:2: device_id: "a/b" holds '/', which would change the path of the URL` + "\n" +
			"users.csv:2: password: is not good enough"},
		{"same device", head + userA + ",1,,\n" + userB + ",1,,\n" + userA + ",1,,\n", "users.csv:4: device_id: same device as line 2"},
		{"same device, another spelling", head + userA + ",1,,\n" + "0F3C5D2E-8B7A-4961-A2B3-C4D5E6F70811" + ",1,,\n",
			"users.csv:3: device_id: same device as line 2"},
		{"same device three times", head + strings.Repeat(userA+",1,,\n", 3),
			"users.csv:3: device_id: same device as line 2\nusers.csv:4: device_id: same device as line 2"},
		{"not UTF-8", head + userA + ",1,,Jos\xe9\n", "users.csv:2: note: is not valid UTF-8"},
		{"password not UTF-8", head + userA + ",1,Jos\xe9,\n", "users.csv:2: password: is not valid UTF-8"},
		{"NUL", head + userA + ",1\x00,,\n", "users.csv:2: device_id: holds a NUL byte"},
		{"NUL in a cell too many", head + userA + ",1,,,\x00\n", "users.csv:2: holds a NUL byte"},
		{"half a UTF-16 character", utf16Text("user_id,device_id,note\n"+userA+",1,", false) + "\x00\xd8\n\x00",
			"users.csv:2: note: is not valid UTF-16, or holds the replacement character U+FFFD"},
		{"quote inside", head + userA + ",1,,a\"b\n" + userB + ",,,\n",
			"users.csv:2: a quote stands inside a cell that does not begin with one\n" +
				"users.csv:3: device_id: missing: a row needs user_id and device_id"},
		{"text behind a quote", head + userA + ",1,,\"a\"b\n" + userB + ",,,\n",
			"users.csv:2: a quoted cell goes on behind its closing quote\n" +
				"users.csv:3: device_id: missing: a row needs user_id and device_id"},
		{"never closed", head + userA + ",1,,\"a\n" + userB + ",,,\n" + userC + ",2,,\n",
			"users.csv:2: a quoted cell that begins here is never closed\n" +
				"users.csv:3: device_id: missing: a row needs user_id and device_id"},
		{"closed by another row's quote", head + userA + ",1,,\"a\n" + userB + ",,,\n" + userC + ",..,,\"c\"\n",
			"users.csv:2: a quoted cell goes on behind its closing quote\n" +
				"users.csv:3: device_id: missing: a row needs user_id and device_id\n" +
				`users.csv:4: device_id: ".." would change the path of the URL`},
		{"rows run together", head + userA + ",1,\"a\n" + userB + ",,,\n" + userC + ",..,b\",,\n",
			"users.csv:2: the row that begins in line 2 and ends in line 4 has 5 cells instead of 4: is a quote missing?\n" +
				"users.csv:3: device_id: missing: a row needs user_id and device_id\n" +
				"users.csv:4: a quote stands inside a cell that does not begin with one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _, err := readText(t, c.text)
			if diff := cmp.Diff(strings.Split(c.want, "\n"), told(t, err)); diff != "" {
				t.Error(diff)
			}
			if len(l.refused) > 0 {
				t.Errorf("refused %v", l.refused)
			}
		})
	}
}

func TestHints(t *testing.T) {
	for text, want := range map[string]string{
		"user_id,name\nx,y\n":           "the columns are user_id, name; siprotate needs both user_id and device_id",
		"user_id,\nx,y\n":               "the columns are user_id, column 2; siprotate needs both user_id and device_id",
		"user_id,device_id,passwrod\n":  "did you mean password? rename the column",
		"user_id,device_id\n12,1.0\n":   hintText,
		"user_id,device_id\n" + userA:   "",
		"user_id,device_id\na,b\xff\n":  hintUTF8,
		"sip_id,contact_urii,device_id": "did you mean contact_uri? rename the column\nthe columns are sip_id, contact_urii, device_id; siprotate needs both user_id and device_id",
	} {
		_, _, err := readText(t, text)
		var faults *batch.Faults
		if errors.As(err, &faults); faults == nil {
			t.Fatal(err)
		}
		if got := faults.Hint(); got != want {
			t.Errorf("%q: hint %q, want %q", text, got, want)
		}
	}
}

// TestFaultsStopTheSink shows that nothing is taken or drawn once a fault is
// known, while checking goes on.
func TestFaultsStopTheSink(t *testing.T) {
	drawn := 0
	l, s, err := readText(t, "user_id,device_id\n"+userA+",1\n"+userB+",..\n"+userC+",1\nx,?\n", func(o *Options) {
		o.Generate = func() (string, error) { drawn++; return "drawn", nil }
	})
	if got := told(t, err); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	if drawn != 1 || len(l.rows) != 1 || s.Rows != 4 {
		t.Errorf("drawn %d, added %d, rows %d", drawn, len(l.rows), s.Rows)
	}
}

func TestManyFaults(t *testing.T) {
	var text strings.Builder
	text.WriteString("user_id,device_id\n")
	fmt.Fprintf(&text, "%s,1\n%s,1\n", userA, userA) // found last, told first
	for range 200 {
		text.WriteString("x,..\n")
	}
	_, _, err := readText(t, text.String())
	lines := told(t, err)
	if len(lines) != batch.MaxFaults+1 || lines[0] != "users.csv:3: device_id: same device as line 2" ||
		!strings.HasPrefix(lines[1], "users.csv:4: ") || lines[batch.MaxFaults] != "and 151 more" {
		t.Errorf("got %d lines: %q", len(lines), lines)
	}
}

func TestSkipInvalid(t *testing.T) {
	drawn := 0
	text := "user_id,device_id,password,note\n" +
		userA + ",1,,n1\n" + // fine
		userB + ",..,good1,n2\n" +
		userB + ",2,bad,n3\n" +
		userB + ",..,,n4\n" +
		userC + ",3\n" + // ragged
		userC + ",3,,n6\n" + // twins
		strings.ToUpper(userC) + ",3,bad,n7\n"
	l, s, err := readText(t, text, skip, func(o *Options) {
		o.Generate = func() (string, error) { drawn++; return fmt.Sprint("drawn", drawn), nil }
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []flat{
		{1, 2, userA, "1", "", "", "drawn1", batch.Generated, []string{"n1"}},
		{2, 3, userB, "..", "", "", "good1", batch.Provided, []string{"n2"}},
		{3, 4, userB, "2", "", "", "bad", batch.Provided, []string{"n3"}},
		{4, 5, userB, "..", "", "", "", "", []string{"n4"}},
		{5, 6, "", "", "", "", "", "", []string{""}}, // a password might be anywhere
		{6, 7, userC, "3", "", "", "drawn2", batch.Generated, []string{"n6"}},
		{7, 8, strings.ToUpper(userC), "3", "", "", "bad", batch.Provided, []string{"n7"}},
	}
	if diff := cmp.Diff(want, l.rows); diff != "" {
		t.Error(diff)
	}
	refused := map[int]string{
		2: `device_id: ".." would change the path of the URL`,
		3: "password: is not good enough",
		4: `device_id: ".." would change the path of the URL`,
		5: "2 cells instead of 4",
		6: "device_id: same device as line 8",
		7: "password: is not good enough",
	}
	if diff := cmp.Diff(refused, l.refused); diff != "" {
		t.Error(diff)
	}
	if s.Rows != 7 || s.Refused != 6 || s.Provided != 3 || s.Generated != 2 {
		t.Errorf("counts: %+v", s)
	}
}

// TestRaggedRowsTellWhatIsSafe hands on what a ragged row says only where no
// password can be among it.
func TestRaggedRowsTellWhatIsSafe(t *testing.T) {
	for text, want := range map[string]flat{
		"user_id,device_id,n,m\nu1,2,a\n":               {1, 2, "u1", "2", "", "", "", "", []string{"a", ""}},
		"user_id,device_id,n,m\nu1,2,a,b,c\n":           {1, 2, "u1", "2", "", "", "", "", []string{"a", "b"}},
		"user_id,device_id,password,n\n1,Canary\n":      {1, 2, "", "", "", "", "", "", []string{""}},
		"user_id,device_id,password,n\n1,2,3,Canary,\n": {1, 2, "", "", "", "", "", "", []string{""}},
	} {
		l, s, err := readText(t, text, skip)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]flat{want}, l.rows); diff != "" || s.Refused != 1 || len(l.refused) != 1 {
			t.Errorf("%q: %+v %s", text, s, diff)
		}
	}
}

// TestSkipInvalidStillFails lists the faults that put more than a row in doubt.
func TestSkipInvalidStillFails(t *testing.T) {
	const head = "user_id,device_id,note\n"
	for _, text := range []string{
		"", head, "user_id,note\nx,y\n", "user_id,device_id,pasword\nx,1,\n",
		head + "x,1,\xff\n", head + "x,1,\x00\n",
		head + "x,1,\"a\nx,2,b\n", head + "x,1,a\"\n",
		head + "x,1,\"a\ny,2,b\",\n",
	} {
		l, _, err := readText(t, text, skip)
		if told(t, err); len(l.refused) > 0 {
			t.Errorf("%q: refused %v", text, l.refused)
		}
	}
}

func TestErrorsAreHandedOn(t *testing.T) {
	broken := errors.New("broken")
	good := "user_id,device_id\n" + userA + ",1\n"
	for name, c := range map[string]struct {
		r    io.Reader
		o    func(*Options)
		sink ledger
		want error
	}{
		"sink":             {r: strings.NewReader(good), sink: ledger{fail: broken}, want: broken},
		"sink at its end":  {r: strings.NewReader(good), sink: ledger{fail: io.EOF}, want: io.EOF},
		"generator":        {r: strings.NewReader(good), o: func(o *Options) { o.Generate = func() (string, error) { return "", broken } }, want: broken},
		"reader":           {r: iotest.ErrReader(broken), want: broken},
		"reader, midway":   {r: io.MultiReader(strings.NewReader(good+"x,"), iotest.ErrReader(broken)), want: broken},
		"reader, in quote": {r: io.MultiReader(strings.NewReader(good+"x,\""), iotest.ErrReader(broken)), want: broken},
		"reader, header":   {r: io.MultiReader(strings.NewReader("user_id"), iotest.ErrReader(broken)), want: broken},
	} {
		o := plain()
		if c.o != nil {
			c.o(&o)
		}
		_, err := Read(c.r, o, &c.sink)
		var faults *batch.Faults
		if !errors.Is(err, c.want) || errors.As(err, &faults) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Read(strings.NewReader(good), Options{}, new(ledger)); err == nil {
		t.Error("the zero options are taken")
	}
}

// TestLimits feeds texts far larger than may be held.
func TestLimits(t *testing.T) {
	const head = "user_id,device_id,note\n"
	endless := func(s string) io.Reader { return io.LimitReader(&repeating{text: s}, 1<<28) }
	for name, c := range map[string]struct {
		r    io.Reader
		want string
	}{
		"huge cell":        {io.MultiReader(strings.NewReader(head+"x,1,"), endless("a")), "users.csv:2: a cell is larger than 65536 bytes"},
		"huge quoted cell": {io.MultiReader(strings.NewReader(head+"x,1,\""), endless("a")), "users.csv:2: a cell is larger than 65536 bytes"},
		"huge header":      {endless("a"), "users.csv:1: a cell is larger than 65536 bytes"},
		"columns":          {endless("a,"), "users.csv:1: a row has more than 1000 cells"},
		"cells":            {io.MultiReader(strings.NewReader(head), endless("a,")), "users.csv:2: a row has more than 1000 cells"},
		"huge row":         {io.MultiReader(strings.NewReader(head), endless(strings.Repeat("a", 60000)+",")), "users.csv:2: a row is larger than 1048576 bytes"},
		"huge broken row":  {io.MultiReader(strings.NewReader(head+"a\""), endless("a")), "users.csv:2: a quote stands inside a cell that does not begin with one"},
	} {
		in := &counted{r: c.r}
		_, err := Read(in, plain(), new(ledger))
		if got := told(t, err); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: got %q", name, got)
		}
		if in.n > 4<<20 {
			t.Errorf("%s: read %d bytes before giving up", name, in.n)
		}
	}
}

// TestLongQuoteEndsSomewhere shows that a quote which opens a cell that seems
// to span the rest of a large file costs one line.
func TestLongQuoteEndsSomewhere(t *testing.T) {
	var text strings.Builder
	text.WriteString("user_id,device_id,note\nx,1,\"a\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "%s,%d,\n", userA, i)
	}
	text.WriteString("x,..,\n")
	_, s, err := readText(t, text.String())
	want := []string{
		"users.csv:2: a quoted cell that begins here is not closed within 65536 bytes",
		`users.csv:5003: device_id: ".." would change the path of the URL`,
	}
	if diff := cmp.Diff(want, told(t, err)); diff != "" {
		t.Error(diff)
	}
	if s.Rows != 5001 {
		t.Errorf("%d rows", s.Rows)
	}
}

// TestNoPasswordInFaults plants a password in every place that a fault quotes
// something near.
func TestNoPasswordInFaults(t *testing.T) {
	const canary = "Canary-7-Password"
	head := "user_id,device_id,password,note\n"
	for _, text := range []string{
		head + "..,/," + canary + ",\n",
		userA + ",1," + canary + "\n",          // no header
		head + userA + ",1,," + canary + ",\n", // out of step
		head + userA + ",1," + canary + "\x00,\n",
		head + userA + ",1," + canary + "\xff,\n",
		head + userA + ",1,\"" + canary + "\n,\n",
		head + userA + ",1,\"" + canary + "\"x,\n",
		head + userA + ",1," + canary + "\n",
		head + userA + ",1," + canary + ",\n" + userA + ",1," + canary + ",\n",
	} {
		o := func(o *Options) { o.Check = func(string) error { return errors.New("refused") } }
		_, _, err := readText(t, text, o)
		if got := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(got, canary) {
			t.Errorf("%q: %s", text, got)
		}
		l, _, err := readText(t, text, o, skip)
		if got := fmt.Sprintf("%v %v", err, l.refused); strings.Contains(got, canary) {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestSample(t *testing.T) {
	text, err := os.ReadFile("../../testdata/users.csv")
	if err != nil {
		t.Fatal(err)
	}
	l, s, err := readText(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 44 || s.Provided != 15 || !slices.Equal(s.Columns, []string{"name", "team"}) {
		t.Errorf("got %+v", s)
	}
	if !bytes.Contains(text, []byte(l.rows[0].Password)) {
		t.Error("the first sample password is not the file's")
	}
}

// A repeating reader gives its text over and over.
type repeating struct {
	text string
	at   int
}

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// A counted reader counts the bytes that were read.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

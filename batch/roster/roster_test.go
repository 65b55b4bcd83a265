package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
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
	Faults                         []string
}

// A reading is what one pass gave.
type reading struct {
	rows   []flat
	faulty int          // how many rows have faults
	faults batch.Faults // of the input and of its rows
	ofFile int          // how many are the input's
	err    error
}

// collect makes a pass.
func collect(r *Roster) reading {
	var got reading
	for row, err := range r.Rows() {
		var fault batch.Fault
		switch {
		case errors.As(err, &fault):
			got.faults.Add(fault)
			got.ofFile++
		case err != nil:
			got.err = err
		default:
			got.add(r.Name(), row)
		}
	}
	return got
}

func (got *reading) add(name string, row batch.Row) {
	f := flat{row.Number, row.Line, row.UserID, row.DeviceID, row.SIPID, row.Email,
		row.Password.Reveal(), row.PasswordSource, row.Extra, nil}
	for _, fault := range row.Faults {
		f.Faults = append(f.Faults, strings.TrimPrefix(fault.Error(), ": "))
		fault.File, fault.Line = name, row.Line
		got.faults.Add(fault)
	}
	if len(row.Faults) > 0 {
		got.faulty++
	}
	got.rows = append(got.rows, f)
}

// lines returns the faults, one a line.
func (got *reading) lines() []string {
	if got.faults.Total == 0 {
		return nil
	}
	return strings.Split(got.faults.Error(), "\n")
}

// plain are options with a policy of four characters at least, with a digit and
// without a control character, and ids that are no step in a path.
func plain() Options {
	return Options{
		CheckPassword: func(p string) error {
			if len(p) < 4 || !strings.ContainsAny(p, "0123456789") || !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' }) {
				return errors.New("is not good enough")
			}
			return nil
		},
		CheckID: func(id string) error {
			if id == "." || id == ".." {
				return errors.New("is a step in a path")
			}
			return nil
		},
	}
}

func openText(t *testing.T, text string, o Options) *Roster {
	t.Helper()
	r, err := Reader("users.csv", strings.NewReader(text), o)
	must(t, err)
	return r
}

func readText(t *testing.T, text string) reading {
	t.Helper()
	got := collect(openText(t, text, plain()))
	if got.err != nil {
		t.Fatal(got.err)
	}
	return got
}

func TestReadRows(t *testing.T) {
	text := "name,User-ID,Device ID,SIP_password,email,sip_id,team\n" +
		"Asha, " + userA + " ,490038, pass w0rd ,a@example.com,sip:asha1,\"North, \"\"B\"\"\"\n" +
		"\n" +
		"\"two\nlines\"," + userB + ",490039,,,,\n" +
		",,,,,,\n" +
		"x," + userC + ",,,,,last"
	r := openText(t, text, plain())
	want := []flat{
		{1, 2, userA, "490038", "sip:asha1", "a@example.com", " pass w0rd ", batch.Provided, []string{"Asha", `North, "B"`}, nil},
		{2, 4, userB, "490039", "", "", "", "", []string{"two\nlines", ""}, nil},
		{3, 7, userC, "", "", "", "", "", []string{"x", "last"}, nil},
	}
	for range 2 { // passes
		got := collect(r)
		if diff := cmp.Diff(want, got.rows); diff != "" || got.err != nil {
			t.Error(got.err, diff)
		}
		if diff := cmp.Diff([]string{"name", "team"}, r.Columns()); diff != "" {
			t.Error(diff)
		}
	}
}

// TestStop ends a pass wherever something is yielded: nothing more comes, and
// half a pass has no digest.
func TestStop(t *testing.T) {
	const text = "user_id,pasword\nx,\"a\ny,\xff\nz\nlast,\n"
	for stop := 1; ; stop++ {
		r := openText(t, text, plain())
		n := 0
		for range r.Rows() {
			if n++; n == stop {
				break
			}
		}
		if n < stop {
			if n != 5 {
				t.Errorf("%d rows and faults", n)
			}
			break
		}
		if r.digest != "" {
			t.Errorf("half a pass has the digest %s", r.digest)
		}
	}
}

func TestDigest(t *testing.T) {
	const want = "2299e3abf4236492bc57e528a0c127efc62cd32d4dc0654730514e8e404bad72" // by sha256sum
	for _, read := range []bool{false, true} {
		r := openText(t, "user_id,device_id\n"+userA+",1\n", plain())
		if read {
			collect(r)
		}
		if got, err := r.Digest(); err != nil || got != want {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

// TestFaults has one input for each kind of fault, and the lines that report it.
func TestFaults(t *testing.T) {
	const noDevice = "names no device: a row needs " + wayText
	const head = "user_id,device_id,password,note\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty file", "", "users.csv: the file is empty: a header and at least one row are needed"},
		{"blank lines only", "\n\r\n,,\n", "users.csv: the file is empty: a header and at least one row are needed"},
		{"header only", head, "users.csv: has no rows below its header"},
		{"header only, with a typo", "user_id,pasword\n", "users.csv:1: pasword: is no known column"},
		{"one column too many", "user_id" + strings.Repeat(",", MaxColumns) + "\n", "users.csv:1: a row has more than 1000 cells"},
		{"archive", "PK\x03\x04....", "users.csv: is a spreadsheet or an archive, not a CSV"},
		{"UTF-16 without mark", "u\x00s\x00e\x00", "users.csv: looks like UTF-16 without a byte order mark"},
		{"no cell in a file of one column", "email\na@example.com\n\nb@example.com\n\n\n", "users.csv:3: " + noDevice},
		{"empty lines in a file of one column", "email\r\n\r\n \n\"\"\r\"a\nb@example.com\n",
			"users.csv:2: " + noDevice + "\nusers.csv:3: " + noDevice + "\nusers.csv:4: " + noDevice + "\nusers.csv:5: a quoted cell that begins here is never closed"},
		{"no column for a device", "device_id,name\n1,x\n", "users.csv:1: no column names a device\nusers.csv:2: " + noDevice},
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
		{"no device", head + ", 1,,\n", "users.csv:2: " + noDevice},
		{"nothing but others", head + ",,,x\n", "users.csv:2: " + noDevice},
		{"weak password", head + userA + ",1,abc,\n", "users.csv:2: password: is not good enough"},
		{"control character in password", head + userA + ",1,\"abcd\r\nef\",\n", "users.csv:2: password: is not good enough"},
		{"damaged id", head + userA + ",4.9E+05,,\n", `users.csv:2: device_id: "4.9E+05" looks like a spreadsheet turned it into a number`},
		{"several in one row", head + "..,a/b,abc,\n", "users.csv:2: user_id: is a step in a path (2 characters)\n" +
			"users.csv:2: device_id: holds a special character that no id has (3 characters)\n" +
			"users.csv:2: password: is not good enough"},
		{"not UTF-8", head + userA + ",1,,Jos\xe9\n", "users.csv:2: note: is not valid UTF-8"},
		{"password not UTF-8", head + userA + ",1,Jos\xe9,\n", "users.csv:2: password: is not valid UTF-8"},
		{"NUL", head + userA + ",1\x00,,\n", "users.csv:2: device_id: holds a NUL byte"},
		{"NUL in a cell too many", head + userA + ",1,,,\x00\n", "users.csv:2: holds a NUL byte"},
		{"replacement character", head + userA + ",1,Sch\ufffdssel-01!,\n" + userB + ",1,,x\ufffd\n",
			"users.csv:2: password: holds the replacement character U+FFFD, which stands for one that was lost\n" +
				"users.csv:3: note: holds the replacement character U+FFFD, which stands for one that was lost"},
		{"half a UTF-16 character", utf16Text("user_id,device_id,note\n"+userA+",1,", false) + "\x00\xd8\n\x00",
			"users.csv:2: note: is not valid UTF-16, or holds the replacement character U+FFFD"},
		{"quote inside", head + userA + ",1,,a\"b\n" + ",,,x\n",
			"users.csv:2: a quote stands inside a cell that does not begin with one\n" +
				"users.csv:3: " + noDevice},
		{"text behind a quote", head + userA + ",1,,\"a\"b\n" + ",,,x\n",
			"users.csv:2: a quoted cell goes on behind its closing quote\n" +
				"users.csv:3: " + noDevice},
		{"never closed", head + userA + ",1,,\"a\n" + ",,,x\n" + userC + ",2,,\n",
			"users.csv:2: a quoted cell that begins here is never closed\n" +
				"users.csv:3: " + noDevice},
		{"closed by another row's quote", head + userA + ",1,,\"a\n" + ",,,x\n" + userC + ",..,,\"c\"\n",
			"users.csv:2: a quoted cell goes on behind its closing quote\n" +
				"users.csv:3: " + noDevice + "\n" +
				"users.csv:4: device_id: is a step in a path (2 characters)"},
		{"rows run together", head + userA + ",1,\"a\n" + ",,,x\n" + userC + ",..,b\",,\n",
			"users.csv:2: the row that begins in line 2 and ends in line 4 has 5 cells instead of 4: is a quote missing?\n" +
				"users.csv:3: " + noDevice + "\n" +
				"users.csv:4: a quote stands inside a cell that does not begin with one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := readText(t, c.text)
			if diff := cmp.Diff(strings.Split(c.want, "\n"), got.lines()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHints(t *testing.T) {
	for text, want := range map[string]string{
		"device_id,name\n1,x\n":          "the columns are device_id, name; siprotate needs " + wayText,
		"device_id,\n1,x\n":              "the columns are device_id, column 2; siprotate needs " + wayText,
		"user_id,device_id,passwrod\n":   "did you mean password? rename the column",
		"user_id,device_id\n12,1.0\n":    hintText,
		"user_id,device_id\n" + userA:    "",
		"user_id,device_id\n1," + userA:  hintSwapped,
		"user_id,device_id\n1,2":         hintText,
		"sip_id,email\na@b.example,asha": hintSwapped,
		"Name,E-Mail address\nAsha,a@b":  "a header is needed, with at least " + wayText + "; if column 2 holds email addresses, call it email",
		"Asha,asha@mail.example\n":       "a header is needed, with at least " + wayText,
		"user_id,device_id\na,b\xff\n":   hintUTF8,
		"contact_urii,device_id\nasha1,": "did you mean contact_uri? rename the column",
	} {
		got := readText(t, text)
		if hint := got.faults.Hint(); hint != want {
			t.Errorf("%q: hint %q, want %q", text, hint, want)
		}
	}
}

// TestFaultyRows yields a faulty row with what is known of it, among the others.
func TestFaultyRows(t *testing.T) {
	got := readText(t, "user_id,device_id,password,note\n"+
		userA+",1,,n1\n"+ // fine
		userB+",..,good1,n2\n"+
		userB+",2,bad,n3\n"+
		userB+",4.9E+05,,n4\n"+
		userC+",3\n"+ // ragged
		userC+",3,,n6\n")
	want := []flat{
		{1, 2, userA, "1", "", "", "", "", []string{"n1"}, nil},
		{2, 3, userB, "", "", "", "good1", batch.Provided, []string{"n2"}, []string{"device_id: is a step in a path (2 characters)"}}, // no id: a password, perhaps
		{3, 4, userB, "2", "", "", "bad", batch.Provided, []string{"n3"}, []string{"password: is not good enough"}},
		{4, 5, userB, "4.9E+05", "", "", "", "", []string{"n4"}, []string{`device_id: "4.9E+05" looks like a spreadsheet turned it into a number`}},
		{5, 6, "", "", "", "", "", "", []string{""}, []string{"2 cells instead of 4"}}, // a password might be anywhere
		{6, 7, userC, "3", "", "", "", "", []string{"n6"}, nil},
	}
	if diff := cmp.Diff(want, got.rows); diff != "" || got.ofFile > 0 {
		t.Error(got.ofFile, diff)
	}
}

// TestRaggedRows yields what a ragged row says only where no
// password can be among it.
func TestRaggedRows(t *testing.T) {
	for text, want := range map[string]flat{
		"user_id,device_id,n,m\nu1,2,a\n":               {1, 2, "u1", "2", "", "", "", "", []string{"a", ""}, nil},
		"user_id,device_id,n,m\nu1,2,a,b,c\n":           {1, 2, "u1", "2", "", "", "", "", []string{"a", "b"}, nil},
		"user_id,device_id,n,m\nu1,Canary!,a\n":         {1, 2, "u1", "", "", "", "", "", []string{"a", ""}, nil},
		"user_id,device_id,password,n\n1,Canary\n":      {1, 2, "", "", "", "", "", "", []string{""}, nil},
		"user_id,device_id,password,n\n1,2,3,Canary,\n": {1, 2, "", "", "", "", "", "", []string{""}, nil},
	} {
		got := readText(t, text)
		if got.faulty != 1 || len(got.rows) != 1 {
			t.Fatalf("%q: %+v", text, got)
		}
		got.rows[0].Faults = nil
		if diff := cmp.Diff(want, got.rows[0]); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// TestFaultsOfTheInput lists the faults that put more than a row in doubt: none
// of them may pass for one of a row.
func TestFaultsOfTheInput(t *testing.T) {
	const head = "user_id,device_id,note\n"
	for _, text := range []string{
		"", head, "device_id,note\nx,y\n", "user_id,device_id,pasword\nx,1,\n",
		head + "x,1,\xff\n", head + "x,1,\x00\n",
		head + "x,1,\"a\nx,2,b\n", head + "x,1,a\"\n",
		head + "x,1,\"a\ny,2,b\",\n",
	} {
		if got := readText(t, text); got.ofFile == 0 {
			t.Errorf("%q: %v", text, got.lines())
		}
	}
}

func TestErrorsAreHandedOn(t *testing.T) {
	broken := errors.New("broken")
	good := "user_id,device_id\n" + userA + ",1\n"
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"at once":    {iotest.ErrReader(broken), broken},
		"midway":     {io.MultiReader(strings.NewReader(good+"x,"), iotest.ErrReader(broken)), broken},
		"in quote":   {io.MultiReader(strings.NewReader(good+"x,\""), iotest.ErrReader(broken)), broken},
		"in header":  {io.MultiReader(strings.NewReader("user_id"), iotest.ErrReader(broken)), broken},
		"behind \\r": {io.MultiReader(strings.NewReader(good+"x,1\r"), &once{broken}), broken},
	} {
		r := newTestRoster(t, stream{Reader: c.r})
		got := collect(r)
		if !errors.Is(got.err, c.want) || got.faults.Total > 0 {
			t.Errorf("%s: got %v, %v", name, got.err, got.lines())
		}
		if r.digest != "" {
			t.Errorf("%s: half a pass has a digest", name)
		}
	}
	if _, err := Reader("users.csv", iotest.ErrReader(broken), plain()); !errors.Is(err, broken) {
		t.Errorf("spooled: %v", err)
	}
	if _, err := Reader("users.csv", strings.NewReader(good), Options{}); err == nil {
		t.Error("the zero options are taken")
	}
}

// A stream is an input that can be opened once, for tests that must not hold it.
type stream struct {
	io.Reader
	spooled
}

func (s stream) open() (io.ReadCloser, error) { return io.NopCloser(s), nil }

func newTestRoster(t *testing.T, in input) *Roster {
	t.Helper()
	r, err := newRoster("users.csv", in, plain())
	must(t, err)
	return r
}

// once fails once, and is at its end from then on.
type once struct{ err error }

func (o *once) Read([]byte) (int, error) {
	err := o.err
	o.err = io.EOF
	return 0, err
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
		got := collect(newTestRoster(t, stream{Reader: in}))
		if diff := cmp.Diff([]string{c.want}, got.lines()); diff != "" || got.err != nil {
			t.Errorf("%s: %v %s", name, got.err, diff)
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
	got := readText(t, text.String())
	want := []string{
		"users.csv:2: a quoted cell that begins here is not closed within 65536 bytes",
		"users.csv:5003: device_id: is a step in a path (2 characters)",
	}
	if diff := cmp.Diff(want, got.lines()); diff != "" {
		t.Error(diff)
	}
	if len(got.rows) != 5001 {
		t.Errorf("%d rows", len(got.rows))
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
		o := plain()
		o.CheckPassword = func(string) error { return errors.New("refused") }
		got := collect(openText(t, text, o))
		if said := fmt.Sprintf("%+v %#v", got.faults, got.faults); strings.Contains(said, canary) || got.faults.Total == 0 {
			t.Errorf("%q: %s", text, said)
		}
	}
}

// TestSwappedColumns puts a password into the place of an id, an email or a
// name of a column: nothing that is said holds it, and the row does not hand it
// on.
func TestSwappedColumns(t *testing.T) {
	for _, canary := range []string{
		"Canary-7!Password", "Canary 7 Password", "Canary-7-Pässwörd", "Canary-7\u200bPassword", "Canary-7\u0007Password",
		"=Canary-7-Password", `="Canary7"`, "'Canary-7-Password", "#CANARY7!", "#CANARY/7?", "$0f3c5d2e8b7a4961a2b3c4d5E6F7",
		"Canary@7", "@Canary7.x!", "Canary7@", "Canary#7@.x", "Canary7!@exa mple.com", "Passw0rd!", "../Canary7", "+4.9E+05!", "emai1!",
		strings.Repeat("1,234", 20) + "!", "Canary7" + strings.Repeat("!", 100), `C"anary7`,
	} {
		for column := range 4 {
			cells := []string{userA, "1", "asha1", "asha@example.com", "asha@example.com"}
			cells[4], cells[column] = cells[column], canary
			got := readText(t, spell([][]string{{"user_id", "device_id", "sip_id", "email", "password"}, cells}, ",", "\n"))
			withholds(t, canary, fmt.Sprintf("%+v %+v", got.faults, got.rows), got.faults.Total)
		}
		names := []string{"user_id", "device_id", canary, ""}
		got := readText(t, spell([][]string{names, {"", "1"}, {"", "1", "\xff", ""}}, ",", "\n"))
		withholds(t, canary, fmt.Sprintf("%+v", got.faults), got.faults.Total)
		got = readText(t, spell([][]string{names[1:], {"1", "\xff", ""}}, ",", "\n"))
		withholds(t, canary, fmt.Sprintf("%+v", got.faults), got.faults.Total)
		got = readText(t, "sep="+strings.ReplaceAll(canary, `"`, "")+"\n"+goodText)
		withholds(t, canary, fmt.Sprintf("%+v", got.faults), got.faults.Total)
	}
}

func TestShiftedPasswordsAreWithheld(t *testing.T) {
	o := plain()
	o.CheckPassword = vendorPolicy
	got := collect(openText(t, "user_id,device_id,password,team\n"+userA+",1,North,SamplePw1x\n"+userA+",2,SamplePw2x,South\n"+userA+",,SamplePw3x,East\n", o))
	var teams []string
	for _, row := range got.rows {
		teams = append(teams, row.Extra[0])
	}
	if want := []string{"", "South", "East"}; !slices.Equal(teams, want) || got.faulty != 1 {
		t.Errorf("%q, want %q; %d rows are faulty", teams, want, got.faulty)
	}
}

// TestSwappedPasswords swaps passwords that could be ids.
func TestSwappedPasswords(t *testing.T) {
	o := plain()
	o.CheckPassword = vendorPolicy
	for _, c := range []struct {
		text   string
		secret string
		ofFile int
	}{
		{"sip_id,password\nSamplePw1x,agent1x00031\n", "SamplePw1x", 1},
		{"sip_id,password\nSamplePw1x,agent1x00031\nSamplePw2x,agent1x00032\n", "SamplePw", 1},
		{"user_id,device_id,password\nSamplePw1x," + userA + ",490038\n", "SamplePw1x", 1},
		{"user_id,device_id,password\n" + userA + ",SamplePw1x,490038\n", "SamplePw1x", 1},
		{"user_id,password\nSamplePw1x," + userA + "\n", "SamplePw1x", 1},
		{"email,password\nMySample1!@ab.cde,a1@ex.com\n", "MySample1", 1},
		{"sip_id,password\nSamplePw1x,sip:agent1x00031\n", "SamplePw1x", 1},
		{"sip_id,password\nSamplePw1x,Agent1x@voip.example.com\n", "SamplePw1x", 1},
		{"sip_id,password\nsample-pw1x,agent1x00031\n", "sample-pw1x", 0},
		{"sip_id,password\nSamplePw1x,Agent1x-00031\n", "SamplePw1x", 0},
		{"sip_id,password\nsamplepwx,a1@ex.com\n", "samplepwx", 0},
		{"user_id,password\nauth0:u1,password1\n", "auth0:u1", 0},
		{"user_id,password\n1234567,a1@ex.com\n", "1234567", 0},
	} {
		got := collect(openText(t, c.text, o))
		withholds(t, c.secret, fmt.Sprintf("%+v %+v", got.faults, got.rows), got.faults.Total)
		if got.ofFile != c.ofFile || got.faulty != len(got.rows) {
			t.Errorf("%q: %d faults of the file, want %d; %d of %d rows are faulty", c.text, got.ofFile, c.ofFile, got.faulty, len(got.rows))
		}
	}
	// Another row shows it, and this one does not.
	got := collect(openText(t, "sip_id,password\nSamplePw1x,agent1x00031\nsampleword,Agent1x99\n", o))
	if got.ofFile != 1 {
		t.Errorf("%+v", got.faults)
	}
	for _, text := range []string{
		"sip_id,password\nagent1x00031,Sample-Pw1x\nagent1x00032,Ab1cdefg\nAgent1x-00031,SamplePw1x\nAshaR1a2b3c4d,Winter-2025\nagent-1x,Sample123456\n",
		"sip_id,password\nsip:Asha1@voip.example.com,SamplePw1x\nAgent-000317,Sample1234567\nAgent1x,x@Y.7z!k\n",
		"user_id,device_id,email,password\n" + userA + ",490038,Asha1@example.com,Sample@Pw1.x\n0f3c5d2e-8b7a-4961-a2b3-c4d5e6f70811,490039,,SamplePw1x\n",
	} {
		if got := collect(openText(t, text, o)); got.faults.Total > 0 {
			t.Errorf("%q: %s", text, strings.Join(got.lines(), "\n"))
		}
	}
	// A weak password is that, and no more.
	for _, text := range []string{"sip_id,password\nagent1x00031,weak\n", "email,password\nAsha1@example.com,12345678\n", "user_id,password\n" + userA + ",agent1x00031\n"} {
		got := collect(openText(t, text, o))
		if got.ofFile != 0 || got.faults.Total != 1 || got.rows[0].SIPID+got.rows[0].Email+got.rows[0].UserID == "" {
			t.Errorf("%q: %+v %+v", text, got.faults, got.rows)
		}
	}
}

// vendorPolicy wants eight characters of three kinds.
func vendorPolicy(p string) error {
	kinds := 0
	for _, kind := range []string{"[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"} {
		if regexp.MustCompile(kind).MatchString(p) {
			kinds++
		}
	}
	if len(p) < 8 || kinds < 3 {
		return errors.New("is too weak")
	}
	return nil
}

func withholds(t *testing.T, secret, said string, faults int) {
	t.Helper()
	quoted := strconv.Quote(secret)
	if strings.Contains(said, secret) || strings.Contains(said, quoted[1:len(quoted)-1]) || faults == 0 {
		t.Errorf("%q: %d faults: %s", secret, faults, said)
	}
}

// TestEscapes faults a password that jq and Miller would have written for
// another one: they escape what a tab-separated cell cannot hold.
func TestEscapes(t *testing.T) {
	const head = "user_id\tpassword\tnote\n"
	const want = `users.csv:2: password: holds \t, \n, \r or \\, which may stand for another character in a tab-separated file`
	for text, want := range map[string]string{
		head + userA + "\tone\\\\1\t\n":                           want,
		head + userA + "\tone\\t1\t\n":                            want,
		head + userA + "\tone\\n1\t\n":                            want,
		head + userA + "\tone\\r1\t\n":                            want,
		head + userA + "\t\"one\\n1\"\t\n":                        want, // jq quotes nothing, so that the quotes may be the password's
		head + userA + "\tone\\d1\tC:\\new\n":                     "",
		strings.ReplaceAll(head+userA+"\tone\\n1\t\n", "\t", ","): "",
	} {
		got := readText(t, text)
		if said := strings.Join(got.lines(), "\n"); said != want || got.ofFile > 0 {
			t.Errorf("%q: %s", text, said)
		}
		if want != "" && !strings.Contains(got.faults.Hint(), "@csv") {
			t.Errorf("hint %q", got.faults.Hint())
		}
	}
}

// TestCutShort warns of a file that ends within a cell by which a device is
// named or that holds its password, if nothing shows that the cell is whole.
func TestCutShort(t *testing.T) {
	for text, column := range map[string]string{
		"user_id,password\n" + userA + ",Sample-01":           "password",
		"user_id,password\r" + userA + ",Sample-01\r":         "",
		"user_id,password\n" + userA + ",Sample-01\n":         "",
		"user_id,password\n" + userA + ",\"Sample-01\"":       "",
		"user_id,password\n" + userA + ",":                    "",
		"user_id,password,note\n" + userA + ",Sample-01,cut":  "",
		"user_id,device_id\n" + userA + ",49003":              "device_id",
		"user_id,password\n" + userA + ",Sample-01\n,,":       "",
		"user_id,password,note\n" + userA + ",Sample-01":      "", // has a fault
		"user_id,password\n" + userA + ",Sample-01\n" + userB: "", // likewise
	} {
		r := openText(t, text, plain())
		for range 2 { // passes
			collect(r)
			var want []string
			if column != "" {
				want = []string{"users.csv:2: " + column + ": no line end follows: is the file cut short?"}
			}
			if diff := cmp.Diff(want, r.Warnings()); diff != "" {
				t.Errorf("%q: %s", text, diff)
			}
		}
	}
}

// TestTypeLine skips what PowerShell writes above the header, and nothing else.
func TestTypeLine(t *testing.T) {
	for text, ok := range map[string]bool{
		"#TYPE System.Management.Automation.PSCustomObject\r\n\"user_id\",\"note\"\r\n\"" + userA + "\",\"x\"\r\n": true,
		"#TYPE Selected.System.String\nsep=;\nuser_id;note\n" + userA + ";x,y\n":                                   true,
		"#TYPE,user_id\nx," + userA + "\n":               true, // a column
		"#TYPE a,user_id\nx," + userA + "\n":             true,
		"#TYPE A.B\n#TYPE A.B\nuser_id\n" + userA + "\n": false,
		"\n#TYPE A.B\nuser_id\n" + userA + "\n":          false,
		"#TYPE A.B\n":                                    false,
		"#TYPE \"A\nuser_id\n" + userA + "\n":            false,
	} {
		got := readText(t, text)
		if (got.faults.Total == 0) != ok || ok && (len(got.rows) != 1 || got.rows[0].UserID != userA || got.rows[0].Line != strings.Count(text, "\n")) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestRuleThatQuotes takes care that a rule for ids cannot give a password away.
func TestRuleThatQuotes(t *testing.T) {
	o := plain()
	o.CheckID = func(id string) error { return fmt.Errorf("%q is unknown", id) }
	got := collect(openText(t, "user_id\nCanary7\n", o))
	if diff := cmp.Diff([]string{"users.csv:2: user_id: is no id (7 characters)"}, got.lines()); diff != "" {
		t.Error(diff)
	}
}

func TestSample(t *testing.T) {
	text, err := os.ReadFile("../../testdata/users.csv")
	must(t, err)
	r := openText(t, string(text), plain())
	got := collect(r)
	provided := 0
	for _, row := range got.rows {
		if row.Source == batch.Provided {
			provided++
		}
	}
	if len(got.rows) != 44 || provided != 15 || got.faults.Total > 0 || !slices.Equal(r.Columns(), []string{"name", "team"}) {
		t.Errorf("%d rows, %d passwords, %v", len(got.rows), provided, got.lines())
	}
	if !bytes.Contains(text, []byte(got.rows[0].Password)) {
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

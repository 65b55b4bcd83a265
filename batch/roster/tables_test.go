package roster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"siprotate/batch"
)

func TestKnownNames(t *testing.T) {
	for column, names := range map[string][]string{
		colUser:     {"user_id", "USER ID", "userId", "User-Id", "uuid", "UUID", "user_uuid", "\ufeffuser_id", "user\u00a0id", " user_id "},
		colDevice:   {"device_id", "DeviceID", "device id"},
		colSIP:      {"sip_id", "SIP ID", "sip_username", "contact_uri", "Contact URI"},
		colEmail:    {"email", "e-mail", "E_Mail", "EMAIL"},
		colPassword: {"password", "Pass word", "sip_password", "SIP Password"},
	} {
		for _, name := range names {
			if got := known[fold(name)].column; got != column {
				t.Errorf("%q is the column %q, want %q", name, got, column)
			}
		}
	}
}

func TestDoubtfulNames(t *testing.T) {
	for name, meant := range map[string]string{
		"passwrod": "password", "pasword": "password", "passwd": "password", "Passwort": "password", "pass_wrd": "password",
		"sip_pasword": "sip_password", "devise_id": "device_id", "deviceids": "device_id", "divice id": "device_id",
		"usr_id": "user_id", "user_ids": "user_id", "user_uid": "user_id", "user_uuuid": "user_uuid", "emial": "email", "emall": "email",
		"sipp_id": "sip_id", "contact_url": "contact_uri", "sip_user_nmae": "sip_username", "password2": "password",
	} {
		p, column := doubtful(name)
		if want := fmt.Sprintf("did you mean %s? rename the column", meant); column == "" || p.Hint != want {
			t.Errorf("%q: %+v, want the hint %q", name, p, want)
		}
	}
	for _, name := range []string{"new_password", "Old Password", "web_pwd", "secret", "SIP secret", "sipsecret", "SipSecret", "Kennwort", "neues_kennwort", "sip_secrets", "Passphrase", "web credential"} {
		if p, column := doubtful(name); column != colPassword || !strings.Contains(p.Text, "passwords") {
			t.Errorf("%q: %+v", name, p)
		}
	}
}

func TestOrdinaryNames(t *testing.T) {
	for _, name := range []string{
		"", "user", "users", "name", "mail", "device", "devices", "device_ip", "device_no", "device name", "uid", "id", "guid", "status", "team",
		"role", "first_name", "last_name", "username", "available", "verified", "department", "phone", "extension", "sip", "sip_ip", "user_ip",
		"email 2", "email_verified", "contact", "contact_name", "account_sid", "word", "passport", "note", "secretary", "secret santa", "Straße", "पासवर्ड", strings.Repeat("x", 60000),
	} {
		if p, column := doubtful(name); column != "" {
			t.Errorf("%q: %+v", name, p)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"email", "email", 0}, {"mail", "email", 1}, {"emial", "email", 1},
		{"passwrod", "password", 1}, {"user", "userid", 2}, {"device", "deviceid", 2}, {"ca", "abc", 3}, {"étage", "etage", 1},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	const any = "" // no fault
	o := plain()
	userFault, deviceFault := o.userFault, o.deviceFault
	for _, c := range []struct {
		fault func(string) batch.Fault
		id    string
		want  string // part of the fault
	}{
		{userFault, userA, any},
		{userFault, strings.ToUpper(userA), any},
		{userFault, "0f3c5d2e-8b7a-4961-a2b3-c4d5e6f70811", any},
		{userFault, "12345678901234567890123456789e01", any},
		{userFault, "12345678901234567890123456789012", any},
		{userFault, "auth0:u.1_x~y+z", any},
		{userFault, "507f1f77bcf86cd799439011", any},
		{userFault, "1234567", turned},
		{userFault, "1.23457E+31", turned},
		{userFault, userA[1:], "has 31 hex digits instead of 32"},
		{userFault, "a b", "holds a space"},
		{userFault, "a\u00a0b", "holds a space"},
		{userFault, "a\x1bb", "holds a control character"},
		{userFault, "a\u200bb", "holds an invisible character"},
		{userFault, "a\u202eb", "holds an invisible character"},
		{userFault, ".", "path"}, {userFault, "..", "path"}, {userFault, "../x", "special"}, {userFault, `a\b`, "special"},
		{userFault, "a?b", "special"}, {userFault, "a#b", "special"}, {userFault, "%2e%2e", "special"},
		{userFault, "josé", "ASCII"}, {userFault, "a<b", "special"}, {userFault, "Tr0ub4dor&3", "special"},
		{deviceFault, "490038", any}, {deviceFault, "0490038", any}, {deviceFault, "dev-1", any},
		{deviceFault, "4.9E+05", turned}, {deviceFault, "4,9e+05", turned}, {deviceFault, "-4E-05", turned},
		{deviceFault, "490038.0", turned}, {deviceFault, "490038,00", turned}, {deviceFault, "4,90,038", turned},
		{deviceFault, "490 038", turned}, {deviceFault, "490\u202f038", turned}, {deviceFault, "490.038", turned}, {deviceFault, "490'038", turned},
		{deviceFault, "#N/A", "error"}, {deviceFault, "#REF!", "error"}, {deviceFault, "#NAME?", "error"}, {deviceFault, "######", "error"},
		{deviceFault, `="490038"`, "formula"}, {deviceFault, "'490038", "apostrophe"}, {deviceFault, "#x", "special"},
		{addressFault, "", any}, {addressFault, "sip:asha1@voip.example.com", any}, {addressFault, "+919999999999", any}, {addressFault, "sip:@voip.example.com:5061", any}, {addressFault, "asha@1", "special"},
		{addressFault, "asha!1@voip.example.com", "no SIP id"}, {userFault, "asha@voip.example.com", "special"},
		{addressFault, "4.9E+05", turned}, {addressFault, "a b", "space"}, {addressFault, "#VALUE!", "error"},
		{addressFault, "asha!1", "special"}, {addressFault, "آشا", "ASCII"},
		{emailFault, "asha", "no @"}, {emailFault, "asha@", "no @"}, {emailFault, "@example.com", "no @"}, {emailFault, "asha@example", "no @"},
		{emailFault, "asha@.com", "no @"}, {emailFault, "asha@example.", "no @"}, {emailFault, "a@b@example.com", "no @"},
		{emailFault, "आशा@उदाहरण.भारत", any},
		{emailFault, "", any}, {emailFault, "josé.o'b+x@example.com", any}, {emailFault, "a b@example.com", "space"}, {emailFault, "=A1", "formula"},
	} {
		got := c.fault(c.id).Text
		if c.want == any && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, want %q", c.id, got, c.want)
		}
	}
}

func TestFaultText(t *testing.T) {
	for _, c := range []struct {
		fault batch.Fault
		want  string
	}{
		{batch.Fault{File: "a.csv", Line: 17, Column: "device_id", Text: "bad"}, "a.csv:17: device_id: bad"},
		{batch.Fault{File: "a.csv", Line: 17, Text: "bad"}, "a.csv:17: bad"},
		{batch.Fault{File: "standard input", Text: "bad"}, "standard input: bad"},
	} {
		if got := c.fault.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestFirstFaults keeps the first faults by line, whatever the order in which
// they are found.
func TestFirstFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.IntRange(1, 100), 0, 200).Draw(t, "lines")
		var f batch.Faults
		for _, line := range lines {
			f.Add(batch.Fault{Line: line})
		}
		seen := make(map[int]int)
		for i, fault := range f.First {
			seen[fault.Line]++
			if i > 0 && fault.Line < f.First[i-1].Line {
				t.Fatal("out of order")
			}
		}
		last := 101
		if len(f.First) == batch.MaxFaults {
			last = f.First[batch.MaxFaults-1].Line
		}
		for _, line := range lines {
			if line < last {
				seen[line]--
			}
		}
		for line, n := range seen {
			if line < last && n != 0 {
				t.Fatalf("line %d is kept %+d times", line, n)
			}
		}
		if f.Total != len(lines) || len(f.First) != min(len(lines), batch.MaxFaults) {
			t.Fatalf("%d of %d", len(f.First), f.Total)
		}
	})
}

// TestQuotedDamage quotes what has the shape of damage to an id, and of
// anything else says what is wrong, and how long it is.
func TestQuotedDamage(t *testing.T) {
	o := plain()
	for id, want := range map[string]string{
		"4.9E+05":                        `"4.9E+05" looks like a spreadsheet turned it into a number`,
		"490\u202f038":                   `"490\u202f038" looks like a spreadsheet turned it into a number`,
		"=490038":                        `"=490038" is a spreadsheet's formula`,
		`="490038"`:                      `"=\"490038\"" is a spreadsheet's formula`,
		"=x1":                            "is a spreadsheet's formula (3 characters)",
		"'490038":                        `"'490038" begins with an apostrophe, a spreadsheet's mark for text`,
		"'x1":                            "begins with an apostrophe, a spreadsheet's mark for text (3 characters)",
		"#DIV/0!":                        `"#DIV/0!" is the error of a spreadsheet's formula`,
		"#####":                          `"#####" is the error of a spreadsheet's formula`,
		"#BEZUG!":                        "is the error of a spreadsheet's formula (7 characters)",
		userA[1:]:                        `"` + userA[1:] + `" has 31 hex digits instead of 32`,
		"F3" + userA[3:]:                 "has 31 hex digits instead of 32 (31 characters)", // in both cases: a password, perhaps
		"1234567":                        `"1234567" looks like a spreadsheet turned it into a number: user ids have 32 hex digits`,
		"é":                              "holds a character outside ASCII (1 character)",
		"1." + userA + "0":               "",
		"1" + strings.Repeat(",234", 14): "looks like a spreadsheet turned it into a number (57 characters)",
	} {
		if got := o.userFault(id).Text; got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
}

// TestLabels names a column as the header does, unless that may be a password.
func TestLabels(t *testing.T) {
	for name, want := range map[string]string{
		"team": "team", "Team (old)": "Team (old)", "पासवर्ड": "पासवर्ड", "user_id": "user_id", "\ufeffUUID": "uuid", "user\nid": "user_id",
		"": "column 1", " ": "column 1", "a\tb": "column 1", `a"b`: "column 1", "team!": "column 1", strings.Repeat("x", 41): "column 1",
		"floor 12": "column 1", // the policy takes it for a password
	} {
		h, _ := readColumns([]string{name}, plain().CheckPassword)
		if got := h.label(0); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestWidestTable(t *testing.T) {
	names, values := []string{"user_id", "device_id"}, []string{userA, "1"}
	for i := len(names); i < MaxColumns; i++ {
		names, values = append(names, fmt.Sprint("c", i)), append(values, fmt.Sprint("v", i))
	}
	r := openText(t, strings.Join(names, ";")+"\n"+strings.Join(values, ";"), plain())
	l := collect(r)
	if diff := cmp.Diff(values[2:], l.rows[0].Extra); diff != "" || len(r.Columns()) != MaxColumns-2 {
		t.Error(diff)
	}
}

func TestDelimiters(t *testing.T) {
	for text, columns := range map[string]string{
		"user_id;device_id;a,b,c,d\n":          "a,b,c,d",
		"user_id\tdevice_id\t\"x;y;z,,,\"\n":   "x;y;z,,,",
		"\"user_id\",\"device_id\",\"a;b\tc\"": "a;b\tc",
		"SEP=;\nuser_id;device_id;a,b\n":       "a,b",
		"\"sep=,\"\nuser_id,device_id,n\n":     "n",
		"\n\n,,,\nuser_id,device_id,\n":        "",
	} {
		r := openText(t, text, plain())
		collect(r)
		if got := r.Columns(); len(got) != 1 || got[0] != columns {
			t.Errorf("%q: columns %q", text, got)
		}
	}
}

package exoteltest

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"siprotate/exotel"
)

// accountOf returns the account's SIP devices, each with its user's email.
func accountOf(s *Server) (all [][4]string) {
	for p := range s.Passwords() {
		all = append(all, [4]string{p.UserID, p.DeviceID, p.SIPID, s.account.byID[p.UserID].Email})
	}
	return all
}

func TestMakeUpForRequests(t *testing.T) {
	const (
		// the first 32 hex digits of the SHA-256 of the names
		meera = "ecbef5f029111ec6965f708d22b8d52e" // "meera@example.com"
		asha1 = "708206b0a92ac5fd049577132f662cff" // "asha1"
	)
	put := func(user, device string) (method, path string) {
		return "PUT", users + "/" + user + "/devices/" + device + "/password"
	}
	s := New(Options{MakeUp: true})
	send := func(method, path string) {
		t.Helper()
		if got := ask(t, s, newRequest(t, method, path, passwordBody(compliant))); got.status != 200 {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
	}
	for range 2 { // what was made up once is found
		send(put("u1", "490039"))
		send(put("u1", "490041"))
		send("GET", users+"/u1")
		send("GET", users+"/u2")
		send("GET", users+"?email="+url.QueryEscape("Meera@example.com,meera@example.com,,"))
		send("GET", users+"?devices.contact_uri="+url.QueryEscape("sip:asha1@voip.example.com,asha1,"))
		send("GET", users)
	}
	want := [][4]string{
		{"u1", "490039", "sip490039", ""}, {"u1", "490041", "sip490041", ""}, {"u2", "900001", "sip900001", ""},
		{meera, "900002", "sip900002", "Meera@example.com"}, {asha1, "900003", "asha1", ""},
	}
	if diff := cmp.Diff(want, accountOf(s)); diff != "" {
		t.Error(diff)
	}
}

// TestMakeUpIsTheOptions holds that nobody is made up unasked, nor for a call
// that is refused before the account is looked at.
func TestMakeUpIsTheOptions(t *testing.T) {
	u := GeneratedUser(0)
	for _, made := range []bool{false, true} {
		s := New(Options{MakeUp: made})
		for _, path := range []string{users + "/" + u.ID, users + "?email=a@example.com", users + "?devices.contact_uri=a"} {
			r := newRequest(t, "GET", path, "")
			if made {
				r.SetBasicAuth("wrong", "wrong")
			}
			ask(t, s, r)
		}
		if !made {
			put(t, s, u, compliant)
		}
		if got := accountOf(s); got != nil {
			t.Errorf("MakeUp %v: made up %v", made, got)
		}
	}
}

func TestMakeUpOfRows(t *testing.T) {
	s := New(Options{})
	if err := s.AddDevice("u9", "1", "", "kiran@example.com"); err != nil {
		t.Fatal(err)
	}
	rows := [][4]string{ // as an input has them: user id, device id, SIP id, email
		{"", "", "sip:asha1", "asha@example.com"},
		{"", "", "", "Asha@Example.com"}, // the same device
		{"", "", "asha2", "asha@example.com"},
		{"", "", "", "kiran@example.com"}, // who is there
		{"u1", "", "", ""},
		{"u1", "7", "ravi1", ""},
		{"u1", "", "ravi1", ""},
	}
	for _, row := range rows {
		if err := s.MakeUp(row[0], row[1], row[2], row[3]); err != nil {
			t.Errorf("%q: %v", row, err)
		}
	}
	const asha = "ea4e36a829983d27e865b649cd10fcb6" // SHA-256 of "asha@example.com"
	want := [][4]string{
		{"u9", "1", "", "kiran@example.com"},
		{asha, "900001", "asha1", "asha@example.com"}, {asha, "900002", "asha2", "asha@example.com"},
		{"u1", "900003", "sip900003", ""}, {"u1", "7", "ravi1", ""},
	}
	if diff := cmp.Diff(want, accountOf(s)); diff != "" {
		t.Error(diff)
	}
	if s.MakeUp("", "", "", "") == nil || s.MakeUp("", "1", "", "") == nil {
		t.Error("a device of which nothing is known was made up")
	}
}

func TestMadeUpDevicesTakePasswords(t *testing.T) {
	s := New(Options{Users: 1, MakeUp: true})
	put(t, s, exotel.User{ID: "u1", Devices: []exotel.Device{{}, {ID: "490039"}}}, compliant)
	if password, known := s.Password("u1", "490039"); !known || password != compliant {
		t.Errorf("it has %q, known: %v", password, known)
	}
	tel := GeneratedUser(0)
	tel.Devices[1] = tel.Devices[0]
	if got := put(t, s, tel, compliant); got.status != 403 {
		t.Errorf("a telephone took a password: %d", got.status)
	}
}

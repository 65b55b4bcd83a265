package exoteltest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// accountOf returns the account's SIP devices, each with its user's email.
func accountOf(s *Server) (all [][4]string) {
	for p := range s.Passwords() {
		all = append(all, [4]string{p.UserID, p.DeviceID, p.SIPID, s.account.byID[p.UserID].Email})
	}
	return all
}

func TestMakeUpOfRows(t *testing.T) {
	s := New(Options{})
	rows := [][4]string{ // as an input has them: user id, device id, SIP id, email
		{"", "", "sip:asha1", "asha@example.com"},
		{"", "", "", "Asha@Example.com"}, // the same device
		{"", "", "asha2", "asha@example.com"},
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

package exoteltest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"siprotate/exotel"
)

func TestAddAndRemove(t *testing.T) {
	s := New(Options{})
	add := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add(s.AddDevice("u1", "1", "asha", "asha@example.com"))
	add(s.AddDevice("u2", "1", "sip:ravi", ""))
	add(s.AddDevice("u1", "2", "", "ignored@example.com"))
	add(s.account.addUser(exotel.User{ID: "u3", Devices: []exotel.Device{{ID: "9", Type: "tel"}, {ID: "8", Type: "sip", ContactURI: "sip:x"}}}))

	var got []DevicePassword
	for h := range s.Passwords() {
		got = append(got, h)
	}
	want := []DevicePassword{{"u1", "1", "asha", ""}, {"u1", "2", "", ""}, {"u2", "1", "ravi", ""}, {"u3", "8", "x", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	if !s.RemoveUser("u1") || s.RemoveUser("u1") || s.RemoveUser("nobody") {
		t.Error("a user can be removed once, and only if there")
	}
	if _, known := s.Password("u1", "1"); known {
		t.Error("a removed user's device is still known")
	}
	for h := range s.Passwords() {
		if h.UserID == "u1" {
			t.Errorf("a removed user still holds %+v", h)
		}
	}
	if _, known := s.Password("u3", "9"); known {
		t.Error("a telephone is known as a device with a password")
	}
	add(s.AddDevice("u1", "1", "asha", ""))
	if _, known := s.Password("u1", "1"); !known {
		t.Error("a user cannot come back")
	}
}

func TestAddRefuses(t *testing.T) {
	s := New(Options{})
	if err := s.AddDevice("u", "1", "", ""); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		err  error
	}{
		{"device twice", s.AddDevice("u", "1", "", "")},
		{"device without id", s.AddDevice("u", "", "", "")},
		{"user without id", s.AddDevice("", "1", "", "")},
		{"new user's device without id", s.AddDevice("v", "", "", "")},
		{"user twice", s.account.addUser(exotel.User{ID: "u"})},
		{"no type", s.account.addUser(exotel.User{ID: "v", Devices: []exotel.Device{{ID: "1"}}})},
		{"a device twice in a user", s.account.addUser(exotel.User{ID: "v", Devices: []exotel.Device{{ID: "1", Type: "sip"}, {ID: "1", Type: "tel"}}})},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	if a := s.account; len(a.users) != 1 || len(a.byID) != 1 || len(a.byName) != 0 || len(a.users[0].Devices) != 1 {
		t.Errorf("refused users left traces: %+v", a)
	}
}

func TestGeneratedUsersLookReal(t *testing.T) {
	shapes := []struct {
		name  string
		shape *regexp.Regexp
		field func(exotel.User) string
	}{
		{"id", regexp.MustCompile(`^[0-9a-f]{32}$`), func(u exotel.User) string { return u.ID }},
		{"email", regexp.MustCompile(`^([a-z]+\.[a-z]+\+?[0-9]+@example\.com)?$`), func(u exotel.User) string { return u.Email }},
		{"first name", regexp.MustCompile(`^\p{Lu}\p{L}+$`), func(u exotel.User) string { return u.FirstName }},
		{"last name", regexp.MustCompile(`^\p{Lu}[\p{L}']+$`), func(u exotel.User) string { return u.LastName }},
		{"role", regexp.MustCompile(`^(user|supervisor|admin)$`), func(u exotel.User) string { return u.Role }},
		{"tel id", regexp.MustCompile(`^[0-9]{6,7}$`), func(u exotel.User) string { return u.Devices[0].ID }},
		{"tel", regexp.MustCompile(`^\+910[0-9]{9}$`), func(u exotel.User) string { return u.Devices[0].ContactURI }},
		{"sip id", regexp.MustCompile(`^[0-9]{6,7}$`), func(u exotel.User) string { return u.Devices[1].ID }},
		{"sip", regexp.MustCompile(`^sip:[a-z]+[0-9a-f]{8}$`), func(u exotel.User) string { return u.Devices[1].ContactURI }},
	}
	for i := range 2000 {
		u := GeneratedUser(i)
		for _, s := range shapes {
			if got := s.field(u); !s.shape.MatchString(got) {
				t.Fatalf("user %d: %s %q", i, s.name, got)
			}
		}
		if u.Devices[0].Type != "tel" || u.Devices[1].Type != "sip" {
			t.Fatalf("user %d: devices %+v", i, u.Devices)
		}
	}
}

func TestGeneratedUsersAreDistinctAndVaried(t *testing.T) {
	seen := make(map[string]bool)
	var withoutEmail, withPlus, offline int
	roles := make(map[string]bool)
	const users = 10_000
	for i := range users {
		u := GeneratedUser(i)
		roles[u.Role] = true
		texts := []string{u.ID, u.Devices[0].ID, u.Devices[1].ID, u.Devices[0].ContactURI, u.Devices[1].ContactURI}
		if u.Email == "" {
			withoutEmail++
		} else {
			texts = append(texts, u.Email)
		}
		for _, text := range texts {
			if seen[text] {
				t.Fatalf("user %d: %q stands twice", i, text)
			}
			seen[text] = true
		}
		if strings.Contains(u.Email, "+") {
			withPlus++
		}
		if !u.Devices[1].Available {
			offline++
		}
	}
	if len(roles) != 3 || withoutEmail == 0 || withPlus == 0 || offline == 0 {
		t.Errorf("roles %v, %d without email, %d with a plus, %d offline", roles, withoutEmail, withPlus, offline)
	}
}

func TestGeneratedUsersStayTheSame(t *testing.T) {
	if diff := cmp.Diff(GeneratedUser(7), GeneratedUser(7)); diff != "" {
		t.Error(diff)
	}
	// Sample files and golden outputs name these users.
	if got, want := GeneratedUser(0).ID, "e220a8397b1dcdaf"; !strings.HasPrefix(got, want) {
		t.Errorf("the first user's id is %s, which began with %s so far", got, want)
	}
}

package exoteltest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratedUsersLookReal(t *testing.T) {
	shapes := []struct {
		name  string
		shape *regexp.Regexp
		field func(User) string
	}{
		{"id", regexp.MustCompile(`^[0-9a-f]{32}$`), func(u User) string { return u.ID }},
		{"email", regexp.MustCompile(`^([a-z]+\.[a-z]+\+?[0-9]+@example\.com)?$`), func(u User) string { return u.Email }},
		{"role", regexp.MustCompile(`^(user|supervisor|admin)$`), func(u User) string { return u.Role }},
		{"tel id", regexp.MustCompile(`^[0-9]{6,7}$`), func(u User) string { return u.Devices[0].ID }},
		{"tel", regexp.MustCompile(`^\+910[0-9]{9}$`), func(u User) string { return u.Devices[0].ContactURI }},
		{"sip id", regexp.MustCompile(`^[0-9]{6,7}$`), func(u User) string { return u.Devices[1].ID }},
		{"sip", regexp.MustCompile(`^sip:[a-z]+[0-9a-f]{8}$`), func(u User) string { return u.Devices[1].ContactURI }},
	}
	for i := range 2000 {
		u := GeneratedUser(i)
		for _, s := range shapes {
			if got := s.field(u); !s.shape.MatchString(got) {
				t.Fatalf("user %d: %s %q", i, s.name, got)
			}
		}
		if u.Devices[0].Type != Tel || u.Devices[1].Type != SIP {
			t.Fatalf("user %d: devices %+v", i, u.Devices)
		}
	}
}

func TestGeneratedUsersAreDistinctAndVaried(t *testing.T) {
	seen := make(map[string]bool)
	var withoutEmail, withPlus, offline int
	const users = 10_000
	for i := range users {
		u := GeneratedUser(i)
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
	if withoutEmail == 0 || withPlus == 0 || offline == 0 {
		t.Errorf("%d without email, %d with a plus, %d offline", withoutEmail, withPlus, offline)
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

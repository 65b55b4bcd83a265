package exoteltest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	add(s.AddUser(User{ID: "u3", Devices: []Device{{ID: "9", Type: Tel}, {ID: "8", Type: SIP, ContactURI: "sip:x"}}}))

	var got []Held
	for h := range s.Passwords() {
		got = append(got, h)
	}
	want := []Held{{"u1", "1", "asha", ""}, {"u1", "2", "", ""}, {"u2", "1", "ravi", ""}, {"u3", "8", "x", ""}}
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
	long := strings.Repeat("x", 1<<16)
	tests := []struct {
		name string
		err  error
	}{
		{"device twice", s.AddDevice("u", "1", "", "")},
		{"device without id", s.AddDevice("u", "", "", "")},
		{"long device id", s.AddDevice("u", long, "", "")},
		{"user without id", s.AddDevice("", "1", "", "")},
		{"new user's device without id", s.AddDevice("v", "", "", "")},
		{"user twice", s.AddUser(User{ID: "u"})},
		{"long texts", s.AddUser(User{ID: "v", Email: long})},
		{"no type", s.AddUser(User{ID: "v", Devices: []Device{{ID: "1"}}})},
		{"a device twice in a user", s.AddUser(User{ID: "v", Devices: []Device{{ID: "1", Type: SIP}, {ID: "1", Type: Tel}}})},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	if s.store.size() != 1 || len(s.store.devices) != 1 {
		t.Errorf("refused users left traces: %d users, %d devices", s.store.size(), len(s.store.devices))
	}
}

func TestPasswordsStopsEarly(t *testing.T) {
	s := New(Options{Users: 600})
	n := 0
	for range s.Passwords() {
		if n++; n == 300 {
			break
		}
	}
	all := 0
	for range s.Passwords() {
		all++
	}
	if n != 300 || all != 600 {
		t.Errorf("saw %d and %d devices", n, all)
	}
}

// TestDevicesAreSmall holds the promise that AddDevice makes, with some room for
// how slices and maps grow.
func TestDevicesAreSmall(t *testing.T) {
	const devices, promised = 20_000, 240
	before := heap()
	s := New(Options{})
	for i := range devices {
		u := GeneratedUser(i)
		if err := s.AddDevice(u.ID, u.Devices[1].ID, u.Devices[1].ContactURI, u.Email); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / devices
	runtime.KeepAlive(s)
	t.Logf("%d bytes a device", each)
	if each > promised {
		t.Errorf("%d bytes a device, more than %d", each, promised)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestArenaKeepsEveryString(t *testing.T) {
	var a arena
	var got []string
	for i := range 20_000 {
		got = append(got, a.join("text ", fmt.Sprint(i), ""))
	}
	got = append(got, a.join(strings.Repeat("x", 2*arenaBlock)))
	for i, text := range got[:20_000] {
		if want := fmt.Sprint("text ", i); text != want {
			t.Fatalf("%q became %q", want, text)
		}
	}
	if len(got[20_000]) != 2*arenaBlock {
		t.Error("a text larger than a block was cut")
	}
}

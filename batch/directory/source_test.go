package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"siprotate/batch"
	"siprotate/exotel"
)

var secrets = cmpopts.EquateComparable(batch.Secret{})

func rowsOf(t *testing.T, s *Source) (rows []batch.Row) {
	t.Helper()
	for row, err := range s.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestASourceHasARowForEachSIPDevice(t *testing.T) {
	users := []exotel.User{
		{ID: "a1", FirstName: "Asha", LastName: "Ra\x1bo", Email: "asha@example.com", Role: "user", Devices: []exotel.Device{
			{ID: "7", Type: "tel", ContactURI: "+919999999999"},
			{ID: "1", Type: "sip", ContactURI: "sip:asha1@voip.exotel.com", Available: true},
			{ID: "2\x1b", Type: "SIP", Verified: true},
		}},
		{ID: "b2"},
		{ID: "\nc3", Devices: []exotel.Device{sipDevice("3", "c")}},
	}
	s := Devices("all devices", "by role", users)
	want := []batch.Row{
		{Number: 1, Line: 2, UserID: "a1", DeviceID: "1", SIPID: "asha1", Email: "asha@example.com", Extra: []string{"Asha", "Ra\x1bo", "user", "true", "false"}},
		{Number: 2, Line: 3, UserID: "a1", DeviceID: "2\x1b", Email: "asha@example.com", Extra: []string{"Asha", "Ra\x1bo", "user", "false", "true"},
			Faults: []batch.Fault{{Column: "device_id", Text: "holds a control character"}}},
		{Number: 3, Line: 4, UserID: "\nc3", DeviceID: "3", SIPID: "c", Extra: []string{"", "", "", "false", "false"},
			Faults: []batch.Fault{{Column: "user_id", Text: "holds a control character"}}},
	}
	for range 2 {
		if diff := cmp.Diff(want, rowsOf(t, s), secrets); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if s.Name() != "all devices" || !slices.Equal(s.Columns(), []string{"first_name", "last_name", "role", "available", "verified"}) {
		t.Errorf("%s: %v", s.Name(), s.Columns())
	}
	if digest, err := s.Digest(); digest != "by role" || err != nil {
		t.Errorf("the digest is %s: %v", digest, err)
	}
	for range s.Rows() {
		break
	}
}

func TestExcludedDevicesAreLeftOut(t *testing.T) {
	users := people(5)
	users[0].Email, users[1].Email = "Shared@example.com", "sharED@example.com"
	users[2].Devices = append(users[2].Devices, sipDevice("2000", "other"))
	users[3].Devices = append(users[3].Devices, sipDevice("3000", "another"))
	for _, c := range []struct {
		row  batch.Row
		rest []string
	}{
		{batch.Row{Email: "shared@example.com"}, []string{"1002", "2000", "1003", "3000", "1004"}},
		{batch.Row{SIPID: "sip:sip2@voip.exotel.com"}, []string{"1000", "1001", "2000", "1003", "3000", "1004"}},
		{batch.Row{UserID: users[3].ID}, []string{"1000", "1001", "1002", "2000", "1004"}},
		{batch.Row{UserID: strings.ToUpper(users[4].ID), DeviceID: "1004", SIPID: "old", Email: "old@example.com"}, []string{"1000", "1001", "1002", "2000", "1003", "3000"}},
	} {
		rest, n, err := Exclude(users, "leave.csv", []batch.Row{c.row})
		var left []string
		for _, row := range rowsOf(t, Devices("rest", "", rest)) {
			left = append(left, row.DeviceID)
		}
		if err != nil || !slices.Equal(left, c.rest) || n != 7-len(c.rest) {
			t.Errorf("%+v: %v, %d excluded: %v", c.row, left, n, err)
		}
	}
	if rest, n, err := Exclude(users, "empty.csv", nil); err != nil || n != 0 || len(rest) != 5 {
		t.Errorf("%d users, %d excluded: %v", len(rest), n, err)
	}
}

func TestAnExclusionThatNamesNobodyIsAnError(t *testing.T) {
	rest, _, err := Exclude(people(2), "leave.csv", []batch.Row{
		{Line: 2, Email: "user0@example.com"},
		{Line: 3, Email: "nobody@example.com"},
		{Line: 4, UserID: people(1)[0].ID, DeviceID: "7"},
		{Line: 5, SIPID: "sip:@x"},
		{Line: 6, UserID: people(1)[0].ID, Faults: []batch.Fault{{Column: "user_id", Text: "is damaged"}}},
		{Line: 7},
	})
	want := `leave.csv:3: email: "nobody@example.com" is unknown: no user of the account has it
leave.csv:4: device_id: "7" contradicts user_id "00000000000000000000000000000001", whose SIP devices are: 1000 (sip0)
leave.csv:5: sip_id: "sip:@x" holds no SIP id
leave.csv:6: user_id: is damaged
leave.csv:7: names no user: a SIP id, an email or a user id is needed`
	if faults, ok := errors.AsType[*batch.Faults](err); !ok || faults.Error() != want || rest != nil {
		t.Errorf("%v", err)
	}
}

// TestExcludingIsComparing compares with looking at each device.
func TestExcludingIsComparing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var users []exotel.User
		for i := range 6 {
			u := exotel.User{ID: fmt.Sprint("u", i), Email: respelled(t, small(t, "mail", "email"))}
			for j := range rapid.IntRange(0, 3).Draw(t, "devices") {
				u.Devices = append(u.Devices, sipDevice(fmt.Sprint(j), small(t, "sip", "sip")))
			}
			users = append(users, u)
		}
		ref := Reference{SIPID: small(t, "sip", "sip"), Email: respelled(t, small(t, "mail", "email"))}
		out := compare(users, ref)
		rest, n, err := Exclude(users, "x", []batch.Row{{SIPID: ref.SIPID, Email: ref.Email}})
		if err != nil {
			if ref != (Reference{}) && len(out) > 0 {
				t.Fatal(err)
			}
			return
		}
		left := compare(rest, Reference{})
		if n != len(out) || len(left)+n != len(compare(users, Reference{})) {
			t.Fatalf("%d excluded, want %v", n, out)
		}
		for _, device := range left {
			if slices.Contains(out, device) {
				t.Fatalf("%s is not excluded", device)
			}
		}
	})
}

func TestWithout(t *testing.T) {
	users := people(3)
	rest, n := Without(users, func(userID, deviceID string) bool { return userID == users[1].ID })
	if rows := rowsOf(t, Devices("x", "", rest)); n != 1 || len(rows) != 2 || len(rest[1].Devices) != 1 {
		t.Errorf("%d dropped, left %+v", n, rows)
	}
	if diff := cmp.Diff(people(3), users); diff != "" {
		t.Errorf("the users given have changed:\n%s", diff)
	}
}

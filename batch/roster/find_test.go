package roster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
)

// book finds devices by SIP id, and says what it was asked for.
type book struct {
	ids   map[string][2]string
	asked []int
}

func (b *book) find(row *batch.Row) *batch.Fault {
	b.asked = append(b.asked, row.Line)
	ids, known := b.ids[row.SIPID]
	if !known {
		return &batch.Fault{Column: "sip_id", Text: "is unknown", Hint: "look again"}
	}
	row.UserID, row.DeviceID = ids[0], ids[1]
	return nil
}

func (b *book) use(o *Options) { o.Find = b.find }

func TestRowsAreCompleted(t *testing.T) {
	b := &book{ids: map[string][2]string{"asha1": {userA, "1"}, "ravi1": {userB, "2"}}}
	l, sum, err := readText(t, "user_id,device_id,sip_id\n,,asha1\n"+userC+",3,x\n"+userB+",,ravi1\n", b.use)
	if err != nil || sum.Rows != 3 || sum.Generated != 3 {
		t.Fatalf("%+v: %v", sum, err)
	}
	var got []string
	for _, r := range l.rows {
		got = append(got, r.UserID+"/"+r.DeviceID)
	}
	if diff := cmp.Diff([]string{userA + "/1", userC + "/3", userB + "/2"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 4}, b.asked); diff != "" { // not for the row with both ids
		t.Error(diff)
	}
}

func TestFaultsOfCompletion(t *testing.T) {
	b := &book{ids: map[string][2]string{"asha1": {userA, "1"}, "asha1b": {strings.ToUpper(userA), "1"}}}
	const text = "user_id,device_id,sip_id,email\n,,asha1,\n,,nobody,\n,,asha1b,\n,7,,\n,,asha rao,\n"
	_, _, err := readText(t, text, b.use)
	want := []string{
		"users.csv:3: sip_id: is unknown",
		"users.csv:4: device_id: same device as line 2",
		"users.csv:5: names no device: a row needs user_id and device_id, or sip_id, email or user_id to find the device by",
		`users.csv:6: sip_id: "asha rao" holds a space`,
	}
	if diff := cmp.Diff(want, told(t, err)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 3, 4}, b.asked); diff != "" { // not for rows with a fault of their own
		t.Error(diff)
	}

	l, sum, err := readText(t, text, b.use, skip)
	if err != nil || sum.Refused != 5 || l.refused[2] != "sip_id: is unknown" || l.refused[3] == "" {
		t.Errorf("%+v, %v: %v", sum, l.refused, err)
	}
}

func TestAFirstReadingLeavesRowsIncomplete(t *testing.T) {
	l, sum, err := readText(t, "email\nasha@example.com\nasha@example.com\n",
		func(o *Options) { o.Find = func(*batch.Row) *batch.Fault { return nil } })
	if err != nil || sum.Rows != 2 || l.rows[0].DeviceID != "" || l.rows[0].Email != "asha@example.com" {
		t.Errorf("%+v: %v", sum, err)
	}
}

func TestAHeaderThatNamesNoDevice(t *testing.T) {
	b := new(book)
	_, _, err := readText(t, "device_id,name\n1,x\n", b.use)
	if lines := told(t, err); lines[0] != "users.csv:1: no column names a device" {
		t.Error(lines)
	}
}

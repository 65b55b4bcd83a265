package directory_test

import (
	"context"
	"fmt"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/exotel"
)

// An account of two users, whose API ignores filters.
type account struct{}

func (account) Users(context.Context, exotel.Query) (*exotel.Page, error) {
	return &exotel.Page{Count: 2, Total: 2, HasTotal: true, Users: []exotel.User{
		{ID: "a1", FirstName: "Asha", Email: "asha@example.com", Devices: []exotel.Device{{ID: "490039", Type: "sip", ContactURI: "sip:asha1"}}},
		{ID: "b2", FirstName: "Ravi", Email: "ravi@example.com", Devices: []exotel.Device{{ID: "490041", Type: "sip", ContactURI: "sip:ravi1"}}},
	}}, nil
}

func (a account) User(ctx context.Context, id string) (*exotel.Page, error) {
	return a.Users(ctx, exotel.Query{})
}

// Rows that lack ids are collected first, and completed once all is found.
func ExampleResolve() {
	rows := []batch.Row{{Line: 2, Email: "Asha@example.com"}, {Line: 3, SIPID: "sip:nobody"}}
	var wanted directory.Wanted
	for i := range rows {
		if fault := wanted.AddRow(&rows[i]); fault != nil {
			fmt.Println(fault.Text)
		}
	}
	found, err := directory.Resolve(context.Background(), account{}, &wanted)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.Way, "since", found.Because)
	for i := range rows {
		if fault := found.Complete(&rows[i]); fault != nil {
			fmt.Println(fault.Column, fault.Text)
			continue
		}
		fmt.Println(rows[i].UserID, rows[i].DeviceID, rows[i].SIPID)
	}
	// Output:
	// by listing the account since the API ignored the filter
	// a1 490039 asha1
	// sip_id "nobody" is unknown: no SIP device of the account has it
}

// All devices of the account but one are the rows of a rotation.
func ExampleDevices() {
	listing, err := directory.List(context.Background(), account{})
	if err != nil {
		fmt.Println(err)
		return
	}
	users, excluded, err := directory.Exclude(listing.Users, "leave.csv", []batch.Row{{Line: 2, Email: "asha@example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("excluded:", excluded)
	for row := range directory.Devices("all devices", "all", users).Rows() {
		fmt.Println(row.Number, row.UserID, row.DeviceID, row.SIPID, row.Extra)
	}
	// Output:
	// excluded: 1
	// 1 b2 490041 ravi1 [Ravi   false false]
}

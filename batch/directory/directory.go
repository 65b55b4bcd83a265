// Package directory finds the devices that people name by a SIP id, an email or a
// user id, and lists all of an account's devices, with as few requests as it
// can.
//
// It takes the far side for unreliable: totals that lie, users that come and go
// between two pages, filters that are ignored. It sends nothing itself: that,
// with its pace and its tries, is for the [Directory] it is given. It knows no
// vendor and no file format.
package directory

import "context"

// PageSize is the number of users that a page is taken to hold at most.
const PageSize = 50

// A Directory hands out the account's users in pages.
type Directory interface {
	Page(ctx context.Context, q Query) (Page, error)
}

// A Query asks for a page: of all users, or of those that have one of the SIP
// ids, or of those that have one of the emails. None of these holds a comma.
type Query struct {
	Offset int // entries to skip
	SIPIDs []string
	Emails []string
}

// A Page is what a far side answered to a Query. What it says of itself need
// not be true.
type Page struct {
	Users    []User
	Entries  int // entries of the page: its users, and those that could not be told
	Limit    int // the page size in force; 0 if not said
	Total    int // entries on all pages; meaningful if HasTotal
	HasTotal bool
}

// A User is a user of the account, with the SIP devices alone.
type User struct {
	ID, FirstName, LastName, Email, Role string // all but the id may be empty
	Devices                              []Device
}

// A Device is a SIP device of a user.
type Device struct {
	ID        string // unique within the user
	SIPID     string // bare, as references have it; may be empty
	Available bool
	Verified  bool
}

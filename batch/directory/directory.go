// Package directory lists an account's users, finds the devices that people
// name by a SIP id, an email or a user id with as few requests as it can, and is
// a source of rows: all devices of the account, or those that are selected.
//
// It takes the API for unreliable: totals that are wrong, users that come and go
// between two pages, filters that are ignored or compare letters' case. It sends
// nothing itself: that, with its pace and its retries, is for the [Lister] it is
// given.
//
// Only SIP devices count. A user's other devices are kept and never looked at.
package directory

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"siprotate/batch"
	"siprotate/exotel"
)

// A Lister asks the API for users, with their devices. The pages that it returns
// need not be true. An error is final: the Lister has retried what can be.
type Lister interface {
	// Users returns a page of all users, or of those that pass the query's filter.
	Users(ctx context.Context, q exotel.Query) (*exotel.Page, error)
	// User returns a page of the one user that has the id. An unknown id is an
	// error for which [batch.IsRefusal] is true.
	User(ctx context.Context, id string) (*exotel.Page, error)
}

// SIPDevices ranges over the user's SIP devices.
func SIPDevices(u *exotel.User) iter.Seq[*exotel.Device] {
	return func(yield func(*exotel.Device) bool) {
		for i := range u.Devices {
			if d := &u.Devices[i]; d.SIP() && !yield(d) {
				return
			}
		}
	}
}

func userKey(id string) string { return string(batch.AppendUserKey(nil, id)) }

// The columns that faults name.
const (
	columnUser   = "user_id"
	columnDevice = "device_id"
	columnSIP    = "sip_id"
	columnEmail  = "email"
)

// maxShown is how many bytes of a value a fault shows.
const maxShown = 80

// quote quotes a value for a person: cut, with control characters escaped.
func quote(value string) string {
	if len(value) > maxShown {
		value = strings.ToValidUTF8(value[:maxShown], "") + "…"
	}
	return strconv.Quote(value)
}

// bare is quote without the quotes.
func bare(value string) string {
	quoted := quote(value)
	return quoted[1 : len(quoted)-1]
}

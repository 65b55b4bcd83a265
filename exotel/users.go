package exotel

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// MaxPageSize is the greatest number of users that the API returns at once, and
// thus the greatest [Query.Limit].
const MaxPageSize = 50

// A Query says which users to list. The zero Query asks for the first page of
// all of them.
type Query struct {
	Offset int // how many users to skip, from 0
	Limit  int // how many to return, from 1 to MaxPageSize; 0 means MaxPageSize

	// Emails and ContactURIs list only users that have one of them; nil lists
	// all. The API takes them separated by commas, so none may hold one. The
	// longest list it takes is not documented, nor what it does with both.
	Emails      []string
	ContactURIs []string
}

// A QueryError says that a query cannot be sent. Nothing was sent.
type QueryError struct {
	Field  string // which field of the [Query], in words
	Reason string // what is wrong with it
}

// Error says which field is wrong, and why.
func (e *QueryError) Error() string { return e.Field + " " + e.Reason }

// encode returns the query as a part of the URL.
func (q Query) encode() (string, error) {
	if q.Limit == 0 {
		q.Limit = MaxPageSize
	}
	if q.Limit < 0 || q.Limit > MaxPageSize {
		return "", &QueryError{"limit", fmt.Sprintf("%d is not within 1 to %d", q.Limit, MaxPageSize)}
	}
	if q.Offset < 0 {
		return "", &QueryError{"offset", fmt.Sprintf("%d is negative", q.Offset)}
	}
	emails, err := encodeFilter("email", q.Emails)
	if err != nil {
		return "", err
	}
	contactURIs, err := encodeFilter("devices.contact_uri", q.ContactURIs)
	if err != nil {
		return "", err
	}
	// Without fields=devices, the API leaves the devices out.
	return "fields=devices&offset=" + strconv.Itoa(q.Offset) + "&limit=" + strconv.Itoa(q.Limit) + emails + contactURIs, nil
}

// encodeFilter returns "&name=value,value", or nothing if there are no values.
func encodeFilter(name string, values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	escaped := make([]string, len(values))
	for i, value := range values {
		if value == "" || strings.Contains(value, ",") {
			return "", &QueryError{name, fmt.Sprintf("%q is empty or holds a comma", cut(value, 64))}
		}
		escaped[i] = url.QueryEscape(value)
	}
	return "&" + name + "=" + strings.Join(escaped, ","), nil
}

// Users lists one page of the account's users, with their devices:
//
//	GET /v2/accounts/<account SID>/users?fields=devices&offset=…&limit=…
//
// The order is not documented, and users may be added or removed between two
// pages: expect one twice, or one missing. Any error is an [*Error]; a query
// that cannot be sent is a wrapped [*QueryError]. As a listing changes nothing,
// net/http sends it once more where the server drops an idle connection.
//
// The context bounds the whole call; there is no other timeout.
func (c *Client) Users(ctx context.Context, q Query) (*Page, error) {
	query, err := q.encode()
	if err != nil {
		return nil, &Error{Op: opListUsers, class: faulty, reason: err.Error(), err: err}
	}
	request := http.Request{Method: http.MethodGet, URL: c.endpoint.usersURL(query), Header: c.header()}
	get := call{op: opListUsers, request: request, maxBody: maxListingBody}
	r, err := c.do(ctx, get)
	if err != nil {
		return nil, err
	}
	page, how, doubt := r.judgeListing()
	if how != accepted {
		return nil, c.answered(get, r, how, doubt)
	}
	page.Answer.redact(c.credentials().redact, "")
	return page, nil
}

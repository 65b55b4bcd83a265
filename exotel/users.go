package exotel

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A User is a co-worker of the account, as the listing shows them.
type User struct {
	ID        string // the user's UUID
	FirstName string
	LastName  string
	Email     string // may be empty
	Role      string
	Devices   []Device
}

// A Device is one of a user's phones.
type Device struct {
	ID         string // unique within the user
	Name       string
	ContactURI string // such as "sip:ashar1a2b3c4d" or "+919999999999"; may be empty
	Type       string // such as "sip" or "tel"
	Available  bool
	Verified   bool
	Status     string // such as "free"
}

// SIP reports whether the device is a SIP device, the only kind with a password.
func (d Device) SIP() bool { return strings.EqualFold(d.Type, "sip") }

// SIPID returns the SIP id within a contact URI: what is left without "sip:" or
// "sips:" in front, and without a domain and parameters behind. Contact URIs
// have been seen both with and without a domain; compare them by their SIP ids.
func SIPID(contactURI string) string {
	id := contactURI
	if scheme, rest, found := strings.Cut(id, ":"); found && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		id = rest
	}
	id, _, _ = strings.Cut(id, "@")
	id, _, _ = strings.Cut(id, ";")
	return id
}

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
			return "", &QueryError{name, "is empty or holds a comma"}
		}
		escaped[i] = url.QueryEscape(value)
	}
	return "&" + name + "=" + strings.Join(escaped, ","), nil
}

// A Page is one part of a listing.
type Page struct {
	Users []User

	// Count is how many entries the page has. It exceeds the number of Users by
	// the entries that the API marked as failed and did not fill.
	Count int

	// What the API says of the listing. It need not be true: a loop over pages
	// has to end also if Total never comes within reach.
	Total    int // users that match, on all pages; meaningful if HasTotal
	HasTotal bool
	Offset   int // entries before this page; 0 if not said
	Limit    int // the page size in force; 0 if not said

	Answer Answer
}

// Users lists one page of the account's users, with their devices:
//
//	GET /v2/accounts/<account SID>/users?fields=devices&offset=…&limit=…
//
// The order is not documented, and users may be added or removed between two
// pages: expect one twice, or one missing. Any error is an [*Error]; a query
// that cannot be sent is a wrapped [*QueryError].
//
// The context bounds the whole call; there is no other timeout.
func (c *Client) Users(ctx context.Context, q Query) (*Page, error) {
	query, err := q.encode()
	if err != nil {
		return nil, &Error{Op: opListUsers, class: faulty, reason: err.Error(), err: err}
	}
	return c.list(ctx, opListUsers, "", query)
}

// User returns one user with the devices, as a page that holds just that user:
//
//	GET /v2/accounts/<account SID>/users/<user id>?fields=devices
//
// A user that does not exist is the API's 404, as an [*Error]; an id that cannot
// stand in a path is a wrapped [*IDError], and nothing was sent. An answer about
// another user is an error as well.
//
// The context bounds the whole call; there is no other timeout.
func (c *Client) User(ctx context.Context, userID string) (*Page, error) {
	if err := checkID("user id", userID); err != nil {
		return nil, &Error{Op: opGetUser, class: faulty, reason: err.Error(), err: err}
	}
	return c.list(ctx, opGetUser, userID, "fields=devices")
}

// list asks for the users, or for one of them.
func (c *Client) list(ctx context.Context, op, userID, query string) (*Page, error) {
	request := http.Request{Method: http.MethodGet, URL: c.endpoint.usersURL(userID, query), Header: c.credentials().header}
	get := call{op: op, request: request, maxBody: maxListingBody}
	r, err := c.do(ctx, get)
	if err != nil {
		return nil, err
	}
	page, how, doubt := r.classifyListing(userID)
	if how != accepted {
		return nil, c.answered(get, r, how, doubt)
	}
	page.Answer.redact(c.secrets)
	return page, nil
}

const (
	problemNoUser    = "an entry of the listing is not a user"
	problemOtherUser = "the answer is not about the user that was asked for"
)

// classifyListing classifies a reply to a listing, and returns the page if it is
// one. The user id is that of the one user asked for, "" for any.
func (r *reply) classifyListing(userID string) (*Page, class, string) {
	if !r.isListing() {
		c, doubt := r.classify()
		return nil, c, doubt
	}
	b := r.body
	r.answer.RequestID = b.text("request_id")
	page := &Page{Count: len(b.responses), Answer: r.answer}
	for _, entry := range b.responses {
		if !entry.succeeded() {
			continue
		}
		user, ok := readUser(entry)
		if !ok {
			// Left out in silence, a user would keep an old password for ever.
			return nil, noVerdict, problemNoUser
		}
		page.Users = append(page.Users, user)
	}
	if userID != "" && (len(page.Users) != 1 || !sameID(page.Users[0].ID, userID)) {
		return nil, noVerdict, problemOtherUser
	}
	page.readMetadata(b)
	return page, accepted, ""
}

// sameID reports whether both are one UUID: it comes with and without dashes.
func sameID(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "-", ""), strings.ReplaceAll(b, "-", ""))
}

// isListing reports whether the reply is a listing, and not an error, say. The API
// documents an array, and has been seen to return null for none; one user comes
// as an object.
func (r *reply) isListing() bool {
	if r.answer.HTTPCode != http.StatusOK || r.problem != "" || r.doubt != "" || r.body.hasException {
		return false
	}
	return r.body.shape == nullShape || r.body.shape == arrayShape || r.body.shape == oneShape && r.body.responses[0].succeeded()
}

func (p *Page) readMetadata(b body) {
	metadata, _ := b.child("metadata")
	p.Total, p.HasTotal = parseCount(metadata.text("total"))
	p.Offset, _ = parseCount(metadata.text("offset"))
	p.Limit, _ = parseCount(metadata.text("limit"))
}

// readUser reads an entry's data, and returns false if it names no user.
func readUser(entry object) (User, bool) {
	u, _ := entry.child("data")
	user := User{
		ID:        u.text("id"),
		FirstName: u.text("first_name"),
		LastName:  u.text("last_name"),
		Email:     u.text("email"),
		Role:      u.text("role"),
	}
	devices, isArray := u["devices"].([]any)
	for _, value := range devices {
		d, isObject := value.(map[string]any)
		if !isObject {
			return User{}, false
		}
		user.Devices = append(user.Devices, readDevice(d))
	}
	return user, user.ID != "" && (isArray || u["devices"] == nil)
}

func readDevice(d object) Device {
	return Device{
		ID:         d.text("id"),
		Name:       d.text("name"),
		ContactURI: d.text("contact_uri"),
		Type:       d.text("type"),
		Available:  d.text("available") == "true",
		Verified:   d.text("verified") == "true",
		Status:     d.text("status"),
	}
}

package exoteltest

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The vendor's page sizes for GET users.
const (
	defaultPage = 20
	largestPage = 50
)

// A listing is what a list call asks for.
type listing struct {
	offset, limit int
	devices       bool // with their devices
	emails        []string
	contacts      []string // without "sip:"
}

func newListing(query url.Values) (listing, error) {
	l := listing{devices: wantsDevices(query)}
	var err error
	if l.offset, err = number(query, "offset", 0); err != nil {
		return l, fmt.Errorf("offset is %w", err)
	}
	if l.limit, err = number(query, "limit", defaultPage); err != nil {
		return l, fmt.Errorf("limit is %w", err)
	}
	if l.limit < 1 || l.limit > largestPage {
		return l, fmt.Errorf("limit is not between 1 and %d", largestPage)
	}
	l.emails = commaList(query.Get("email"))
	l.contacts = commaList(query.Get("devices.contact_uri"))
	for i, c := range l.contacts {
		l.contacts[i] = strings.TrimPrefix(c, sipScheme)
	}
	return l, nil
}

func wantsDevices(query url.Values) bool {
	return slices.Contains(commaList(query.Get("fields")), "devices")
}

func commaList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (l *listing) filtered() bool { return l.emails != nil || l.contacts != nil }

// matches reports whether a user passes all filters. Emails are compared without
// regard to case, contact URIs exactly.
func (l *listing) matches(s *store, u *userRecord) bool {
	return (l.emails == nil || l.matchesEmail(u)) && (l.contacts == nil || l.matchesContact(s, u))
}

func (l *listing) matchesEmail(u *userRecord) bool {
	return u.email() != "" && slices.ContainsFunc(l.emails, func(email string) bool {
		return strings.EqualFold(email, u.email())
	})
}

func (l *listing) matchesContact(s *store, u *userRecord) bool {
	for d := range s.devicesOf(u) {
		if d.contact() != "" && slices.Contains(l.contacts, d.sipID()) {
			return true
		}
	}
	return false
}

// list handles GET users.
func (s *Server) list(c *call) answer {
	l, err := newListing(c.query)
	if err != nil {
		return c.refuse(invalidParameter(err.Error()))
	}
	users, total := s.pageOf(&l)
	b := c.appendHead(make([]byte, 0, 256+512*len(users)), http.StatusOK)
	b = s.appendMetadata(b, &l, len(users), total)
	b = append(b, `"response":`...)
	b = s.appendUsers(b, &l, users)
	b = append(b, '}')
	return answer{status: http.StatusOK, media: mediaJSON, body: b}
}

// oneUser handles GET users/<id>.
func (s *Server) oneUser(c *call) answer {
	u := s.store.user(c.user)
	if u == nil {
		return c.refuse(&errNoUser)
	}
	b := c.appendHead(make([]byte, 0, 768), http.StatusOK)
	b = append(b, `"response":`...)
	b = s.appendUser(b, u, wantsDevices(c.query))
	b = append(b, '}')
	return answer{status: http.StatusOK, media: mediaJSON, body: b}
}

// pageOf returns the users on the page, and how many match on all pages.
func (s *Server) pageOf(l *listing) (users []*userRecord, total int) {
	for u := range s.inOrder() {
		if u.removed || !l.matches(&s.store, u) {
			continue
		}
		if total >= l.offset && len(users) < l.limit {
			users = append(users, u)
		}
		total++
		if len(users) == l.limit && !l.filtered() {
			return users, s.store.size()
		}
	}
	return users, total
}

// inOrder ranges over the account's users, the removed ones included, in the
// order of lists.
func (s *Server) inOrder() iter.Seq[*userRecord] {
	return func(yield func(*userRecord) bool) {
		last := len(s.store.users) - 1
		for i := range s.store.users {
			if s.opt.NewestFirst {
				i = last - i
			}
			if !yield(&s.store.users[i]) {
				return
			}
		}
	}
}

func (s *Server) appendMetadata(b []byte, l *listing, count, total int) []byte {
	if s.opt.Total != nil {
		total = s.opt.Total(total)
	}
	b = append(b, `"metadata":{"total":`...)
	b = strconv.AppendInt(b, int64(total), 10)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(count), 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, int64(l.offset), 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, int64(l.limit), 10)
	return append(b, "},"...)
}

func (s *Server) appendUsers(b []byte, l *listing, users []*userRecord) []byte {
	if len(users) == 0 && l.filtered() && s.opt.NullWhenEmpty {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, u := range users {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendUser(b, u, l.devices)
	}
	return append(b, ']')
}

func (s *Server) appendUser(b []byte, u *userRecord, devices bool) []byte {
	b = append(b, successHead+`{"id":`...)
	b = appendString(b, u.id())
	b = append(b, `,"first_name":`...)
	b = appendString(b, u.firstName())
	b = append(b, `,"last_name":`...)
	b = appendString(b, u.lastName())
	if u.email() != "" {
		b = append(b, `,"email":`...)
		b = appendString(b, u.email())
		b = append(b, `,"email_verified":true`...)
	}
	b = append(b, `,"role":`...)
	b = appendString(b, u.role())
	if devices {
		b = s.appendDevices(b, u)
	}
	return append(b, "}}"...)
}

func (s *Server) appendDevices(b []byte, u *userRecord) []byte {
	b = append(b, `,"devices":[`...)
	first := true
	for d := range s.store.devicesOf(u) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = s.appendDevice(b, d)
	}
	return append(b, ']')
}

func (s *Server) appendDevice(b []byte, d *deviceRecord) []byte {
	name, kind := "SIP", SIP
	if d.is(isTel) {
		name, kind = "Phone", Tel
	}
	b = append(b, `{"id":`...)
	b = s.appendDeviceID(b, d.id())
	b = append(b, `,"name":`...)
	b = appendString(b, name)
	if d.contact() != "" {
		b = append(b, `,"contact_uri":`...)
		b = appendString(b, d.contact())
	}
	b = append(b, `,"type":`...)
	b = appendString(b, string(kind))
	b = append(b, `,"available":`...)
	b = strconv.AppendBool(b, d.is(isAvailable))
	b = append(b, `,"verified":`...)
	b = strconv.AppendBool(b, d.is(isVerified))
	return append(b, `,"status":"free"}`...)
}

func (s *Server) appendDeviceID(b []byte, id string) []byte {
	if s.opt.TextIDs || !isNumber(id) {
		return appendString(b, id)
	}
	return append(b, id...)
}

// isNumber reports whether an id is a JSON number that means the same text again.
func isNumber(id string) bool {
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return id == "0" || id != "" && id[0] != '0'
}

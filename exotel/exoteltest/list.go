package exoteltest

import (
	"cmp"
	"fmt"
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
	devices       bool     // with their devices
	emails        []string // nil: of all users
	contacts      []string // contact URIs, with or without "sip:"; nil: of all users
}

func newListing(query url.Values) (listing, error) {
	l := listing{devices: wantsDevices(query)}
	var err error
	if l.offset, err = number(query, "offset", 0); err != nil {
		return l, err
	}
	if l.limit, err = number(query, "limit", defaultPage); err != nil {
		return l, err
	}
	if l.limit < 1 || l.limit > largestPage {
		return l, fmt.Errorf("limit is not between 1 and %d", largestPage)
	}
	l.emails = commaList(query.Get("email"))
	l.contacts = commaList(query.Get("devices.contact_uri"))
	return l, nil
}

// number returns a query parameter, or byDefault if it is not there.
func number(query url.Values, name string, byDefault int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is not a whole number", name)
	}
	return n, nil
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

// list handles GET users.
func (s *Server) list(c *call) answer {
	l, err := newListing(c.query)
	if err != nil {
		return c.refuse(invalidParameter(err.Error()))
	}
	users := s.matching(&l)
	m := metadata{Total: len(users), Offset: l.offset, Limit: l.limit}
	if s.opt.Total != nil {
		m.Total = s.opt.Total(m.Total)
	}
	entries := []outcome{}
	rest := users[min(l.offset, len(users)):]
	for _, u := range rest[:min(l.limit, len(rest))] {
		entries = append(entries, success(s.userData(u, l.devices)))
	}
	m.Count = len(entries)
	if len(entries) == 0 && l.filtered() && s.opt.NullWhenEmpty {
		return c.reply(http.StatusOK, &m, nil)
	}
	return c.reply(http.StatusOK, &m, entries)
}

// matching returns the users that pass all filters, in the order they were
// added.
func (s *Server) matching(l *listing) []*user {
	if !l.filtered() {
		return s.account.users
	}
	byEmail := s.account.find(l.emails, emailKey)
	byContact := s.account.find(l.contacts, contactKey)
	switch {
	case l.contacts == nil:
		return byEmail
	case l.emails == nil:
		return byContact
	}
	return slices.DeleteFunc(byEmail, func(u *user) bool { return !slices.Contains(byContact, u) })
}

// find returns the users that have any of the names.
func (a *account) find(names []string, key func(string) string) (users []*user) {
	for _, name := range names {
		users = append(users, a.byName[key(name)]...)
	}
	slices.SortFunc(users, func(a, b *user) int { return cmp.Compare(a.number, b.number) })
	return slices.Compact(users)
}

// oneUser handles GET users/<id>.
func (s *Server) oneUser(c *call) answer {
	u := s.account.byID[c.user]
	if u == nil {
		return c.refuse(errNoUser)
	}
	return c.confirm(s.userData(u, wantsDevices(c.query)))
}

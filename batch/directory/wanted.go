package directory

import (
	"net/url"

	"siprotate/batch"
	"siprotate/exotel"
)

// A look-up with a filter asks for so many keys at most, and so many bytes of
// URL: how much the API takes is not documented.
const (
	maxGroup      = 25
	maxGroupBytes = 4 << 10
	keyOverhead   = len("sip%3A,")
)

// probeFrom is how many look-ups make it worth a request to learn how many pages
// the account has.
const probeFrom = 3

// Wanted is what references are looked up by. The zero value is nothing. It is
// not safe for concurrent use.
type Wanted struct {
	keys  map[key]bool
	order []key          // as they were added
	ids   map[key]string // the user ids, as they were written
}

// Add adds a reference; one that names nothing adds nothing.
func (w *Wanted) Add(r Reference) {
	k := r.key()
	if k.column == "" || w.keys[k] {
		return
	}
	if w.keys == nil {
		w.keys, w.ids = map[key]bool{}, map[key]string{}
	}
	w.keys[k] = true
	w.order = append(w.order, k)
	if k.column == columnUser {
		w.ids[k] = r.UserID
	}
}

// AddRow adds what a row names, unless it has both ids and needs no look-up. The
// fault is one of the row by itself: nothing in it can be looked up.
func (w *Wanted) AddRow(row *batch.Row) *batch.Fault {
	fault := check(row)
	if fault == nil && !complete(row) {
		w.Add(ReferenceOf(row))
	}
	return fault
}

// A Cost is what resolving takes in requests, as far as that is known without
// sending one. What is not found may cost a listing of the account on top.
type Cost struct {
	Wanted int  // SIP ids, emails and user ids
	Groups int  // look-ups with a filter, for several SIP ids or emails each
	Users  int  // look-ups of one user by id
	List   bool // something cannot be looked up: the whole account is listed
}

// Cost returns what resolving takes.
func (w *Wanted) Cost() Cost {
	c := Cost{Wanted: len(w.order)}
	lookups, ok := w.lookups()
	c.List = !ok
	for _, l := range lookups {
		if l.userID == "" {
			c.Groups++
		} else {
			c.Users++
		}
	}
	return c
}

// Requests returns how many look-ups there are.
func (c Cost) Requests() int { return c.Groups + c.Users }

// Probes reports whether the first request goes to the listing, to find out
// whether the account has no more pages than there are look-ups.
func (c Cost) Probes() bool { return !c.List && c.Requests() >= probeFrom }

// Way returns how everything is found, unless a listing turns out to be cheaper
// or needed.
func (c Cost) Way() Way {
	switch {
	case c.List:
		return ByListing
	case c.Users == 0:
		return InGroups
	case c.Groups == 0:
		return OneByOne
	}
	return InGroups + " and " + OneByOne
}

// A lookup is one question to the API: for one user by id, or with a filter.
type lookup struct {
	keys   []key        // what it is to find
	userID string       // empty: the query is sent
	query  exotel.Query // its filter has all keys
}

// lookups returns the look-ups that find everything, or false if something
// cannot be looked up.
func (w *Wanted) lookups() (all []lookup, ok bool) {
	keys := map[string][]key{} // by column
	for _, k := range w.order {
		if k.column != columnUser && !k.filterable() {
			return nil, false
		}
		keys[k.column] = append(keys[k.column], k)
	}
	for _, group := range grouped(keys[columnSIP]) {
		all = append(all, lookup{keys: group, query: exotel.Query{ContactURIs: inQuery(group)}})
	}
	for _, group := range grouped(keys[columnEmail]) {
		all = append(all, lookup{keys: group, query: exotel.Query{Emails: inQuery(group)}})
	}
	for _, k := range keys[columnUser] {
		all = append(all, lookup{keys: []key{k}, userID: w.ids[k]})
	}
	return all, true
}

// grouped cuts keys into groups that one request takes.
func grouped(keys []key) (groups [][]key) {
	size := 0
	for i, k := range keys {
		length := len(url.QueryEscape(k.value)) + keyOverhead
		last := len(groups) - 1
		if i == 0 || len(groups[last]) == maxGroup || size+length > maxGroupBytes {
			groups, size = append(groups, []key{k}), length
			continue
		}
		groups[last] = append(groups[last], k)
		size += length
	}
	return groups
}

func inQuery(keys []key) (values []string) {
	for _, k := range keys {
		values = append(values, k.inQuery())
	}
	return values
}

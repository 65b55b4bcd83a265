package directory

import (
	"net/url"
	"slices"
	"strings"
)

// A group of look-ups in one request holds so many keys at most, and so many
// bytes of URL: how much the far side takes is not documented.
const (
	maxGroup      = 25
	maxGroupBytes = 4 << 10
	keyOverhead   = len("sip%3A,")
)

// probeFrom is how many groups of look-ups make it worth a request to learn how
// many pages the account has.
const probeFrom = 3

// A Cost is what resolving takes in requests, as far as it can be told without
// sending one.
type Cost struct {
	Wanted int  // what is looked up
	Groups int  // requests for look-ups in groups
	List   bool // something cannot be looked up: the whole account is listed
}

// Cost says what resolving takes.
func (w *Wanted) Cost() Cost {
	groups, listing := w.groups()
	return Cost{len(w.order), len(groups), listing}
}

// Probes reports whether the first request goes to the listing, to find out
// whether that is the cheaper way.
func (c Cost) Probes() bool { return !c.List && c.Groups >= probeFrom }

// groups returns the queries that look everything up, and whether something is
// wanted that no query finds.
func (w *Wanted) groups() (groups []Query, listing bool) {
	keys := map[kind][]string{}
	for _, k := range w.order {
		if k.kind == byUserID || strings.Contains(k.value, ",") {
			return nil, true
		}
		keys[k.kind] = append(keys[k.kind], k.value)
	}
	for group := range grouped(keys[bySIPID]) {
		groups = append(groups, Query{SIPIDs: group})
	}
	for group := range grouped(keys[byEmail]) {
		groups = append(groups, Query{Emails: group})
	}
	return groups, false
}

// grouped cuts keys into groups that one request takes.
func grouped(keys []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		start, size := 0, 0
		for i, k := range keys {
			length := len(url.QueryEscape(k)) + keyOverhead
			if i > start && (i-start == maxGroup || size+length > maxGroupBytes) {
				if !yield(slices.Clip(keys[start:i])) {
					return
				}
				start, size = i, 0
			}
			size += length
		}
		if start < len(keys) {
			yield(keys[start:])
		}
	}
}

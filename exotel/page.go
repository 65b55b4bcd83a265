package exotel

import (
	"encoding/json"
	"net/http"
)

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

const problemNoUser = "an entry of the listing is not a user"

// judgeListing judges a reply to a listing, and returns the page if it is one.
func (r *reply) judgeListing() (*Page, class, string) {
	e, entries, ok := r.listing()
	if !ok {
		c, doubt := r.judgeSingle()
		return nil, c, doubt
	}
	page := &Page{Count: len(entries)}
	for _, entry := range entries {
		if !entry.succeeded() {
			continue
		}
		user, ok := parseUser(entry.Data)
		if !ok {
			// Left out in silence, a user would keep an old password for ever.
			return nil, noVerdict, problemNoUser
		}
		page.Users = append(page.Users, user)
	}
	page.readMetadata(e.Metadata)
	r.answer.RequestID = string(e.RequestID)
	page.Answer = r.answer
	return page, accepted, ""
}

// listing returns the envelope of a listing and its entries. It returns false
// for whatever is no listing, such as an error.
func (r *reply) listing() (envelope, []response, bool) {
	if r.answer.HTTPCode != http.StatusOK {
		return envelope{}, nil, false
	}
	e, problem := parseEnvelope(r.body)
	if problem != "" || e.RestException != nil {
		return envelope{}, nil, false
	}
	entries, ok := parseEntries(e.Response)
	return e, entries, ok
}

// parseEntries returns the entries of a listing: the API documents an array, and
// has been seen to return null for none, and one user as an object.
func parseEntries(source json.RawMessage) ([]response, bool) {
	if len(source) > 0 && source[0] == '{' {
		var one response
		err := json.Unmarshal(source, &one)
		return []response{one}, err == nil && one.succeeded()
	}
	var entries []response
	err := json.Unmarshal(source, &entries)
	return entries, err == nil
}

func (p *Page) readMetadata(source json.RawMessage) {
	var metadata struct {
		Total  text `json:"total"`
		Offset text `json:"offset"`
		Limit  text `json:"limit"`
	}
	if json.Unmarshal(source, &metadata) != nil {
		return
	}
	p.Total, p.HasTotal = parseCount(string(metadata.Total))
	p.Offset, _ = parseCount(string(metadata.Offset))
	p.Limit, _ = parseCount(string(metadata.Limit))
}

// parseUser reads an entry's data, and returns false if it names no user.
func parseUser(source json.RawMessage) (User, bool) {
	var u struct {
		ID        text    `json:"id"`
		FirstName text    `json:"first_name"`
		LastName  text    `json:"last_name"`
		Email     text    `json:"email"`
		Role      text    `json:"role"`
		Devices   []phone `json:"devices"`
	}
	if json.Unmarshal(source, &u) != nil || u.ID == "" {
		return User{}, false
	}
	user := User{
		ID:        string(u.ID),
		FirstName: string(u.FirstName),
		LastName:  string(u.LastName),
		Email:     string(u.Email),
		Role:      string(u.Role),
	}
	for _, p := range u.Devices {
		user.Devices = append(user.Devices, p.device())
	}
	return user, true
}

// A phone is a Device as it comes over the wire.
type phone struct {
	ID         text `json:"id"`
	Name       text `json:"name"`
	ContactURI text `json:"contact_uri"`
	Type       text `json:"type"`
	Available  text `json:"available"`
	Verified   text `json:"verified"`
	Status     text `json:"status"`
}

func (p phone) device() Device {
	return Device{
		ID:         string(p.ID),
		Name:       string(p.Name),
		ContactURI: string(p.ContactURI),
		Type:       string(p.Type),
		Available:  p.Available == "true",
		Verified:   p.Verified == "true",
		Status:     string(p.Status),
	}
}

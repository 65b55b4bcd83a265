package exotel

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Region is where the vendor holds an account. The dashboard's API settings
// show it.
type Region string

// The regions that the vendor documents.
const (
	Singapore Region = "singapore"
	Mumbai    Region = "mumbai"
)

var baseURLs = map[Region]string{
	Singapore: "https://ccm-api.exotel.com",
	Mumbai:    "https://ccm-api.in.exotel.com",
}

// ParseRegion returns the region of that name, whatever its case.
func ParseRegion(name string) (Region, error) {
	region := Region(strings.ToLower(name))
	if _, known := baseURLs[region]; !known {
		return "", fmt.Errorf("unknown region %q: want %s or %s", name, Singapore, Mumbai)
	}
	return region, nil
}

// BaseURL returns the base URL of the region's API, or "" for an unknown region.
func (r Region) BaseURL() string { return baseURLs[r] }

// An endpoint is the URL of one account's part of the API, up to and with the
// account SID.
type endpoint url.URL

// newEndpoint checks the base URL and the account SID. Its errors never show
// the URL: people put credentials into URLs, as the vendor's pages do.
func newEndpoint(baseURL, accountSID string) (endpoint, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil || base.Hostname() == "":
		return endpoint{}, errors.New("base URL is not a complete URL, such as " + Singapore.BaseURL())
	case base.User != nil:
		return endpoint{}, errors.New("base URL holds credentials: it must not, since URLs end up in logs")
	case strings.ContainsAny(baseURL, "?#"):
		return endpoint{}, errors.New("base URL holds a query or a fragment")
	case base.Scheme != "https" && base.Scheme != "http":
		return endpoint{}, errors.New("base URL does not start with https://")
	case base.Scheme == "http" && !IsLoopback(base.Hostname()):
		return endpoint{}, errors.New("base URL is plain http, which is for loopback addresses only: want https")
	}
	if err := checkID("account SID", accountSID); err != nil {
		return endpoint{}, err
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = strings.TrimRight(base.RawPath, "/")
	account := endpoint(*base).url("/v2/accounts/"+accountSID, "")
	return endpoint(*account), nil
}

// IsLoopback reports whether host can only be this machine.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// passwordURL returns where a device's password is set. Both ids have passed
// checkID.
func (e endpoint) passwordURL(userID, deviceID string) *url.URL {
	return e.url("/users/"+userID+"/devices/"+deviceID+"/password", "")
}

// usersURL returns where a user is, or where all are listed if the id is "".
func (e endpoint) usersURL(userID, query string) *url.URL {
	if userID == "" {
		return e.url("/users", query)
	}
	return e.url("/users/"+userID, query)
}

// url returns a URL below the endpoint. The ids in a path have passed checkID, so
// that only the base's path may need escapes.
func (e endpoint) url(path, query string) *url.URL {
	u := url.URL(e)
	u.Path += path
	if u.RawPath != "" {
		u.RawPath += path
	}
	u.RawQuery = query
	return &u
}

// An IDError says that an id cannot stand in a request's path: it is empty, would
// make the path name something else, or has a character that no id has, as a
// password in the wrong column does. Nothing was sent. It does not show the id.
type IDError struct {
	Name   string // which id, such as "user id"
	Reason string // what is wrong with it
}

// Error says which id is wrong, and why.
func (e *IDError) Error() string { return e.Name + " " + e.Reason }

func checkID(name, id string) error {
	if err := CheckID(id); err != nil {
		return &IDError{name, err.Error()}
	}
	return nil
}

// CheckID returns nil if the id can be one segment of a request's path, and has
// the characters of an id: ASCII letters, digits and - _ . ~ only. The error's
// text follows the name of the id, and does not show it: "holds a space". Escaping
// is no way out: proxies and servers unescape more than once.
func CheckID(id string) error {
	switch {
	case id == "":
		return errors.New("is empty")
	case id == "." || id == "..":
		return errors.New("is a step in a path")
	}
	for _, r := range id {
		switch {
		case strings.ContainsRune(digitsAndLetters+"-_.~", r):
		case strings.ContainsRune(`/\?#%`, r):
			return errors.New(`holds one of / \ ? # %`)
		case unicode.IsControl(r):
			return errors.New("holds a control character")
		case r == ' ':
			return errors.New("holds a space")
		case r < utf8.RuneSelf:
			return errors.New("holds punctuation that no id has")
		default:
			return errors.New("holds a character that is not ASCII")
		}
	}
	return nil
}

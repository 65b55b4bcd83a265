package exotel

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// An endpoint is one account's part of the API.
type endpoint struct {
	scheme, host string
	path         string // up to and with the account SID
	escapedPath  string // the same as it goes over the wire
}

// newEndpoint checks the base URL and the account SID. Its errors never show
// the URL: people put credentials into URLs, as the vendor's pages do.
func newEndpoint(baseURL, accountSID string) (endpoint, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil || base.Host == "" || base.Hostname() == "":
		return endpoint{}, errors.New("base URL is not a complete URL, such as " + Singapore.BaseURL())
	case base.User != nil:
		return endpoint{}, errors.New("base URL holds credentials: it must not, since URLs end up in logs")
	case strings.ContainsAny(baseURL, "?#"):
		return endpoint{}, errors.New("base URL holds a query or a fragment")
	case base.Scheme != "https" && base.Scheme != "http":
		return endpoint{}, errors.New("base URL does not start with https://")
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return endpoint{}, errors.New("base URL is plain http, which is for loopback addresses only: want https")
	}
	if err := checkID("account SID", accountSID); err != nil {
		return endpoint{}, err
	}
	return endpoint{
		scheme:      base.Scheme,
		host:        base.Host,
		path:        strings.TrimRight(base.Path, "/") + "/v2/accounts/" + accountSID,
		escapedPath: strings.TrimRight(base.EscapedPath(), "/") + "/v2/accounts/" + url.PathEscape(accountSID),
	}, nil
}

// loopback reports whether host can only be this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// passwordURL returns where a device's password is set. Both ids have passed
// checkID.
func (e endpoint) passwordURL(userID, deviceID string) *url.URL {
	return &url.URL{
		Scheme:  e.scheme,
		Host:    e.host,
		Path:    e.path + "/users/" + userID + "/devices/" + deviceID + "/password",
		RawPath: e.escapedPath + "/users/" + url.PathEscape(userID) + "/devices/" + url.PathEscape(deviceID) + "/password",
	}
}

// usersURL returns where the users are listed.
func (e endpoint) usersURL(query string) *url.URL {
	return &url.URL{
		Scheme:   e.scheme,
		Host:     e.host,
		Path:     e.path + "/users",
		RawPath:  e.escapedPath + "/users",
		RawQuery: query,
	}
}

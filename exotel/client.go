// Package exotel is a client for the part of Exotel's user management API that
// deals with SIP devices: it sets their passwords and lists them with their
// users. It also knows the vendor's password policy and generates passwords
// that comply with it.
//
// One method call is one HTTP exchange. The package retries nothing, paces
// nothing, logs nothing and prints nothing; its errors say, as methods, what a
// caller may do next (see [Error]).
package exotel

import (
	"cmp"
	"fmt"
	"net/http"
)

// A Config says which account a [Client] works on, and how. Printing one shows
// no credentials.
type Config struct {
	// BaseURL is where the API is, such as [Region.BaseURL], or a proxy in
	// front of it, which may add a path. It must be https, except on loopback
	// (localhost, 127.0.0.0/8, ::1), and have no user info, query or fragment.
	BaseURL string

	// AccountSID names the account, as the dashboard's API settings show it.
	AccountSID string

	// Credentials returns the API key and the API token of the dashboard's API
	// settings. It is a function so that nothing that prints a Config finds them.
	// [New] calls it once; to use others later, make a new Client.
	Credentials func() (key, token string, err error)

	// Connections is the greatest number of requests at one time; more wait for
	// one to end. 0 means [DefaultConnections]. There may be more connections: each
	// rests for some milliseconds before it is used again.
	Connections int

	// UserAgent is the header of that name; "" leaves it to net/http.
	UserAgent string

	// Transport carries the requests; nil means one of the client's own, which
	// verifies TLS, speaks HTTP/1.1, takes its proxy from the environment
	// (HTTPS_PROXY, NO_PROXY), and never uses a connection again on which an answer
	// came that no request asked for. Another one must not follow redirects or
	// resend a request on its own. Unless it reports GetConn and GotConn to the
	// request's [net/http/httptrace.ClientTrace], as [net/http.Transport] does,
	// every request that fails in it counts as one that may have been carried out.
	Transport http.RoundTripper
}

// A Client sends requests to one account. It is safe for concurrent use.
// Printing one shows no credentials.
type Client struct {
	endpoint    endpoint
	credentials func() credentials
	secrets     *secretSet
	transport   http.RoundTripper
}

// New returns a client, having sent nothing. The errors are for people; of its
// own, they show neither credentials nor the base URL.
func New(config Config) (*Client, error) {
	endpoint, err := newEndpoint(config.BaseURL, config.AccountSID)
	if err != nil {
		return nil, err
	}
	credentials, err := loadCredentials(config.Credentials, config.UserAgent)
	if err != nil {
		return nil, err
	}
	secrets := newSecretSet(credentials().token, credentials().basic)
	transport := config.Transport
	switch {
	case config.Connections < 0:
		return nil, fmt.Errorf("%d connections: want at least 1, or 0 for %d", config.Connections, DefaultConnections)
	case transport == nil:
		base := endpoint.usersURL("", "")
		proxy, err := proxyFor(base)
		if err != nil {
			return nil, err
		}
		for _, secret := range proxySecrets(proxy) {
			secrets.begin(secret)
		}
		transport = newPool(base, proxy, cmp.Or(config.Connections, DefaultConnections))
	}
	return &Client{endpoint, credentials, secrets, transport}, nil
}

// CloseIdleConnections closes the connections that no request is using.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

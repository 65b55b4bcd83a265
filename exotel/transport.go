package exotel

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// DefaultConnections is the size of a client's connection pool unless its
// [Config] says otherwise.
const DefaultConnections = 8

const (
	// Servers commonly drop idle connections after 60 s. A request that meets one
	// just dropped ends in doubt, so they are left well before.
	idleTimeout = 30 * time.Second

	// A connection may still be under way when the request that wanted it has
	// been given up; these bound how long it then goes on.
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second

	// An endless header ends here, in bytes.
	maxHeader = 64 << 10
)

// newTransport returns a transport for requests to base only.
//
// It speaks HTTP/1.1 alone: with one request on a connection at a time, a
// connection that is cut leaves one password in doubt, and not a hundred.
func newTransport(base *url.URL, connections int) (*http.Transport, error) {
	// Asked once and not for each request, so that a bad setting is told at the
	// start. The error would show the proxy's URL, which may hold a password.
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if err != nil {
		return nil, errors.New("the environment's proxy setting is not a valid URL")
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyURL(proxy),
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression:     true, // an answer is a few hundred bytes
		TLSHandshakeTimeout:    handshakeTimeout,
		Protocols:              &protocols,
		MaxIdleConnsPerHost:    connections,
		MaxConnsPerHost:        connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}, nil
}

// Package registrar asks the vendor's SIP registrar whether a password is in
// force, and changes nothing there: it sends a REGISTER that names no contact,
// which is a query of the bindings (RFC 3261, section 10.2.3), and answers the
// challenge. It also tells the bindings, and how long each of them lasts.
//
// One [Client.Prove] is one question and one verdict. The package paces nothing,
// keeps no record, logs nothing, and repeats nothing but the answer to a stale
// nonce, and over UDP the request that carries no answer. It knows nothing of the
// vendor's HTTP API.
package registrar

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The vendor's proxies, as seen in public configurations. They speak TLS. Which
// of them serves an account, and whether it answers queries, is not documented.
const (
	ProxyMumbai    = "voip.in1.exotel.com:443"
	ProxySingapore = "voip.sgp1.exotel.com:443"
)

// A Transport is how requests reach the proxy.
type Transport string

// The transports. UDP and TCP are neither encrypted nor does the proxy prove who
// it is.
const (
	TLS Transport = "tls"
	TCP Transport = "tcp"
	UDP Transport = "udp"
)

// DefaultTimeout is how long a proof may take unless its [Config] says otherwise.
const DefaultTimeout = 10 * time.Second

// A Config says which registrar a [Client] asks, and how.
type Config struct {
	// Proxy is where requests are sent, as HOST:PORT. With TLS, the host is the
	// name that the certificate must be for.
	Proxy string

	// Transport is TLS if empty. The others are for loopback (localhost,
	// 127.0.0.0/8, ::1) unless Insecure says otherwise.
	Transport Transport
	Insecure  bool

	// Domain is the SIP domain of the account's users. If empty, it is the
	// account's SID below voip.exotel.com.
	Domain     string
	AccountSID string

	// CA holds the PEM certificates of the authorities to trust, instead of the
	// system's. Nil means the system's.
	CA []byte

	// UserAgent is the header of that name, such as "siprotate/1.2"; "" sends none.
	// Registrars drop what names a scanner.
	UserAgent string

	// Timeout bounds a proof, with the connection that it may have to open. 0
	// means [DefaultTimeout].
	Timeout time.Duration
}

// A Client asks one registrar, one question at a time, over one connection that
// it keeps. It is safe for concurrent use: questions wait for one another.
type Client struct {
	proxy     string
	transport Transport
	tls       *tls.Config // nil: not TLS
	domain    string
	userAgent string
	timeout   time.Duration

	closed context.Context
	close  context.CancelFunc
	turn   chan struct{} // holds one element while somebody has link
	link   *link         // nil: none
}

// New returns a client, having sent nothing.
func New(config Config) (*Client, error) {
	host, port, err := net.SplitHostPort(config.Proxy)
	if err != nil || host == "" {
		return nil, fmt.Errorf("SIP proxy %q is not HOST:PORT", config.Proxy)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("SIP proxy %q has no port from 1 to 65535", config.Proxy)
	}
	c := &Client{
		proxy:     config.Proxy,
		transport: cmp.Or(config.Transport, TLS),
		domain:    config.Domain,
		userAgent: config.UserAgent,
		timeout:   cmp.Or(config.Timeout, DefaultTimeout),
		turn:      make(chan struct{}, 1),
	}
	if c.domain == "" && config.AccountSID != "" {
		c.domain = config.AccountSID + ".voip.exotel.com"
	}
	switch {
	case !isDomain(c.domain):
		return nil, fmt.Errorf("SIP domain %q is not a domain", c.domain)
	case strings.ContainsFunc(c.userAgent, isUnprintable):
		return nil, errors.New("the user agent holds a control character")
	case c.timeout < 0:
		return nil, fmt.Errorf("a timeout of %v", c.timeout)
	}
	if err := c.secure(config, host); err != nil {
		return nil, err
	}
	c.closed, c.close = context.WithCancel(context.Background())
	return c, nil
}

func (c *Client) secure(config Config, host string) error {
	switch c.transport {
	case TLS:
		c.tls = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
		if config.CA != nil {
			c.tls.RootCAs = x509.NewCertPool()
			if !c.tls.RootCAs.AppendCertsFromPEM(config.CA) {
				return errors.New("found no PEM certificate in the SIP proxy's authorities")
			}
		}
	case TCP, UDP:
		switch {
		case config.CA != nil:
			return fmt.Errorf("authorities are for tls, and the SIP transport is %s", c.transport)
		case !config.Insecure && !isLoopback(host):
			return fmt.Errorf("SIP transport %s is not encrypted, and %s is not this machine: want tls", c.transport, host)
		}
	default:
		return fmt.Errorf("SIP transport %q: want %s, %s or %s", c.transport, TLS, TCP, UDP)
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// isDomain reports whether name can stand in a SIP URI as a host name or an IPv4
// address.
func isDomain(name string) bool {
	return 0 < len(name) && len(name) <= 253 && !strings.ContainsFunc(name, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("-.", r)
	})
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// ErrClosed is what a client says that was closed.
var ErrClosed = errors.New("the registrar's client is closed")

// take waits for the client's turn, until ctx ends or the client is closed.
func (c *Client) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed.Done():
		return ErrClosed
	}
	if c.closed.Err() != nil {
		<-c.turn
		return ErrClosed
	}
	return nil
}

// Reset closes the connection once no question is under way: the next one opens
// another. What a registrar remembers of a connection cannot touch it then.
func (c *Client) Reset() {
	c.turn <- struct{}{}
	c.drop()
	<-c.turn
}

// Close ends the question that is under way, if any, and closes the connection.
// It may be called again.
func (c *Client) Close() {
	c.close()
	c.Reset()
}

func (c *Client) drop() {
	if c.link != nil {
		c.link.Close() // an error changes nothing for anybody
		c.link = nil
	}
}

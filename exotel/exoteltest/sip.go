package exoteltest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// The library logs to slog's default logger unless told before its first use.
func init() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) }

// NewRegistrar returns a registrar of the server's SIP devices that listens
// nowhere yet. Its phones live from now until it is closed.
func NewRegistrar(s *Server, opt RegistrarOptions) (*Registrar, error) {
	r, err := newRegistrar(s, opt)
	if err != nil {
		return nil, err
	}
	if r.ua, err = sipgo.NewUA(); err != nil {
		return nil, err
	}
	if r.sip, err = sipgo.NewServer(r.ua); err != nil {
		return nil, err
	}
	r.sip.OnRegister(r.serve)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	if opt.Phone != nil {
		r.serving.Go(func() { r.ring(ctx) })
	}
	return r, nil
}

// newRegistrar returns one that only decides.
func newRegistrar(s *Server, opt RegistrarOptions) (*Registrar, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	return &Registrar{
		server: s,
		opt:    opt.withDefaults(s.opt.AccountSID),
		nonces: map[string]time.Time{},
		ids:    map[string]*sipUser{},
		peers:  map[string]*sipPeer{},
	}, nil
}

// Listen serves a transport, "udp", "tcp" or "tls", at an address such as
// "127.0.0.1:0", and returns the address with its port. It may be called for
// several, one after another, and not once the registrar is closed.
func (r *Registrar) Listen(transport, address string) (string, error) {
	if transport == "udp" {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			return "", err
		}
		r.listeners = append(r.listeners, conn)
		r.serving.Go(func() { r.sip.ServeUDP(conn) }) // ends with an error once closed
		return conn.LocalAddr().String(), nil
	}
	serve := r.sip.ServeTCP
	var config *tls.Config
	switch transport {
	case "tcp":
	case "tls":
		serve = r.sip.ServeTLS
		certificate, err := r.certificate()
		if err != nil {
			return "", err
		}
		config = &tls.Config{Certificates: []tls.Certificate{certificate}}
	default:
		return "", fmt.Errorf("no such SIP transport: %q", transport)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	r.listeners = append(r.listeners, l)
	r.serving.Go(func() { serve(l) })
	return l.Addr().String(), nil
}

// Domain returns the SIP domain of the registrar's users.
func (r *Registrar) Domain() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opt.Domain
}

// CA returns the PEM certificate that vouches for the registrar, nil unless it
// listens on TLS.
func (r *Registrar) CA() []byte { return r.ca }

// Close stops listening and closes all connections. It is not to be called twice.
func (r *Registrar) Close() error {
	r.stop()
	for _, l := range r.listeners {
		l.Close() // which ends the serving
	}
	r.serving.Wait()
	return r.ua.Close()
}

// serve answers a REGISTER that came over a network.
func (r *Registrar) serve(req *sip.Request, tx sip.ServerTransaction) {
	to := req.To()
	if to == nil {
		tx.Respond(sip.NewResponseFromRequest(req, 400, "Bad Request", nil)) // an error means that the client has gone
		return
	}
	q := sipQuery{domain: to.Address.Host, user: to.Address.User, contact: req.GetHeader("Contact") != nil}
	q.peer, _, _ = net.SplitHostPort(req.Source())
	if h := req.GetHeader("Authorization"); h != nil {
		q.authorization = h.Value()
	}
	reply := r.decide(time.Now(), q)
	if reply.code == 0 {
		return
	}
	res := sip.NewResponseFromRequest(req, reply.code, phrases[reply.code], nil)
	for _, c := range reply.challenges {
		res.AppendHeader(sip.NewHeader("WWW-Authenticate", c.String()))
	}
	for _, c := range reply.contacts {
		res.AppendHeader(sip.NewHeader("Contact", c))
	}
	tx.Respond(res)
}

var phrases = map[int]string{
	200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
}

// certificate returns the registrar's own, made at the first call.
func (r *Registrar) certificate() (tls.Certificate, error) {
	if r.ca == nil {
		ca, key, err := NewCertificate()
		if err != nil {
			return tls.Certificate{}, err
		}
		r.ca, r.key = ca, key
	}
	return tls.X509KeyPair(r.ca, r.key)
}

// NewCertificate makes a certificate for this machine's loopback names, which
// vouches for itself, and its key, both as PEM. It is good for a year.
func NewCertificate() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "sandbox registrar"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

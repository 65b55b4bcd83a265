//go:build linux

package cli_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestAttackUnasked meets servers that send passwords where nobody asked: on a
// connection that rests, and in a proxy's tunnel before the first request. There
// net/http logs them where it reads them before it knows of the request.
func TestAttackUnasked(t *testing.T) {
	n := tried(t, "bytes that no request asked for")
	certificate, trusted := exampleCertificate(t)
	for name, c := range map[string]struct {
		serve func(u *unasked, conn net.Conn)
		env   func(address string) []string
	}{
		"at rest": {(*unasked).serveAtRest, func(address string) []string { return []string{"EXOTEL_BASE_URL=http://" + address} }},
		"in a tunnel": {(*unasked).serveTunnel, func(address string) []string {
			return []string{
				"EXOTEL_BASE_URL=https://example.com", "HTTPS_PROXY=http://" + address, "NO_PROXY=", "no_proxy=", "SSL_CERT_FILE=" + trusted,
			}
		}},
	} {
		n.times++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := faultless(t, 0)
			u := &unasked{api: r.api, tls: &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: tls.VersionTLS12}}
			address := serveConns(t, func(conn net.Conn) { c.serve(u, conn) })
			p := launch{env: c.env(address)}.start(t, r.base, r.runArgs("--workers", "16", "--max-failures", "1000", "-v")...)
			exits(t, p, 0, 3)
			if r.api.total() == 0 {
				t.Errorf("nothing came: %s", &p.stderr)
			}
			said := p.stderr.Bytes()
			if bytes.Contains(said, []byte("Unsolicited response")) {
				t.Errorf("a library wrote to standard error: %s", said)
			}
			for row, passwords := range readJournal(t, r.dir).passwords {
				if found := leaks(said, passwords[0]); len(found) > 0 {
					t.Errorf("it shows the password of row %d, encoded as %v", row, found)
				}
			}
			r.checkRecoverable()
			r.checkReports()
		})
	}
}

// The attack in a tunnel meets a moment that no test can choose: this shows what
// becomes of all that libraries log.
func TestWhatLibrariesLogIsDiscarded(t *testing.T) {
	p := launch{role: logging}.start(t, "", "--version")
	exits(t, p, 0)
	if p.stderr.Len() > 0 {
		t.Errorf("standard error has %s", &p.stderr)
	}
}

// unasked is an API that sends the password that came last, and nobody asked for.
type unasked struct {
	api http.Handler
	tls *tls.Config

	mu   sync.Mutex
	text string
}

// answer answers one request.
func (u *unasked) answer(conn net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	u.api.ServeHTTP(w, r)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.text = string(body)
	fmt.Fprintf(conn, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", w.Code, w.Body.Len(), w.Body)
}

func (u *unasked) send(conn net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	io.WriteString(conn, "unasked "+u.text)
}

func (u *unasked) serveAtRest(conn net.Conn) {
	u.answer(conn)
	time.Sleep(time.Millisecond)
	u.send(conn)
	io.Copy(io.Discard, conn)
}

// serveTunnel is the proxy, and what stands at the end of its tunnel.
func (u *unasked) serveTunnel(conn net.Conn) {
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	secure := tls.Server(&heldConn{Conn: conn}, u.tls)
	if secure.Handshake() != nil {
		return
	}
	u.send(secure) // goes with the end of the handshake
	u.answer(secure)
	io.Copy(io.Discard, secure)
}

// A heldConn holds back what is written until it is read from.
type heldConn struct {
	net.Conn
	held bytes.Buffer
}

func (c *heldConn) Write(p []byte) (int, error) { return c.held.Write(p) }

func (c *heldConn) Read(p []byte) (int, error) {
	if _, err := c.held.WriteTo(c.Conn); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// serveConns serves connections until the test ends, and returns where.
func serveConns(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wait.Wait()
	})
	return listener.Addr().String()
}

// exampleCertificate returns a certificate of example.com, and a file with who is
// to be trusted.
func exampleCertificate(t *testing.T) (certificate tls.Certificate, trusted string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	trusted = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	return server.TLS.Certificates[0], trusted
}

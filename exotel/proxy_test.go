package exotel

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// proxied returns a client of a TLS server behind a proxy.
func proxied(t *testing.T, server, proxy *httptest.Server) *Client {
	t.Helper()
	c := newClient(t, server.URL, nil)
	proxyURL, err := url.Parse(strings.Replace(proxy.URL, "http://", "http://user:Sample-pr0xy@", 1))
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(c.transport.(*pool).base, proxyURL, 4)
	p.transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	p.rest = 0
	c.transport = p
	return c
}

func TestProxyThatWantsCredentials(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came") }))
	defer server.Close()
	for status, want := range map[int]struct {
		behaviour, reason string
		hint              bool
	}{
		407: {"F", "the proxy refuses its credentials", true},
		403: {"R", "refused by the proxy", false},
		502: {"R", "refused by the proxy", false},
	} {
		requests := 0
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.WriteHeader(status)
			fmt.Fprint(w, r.Header)
		}))
		_, err := proxied(t, server, proxy).SetPassword(t.Context(), "u", "1", testPassword)
		e := fails(t, err)
		if requests != 1 || behaviour(e) != want.behaviour || e.Reason() != want.reason {
			t.Errorf("%d: %d requests, %v: %q", status, requests, err, behaviour(e))
		}
		if strings.Contains(e.Hint(), "HTTPS_PROXY") != want.hint {
			t.Errorf("%d: hint %q, want one: %v", status, e.Hint(), want.hint)
		}
		proxy.Close()
	}
}

// tunnel is a proxy that opens tunnels to wherever it is asked to.
func tunnel(t *testing.T) *httptest.Server {
	var wait sync.WaitGroup
	wait.Add(1) // above zero for as long as connections come
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth(); user != "user" || password != "Sample-pr0xy" {
			t.Errorf("the proxy got %q, %q", user, password)
		}
		inner, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		outer, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(outer, "HTTP/1.1 200 OK\r\n\r\n")
		wait.Go(func() { io.Copy(inner, outer); inner.Close() })
		wait.Go(func() { io.Copy(outer, inner); outer.Close() })
	}))
	t.Cleanup(func() { proxy.Close(); wait.Done(); wait.Wait() })
	return proxy
}

// Behind a proxy it does not show what is out of order on a connection.
func TestConnectionsThroughAProxyAreUsedOnce(t *testing.T) {
	logged := captureLog(t)
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, accepting) }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	c := proxied(t, server, tunnel(t))
	for range 3 {
		if _, err := c.SetPassword(t.Context(), "u", "1", testPassword); err != nil {
			t.Error(err)
		}
	}
	if conns.Load() != 3 {
		t.Errorf("%d connections for 3 requests, want 3", conns.Load())
	}
	if logged.Len() > 0 {
		t.Errorf("the log says %s", logged)
	}
}

func TestMalformedProxySettings(t *testing.T) {
	for setting, want := range map[string]bool{
		"http://proxy.example.com:3128": true, "proxy.example.com:3128": true, "https://user:Sample-pr0xy@proxy.example.com": true,
		"user:Sample-pr0xy@proxy.example.com:3128": true, "socks5://127.0.0.1:1080": true, "10.0.0.1:3128": true, "[::1]:3128": true,
		"::bad": false, "http://": false, "http://:3128": false, "//proxy.example.com": false, "ftp://proxy.example.com": false,
		"http://proxy.example.com:port": false, " http://proxy.example.com": false, "http://user:Sample-pr0xy@": false, "http://a b": false,
		"http://proxy.example.com:3128/": true, "http//proxy.example.com:3128": false, "http:/proxy.example.com:3128": false, "http//": false,
		"http://127.0.0.1:99999": false, "proxy.example.com:0": false, "proxy.example.com:65535": true, "proxy.example.com:65536": false,
		"http://proxy.example.com:3128/proxy.pac": false, "http://proxy.example.com:3128?a=b": false, "http://proxy.example.com:3128#a": false,
	} {
		if isProxyURL(setting) != want {
			t.Errorf("%q is a proxy's URL: %v, want %v", setting, !want, want)
		}
		if want {
			continue // net/http reads the environment once, for all tests
		}
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			t.Run(name+" "+setting, func(t *testing.T) {
				t.Setenv(name, setting)
				c, err := New(Config{BaseURL: "https://api.example.com", AccountSID: "s", Credentials: testCredentials})
				if err == nil || c != nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "Sample") {
					t.Errorf("client %v, error %v; want one that names %s", c, err, name)
				}
				if _, err := New(Config{BaseURL: "http://localhost", AccountSID: "s", Credentials: testCredentials}); err != nil {
					t.Errorf("a server on this machine: %v", err)
				}
			})
		}
	}
}

func TestProxyPasswordsAreWithheld(t *testing.T) {
	proxy, err := url.Parse("http://user:Sample-pr0xy@proxy.example.com")
	if err != nil {
		t.Fatal(err)
	}
	s := newSecretSet(proxySecrets(proxy)...)
	for _, text := range []string{"proxyconnect: " + proxy.String(), basicAuth("user", "Sample-pr0xy")} {
		if got := s.safe(text); got != withheld {
			t.Errorf("shows %s", got)
		}
	}
	if got := len(proxySecrets(nil)) + len(proxySecrets(&url.URL{Host: "proxy.example.com"})); got != 0 {
		t.Errorf("%d secrets of proxies that have none", got)
	}
}

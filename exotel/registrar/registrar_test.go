package registrar_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
	"siprotate/exotel/registrar"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // most of them wait; a flag on the command line wins
	goleak.VerifyTestMain(m)
}

const (
	first  = "Example-Pass-1"
	second = "Example-Pass-2"
)

var transports = []registrar.Transport{registrar.TLS, registrar.TCP, registrar.UDP}

// A world is an API and a registrar that takes its passwords.
type world struct {
	api    *exoteltest.Server
	put    func(t testing.TB, user exotel.User, password string)
	config func(registrar.Transport) registrar.Config
}

func newAPI(t testing.TB, users int) world {
	api := exoteltest.New(exoteltest.Options{Users: users})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	client, err := exotel.New(exotel.Config{
		BaseURL: server.URL, AccountSID: exoteltest.DefaultCredential,
		Credentials: func() (key, token string, err error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
		Transport: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return world{api: api, put: func(t testing.TB, user exotel.User, password string) {
		t.Helper()
		if _, err := client.SetPassword(t.Context(), user.ID, user.Devices[1].ID, password); err != nil {
			t.Fatal(err)
		}
	}}
}

// standIn returns the stand-in's registrar, which listens on all transports.
func standIn(t testing.TB, users int, opt exoteltest.RegistrarOptions) (world, *exoteltest.Registrar) {
	t.Helper()
	w := newAPI(t, users)
	r, err := exoteltest.NewRegistrar(w.api, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	proxies := map[registrar.Transport]string{}
	for _, transport := range transports {
		if proxies[transport], err = r.Listen(string(transport), "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	w.config = func(transport registrar.Transport) registrar.Config {
		config := registrar.Config{
			Proxy: proxies[transport], Transport: transport, UserAgent: "siprotate/test",
			AccountSID: exoteltest.DefaultCredential, Timeout: 20 * time.Second,
		}
		if transport == registrar.TLS {
			config.CA = r.CA()
		}
		return config
	}
	return w, r
}

func dial(t testing.TB, config registrar.Config) *registrar.Client {
	t.Helper()
	c, err := registrar.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func prove(t testing.TB, c *registrar.Client, sipID, password string) registrar.Proof {
	t.Helper()
	p, err := c.Prove(t.Context(), sipID, password)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sipID(i int) string { return exotel.SIPID(exoteltest.GeneratedUser(i).Devices[1].ContactURI) }

// check compares a proof with "verdict code reason", and whether to stop.
func check(t testing.TB, p registrar.Proof, want string, stop bool) {
	t.Helper()
	if got := fmt.Sprint(p.Verdict, " ", p.Code, " ", p.Reason); got != want || p.Stop != stop {
		t.Errorf("got %q, stop %v; want %q, stop %v", got, p.Stop, want, stop)
	}
}

func TestPasswordsAgainstStandIn(t *testing.T) {
	w, _ := standIn(t, 2, exoteltest.RegistrarOptions{})
	testPasswords(t, w)
}

// testPasswords holds what any registrar must show, over each transport.
func testPasswords(t *testing.T, w world) {
	user := exoteltest.GeneratedUser(0)
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			c := dial(t, w.config(transport))
			for _, password := range []string{first, second} {
				w.put(t, user, password)
				p := prove(t, c, sipID(0), password)
				check(t, p, "accepted 200 OK", false)
				if !p.Challenged || p.Answers != 1 {
					t.Errorf("challenged %v, %d answers", p.Challenged, p.Answers)
				}
			}
			p := prove(t, c, sipID(0), first)
			check(t, p, "refused 401 Unauthorized", false)
			if !p.Challenged || p.Answers != 1 || p.Bindings != nil {
				t.Errorf("%+v", p)
			}
			check(t, prove(t, c, "nobody", first), "refused 401 Unauthorized", false)
			c.Reset()
			check(t, prove(t, c, sipID(0), second), "accepted 200 OK", false)
		})
	}
}

func TestVerdicts(t *testing.T) {
	const noQueries = "unclear %d the registrar takes no queries: %s"
	tests := []struct {
		name     string
		opt      exoteltest.RegistrarOptions
		password string
		want     string
		stop     bool
		answers  int
	}{
		{"right", exoteltest.RegistrarOptions{}, first, "accepted 200 OK", false, 1},
		{"wrong", exoteltest.RegistrarOptions{}, second, "refused 401 Unauthorized", false, 1},
		{"only MD5", exoteltest.RegistrarOptions{Algorithms: []string{"MD5"}}, first, "accepted 200 OK", false, 1},
		{"only SHA-256", exoteltest.RegistrarOptions{Algorithms: []string{"SHA-256"}}, first, "accepted 200 OK", false, 1},
		{"wrong, only SHA-256", exoteltest.RegistrarOptions{Algorithms: []string{"SHA-256"}}, second, "refused 401 Unauthorized", false, 1},
		{"unknown algorithm first", exoteltest.RegistrarOptions{Algorithms: []string{"SHA-3", "MD5-sess", "MD5"}}, first, "accepted 200 OK", false, 1},
		{"unknown algorithm", exoteltest.RegistrarOptions{Algorithms: []string{"MD5-sess"}}, first, "unclear 401 the challenge is of no kind that is known: Unauthorized", false, 0},
		{"stale", exoteltest.RegistrarOptions{StaleNonces: 1}, first, "accepted 200 OK", false, 2},
		{"stale, then wrong", exoteltest.RegistrarOptions{StaleNonces: 1}, second, "refused 401 Unauthorized", false, 2},
		{"always stale", exoteltest.RegistrarOptions{StaleNonces: 1000}, first, "unclear 401 the registrar calls every nonce stale: Unauthorized", false, 2},
		{"accepts anything", exoteltest.RegistrarOptions{AcceptsAnything: true}, second, "accepted 200 OK", false, 1},
		{"no challenge", exoteltest.RegistrarOptions{Unchallenged: true}, first, "unclear 200 the registrar asked for no password: OK", false, 0},
		{"403", exoteltest.RegistrarOptions{Answer: 403}, first, "unclear 403 a lockout, the wrong domain, or not this credential: Forbidden", true, 0},
		{"404", exoteltest.RegistrarOptions{Answer: 404}, first, "refused 404 the registrar does not know the SIP id: Not Found", false, 0},
		{"400", exoteltest.RegistrarOptions{Answer: 400}, first, fmt.Sprintf(noQueries, 400, "Bad Request"), true, 0},
		{"405", exoteltest.RegistrarOptions{Answer: 405}, first, fmt.Sprintf(noQueries, 405, "Method Not Allowed"), true, 0},
		{"501", exoteltest.RegistrarOptions{Answer: 501}, first, fmt.Sprintf(noQueries, 501, "Not Implemented"), true, 0},
		{"500", exoteltest.RegistrarOptions{Answer: 500}, first, "unclear 500 Server Internal Error", false, 0},
		{"503", exoteltest.RegistrarOptions{Answer: 503}, first, "unclear 503 Service Unavailable", false, 0},
		{"no phrase", exoteltest.RegistrarOptions{Answer: 600}, first, "unclear 600 SIP 600", false, 0},
		{"wrong domain", exoteltest.RegistrarOptions{Domain: "elsewhere.example"}, first, "unclear 403 a lockout, the wrong domain, or not this credential: Forbidden", true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, r := standIn(t, 1, tt.opt)
			w.put(t, exoteltest.GeneratedUser(0), first)
			p := prove(t, dial(t, w.config(registrar.TCP)), sipID(0), tt.password)
			check(t, p, tt.want, tt.stop)
			if p.Answers != tt.answers || p.Challenged != (tt.answers > 0 || p.Code == 401) {
				t.Errorf("%d answers, challenged %v", p.Answers, p.Challenged)
			}
			if s := r.Stats(); s.MostAnswers != tt.answers || s.Contacts != 0 {
				t.Errorf("the registrar saw %+v", s)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	w, _ := standIn(t, 1, exoteltest.RegistrarOptions{Silent: true})
	for _, transport := range transports {
		config := w.config(transport)
		config.Timeout = 50 * time.Millisecond
		if transport == registrar.TLS {
			config.Timeout = time.Second // for the handshake
		}
		p := prove(t, dial(t, config), sipID(0), first)
		check(t, p, fmt.Sprintf("unclear 0 no answer within %v", config.Timeout), false)
	}
}

func TestNoServer(t *testing.T) {
	w, _ := standIn(t, 1, exoteltest.RegistrarOptions{})
	tls := w.config(registrar.TLS)
	other, _, err := exoteltest.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	wrongCA, plain := tls, tls
	wrongCA.CA = other
	plain.Proxy = w.config(registrar.TCP).Proxy
	check(t, prove(t, dial(t, wrongCA), sipID(0), first), "unclear 0 the proxy's certificate is not valid for it", false)
	if got := prove(t, dial(t, plain), sipID(0), first); got.Verdict != registrar.Unclear || got.Code != 0 {
		t.Errorf("TLS to a plain port: %+v", got)
	}
	gone := registrar.Config{Proxy: "127.0.0.1:9", Transport: registrar.TCP, Domain: "a.example"}
	check(t, prove(t, dial(t, gone), sipID(0), first), "unclear 0 connection refused", false)
	gone.Transport = registrar.UDP
	check(t, prove(t, dial(t, gone), sipID(0), first), "unclear 0 connection refused", false)
}

func TestLockoutAndCache(t *testing.T) {
	w, r := standIn(t, 2, exoteltest.RegistrarOptions{LockAfter: 2, CacheFor: time.Hour})
	w.put(t, exoteltest.GeneratedUser(0), first)
	c := dial(t, w.config(registrar.TCP))
	check(t, prove(t, c, sipID(0), first), "accepted 200 OK", false)
	w.put(t, exoteltest.GeneratedUser(0), second)
	check(t, prove(t, c, sipID(0), second), "refused 401 Unauthorized", false)
	check(t, prove(t, c, sipID(0), second), "refused 401 Unauthorized", false)
	check(t, prove(t, c, sipID(0), first), "unclear 403 a lockout, the wrong domain, or not this credential: Forbidden", true)
	if s := r.Stats(); s.Locked != 1 || s.Wrong != 2 {
		t.Errorf("%+v", s)
	}
}

func TestBindings(t *testing.T) {
	phone := func(i int) exoteltest.Phone {
		return exoteltest.Phone{Expires: time.Duration(1-i) * time.Hour, Renew: time.Minute}
	}
	w, _ := standIn(t, 2, exoteltest.RegistrarOptions{Phone: phone})
	c := dial(t, w.config(registrar.TLS))
	for i, want := range []int{1, 0} {
		w.put(t, exoteltest.GeneratedUser(i), first)
		before := time.Now()
		p := prove(t, c, sipID(i), first)
		check(t, p, "accepted 200 OK", false)
		if len(p.Bindings) != want {
			t.Fatalf("%+v", p)
		}
		for _, b := range p.Bindings {
			if b.Contact != "sip:"+sipID(i)+"@192.0.2.1:5060;transport=tls" || b.Left <= 58*time.Minute || b.Left > time.Hour {
				t.Errorf("%+v", b)
			}
			if b.End.Before(before.Add(b.Left)) || b.End.After(time.Now().Add(b.Left)) {
				t.Errorf("ends %v", b.End)
			}
		}
	}
}

func TestProveRefuses(t *testing.T) {
	c := dial(t, registrar.Config{Proxy: "127.0.0.1:9", Transport: registrar.TCP, Domain: "a.example"})
	for _, id := range []string{"", "a b", "a@b", "a\r\nContact: *", "sip:a", "ä", strings.Repeat("a", 129)} {
		if _, err := c.Prove(t.Context(), id, first); err == nil {
			t.Errorf("%q: no error", id)
		}
	}
	if _, err := c.Prove(t.Context(), "a", ""); err == nil {
		t.Error("no password: no error")
	}
}

func TestCancelAndClose(t *testing.T) {
	w, r := standIn(t, 1, exoteltest.RegistrarOptions{Silent: true})
	w.put(t, exoteltest.GeneratedUser(0), first)
	for _, transport := range transports {
		c := dial(t, w.config(transport))
		ctx, cancel := context.WithCancel(t.Context())
		before := r.Stats().Requests
		done := make(chan error)
		go func() {
			_, err := c.Prove(ctx, sipID(0), first)
			done <- err
		}()
		for r.Stats().Requests == before { // until it is under way
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", transport, err)
		}
		go func() {
			_, err := c.Prove(t.Context(), sipID(0), first)
			done <- err
		}()
		c.Close()
		if err := <-done; !errors.Is(err, registrar.ErrClosed) {
			t.Errorf("%s: %v", transport, err)
		}
		if _, err := c.Prove(t.Context(), sipID(0), first); !errors.Is(err, registrar.ErrClosed) {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := registrar.Config{Proxy: registrar.ProxyMumbai, AccountSID: "example1"}
	if _, err := registrar.New(good); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*registrar.Config){
		"no proxy":            func(c *registrar.Config) { c.Proxy = "" },
		"no port":             func(c *registrar.Config) { c.Proxy = "voip.example" },
		"port 0":              func(c *registrar.Config) { c.Proxy = "voip.example:0" },
		"no host":             func(c *registrar.Config) { c.Proxy = ":443" },
		"no domain":           func(c *registrar.Config) { c.AccountSID = "" },
		"not a domain":        func(c *registrar.Config) { c.Domain = "a;transport=udp" },
		"not an account":      func(c *registrar.Config) { c.AccountSID = "a@b" },
		"transport":           func(c *registrar.Config) { c.Transport = "ws" },
		"plain off loopback":  func(c *registrar.Config) { c.Transport = registrar.UDP },
		"CA":                  func(c *registrar.Config) { c.CA = []byte("none") },
		"CA without TLS":      func(c *registrar.Config) { c.Transport, c.Insecure, c.CA = registrar.TCP, true, []byte("x") },
		"negative timeout":    func(c *registrar.Config) { c.Timeout = -1 },
		"user agent's header": func(c *registrar.Config) { c.UserAgent = "a\r\nContact: *" },
	}
	for name, change := range tests {
		config := good
		change(&config)
		if _, err := registrar.New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, host := range []string{"127.0.0.1:5060", "[::1]:5060", "localhost:5060"} {
		if _, err := registrar.New(registrar.Config{Proxy: host, Transport: registrar.UDP, AccountSID: "example1"}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := registrar.New(registrar.Config{Proxy: "voip.example:5060", Transport: registrar.UDP, Insecure: true, AccountSID: "example1"}); err != nil {
		t.Error(err)
	}
}

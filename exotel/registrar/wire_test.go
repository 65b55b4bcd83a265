package registrar_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"siprotate/exotel/exoteltest"
	"siprotate/exotel/registrar"
)

// A tap stands between a client and a registrar, and keeps what the client sends.
type tap struct {
	mu    sync.Mutex
	sent  bytes.Buffer
	conns int
}

func (tp *tap) Write(b []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.sent.Write(b)
}

// seen returns what was sent so far, and over how many connections.
func (tp *tap) seen() (sent string, conns int) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.sent.String(), tp.conns
}

// listen passes connections on to the proxy of config, and returns config with
// the tap in its place.
func (tp *tap) listen(t *testing.T, config registrar.Config) registrar.Config {
	t.Helper()
	if config.Transport == registrar.UDP {
		return tp.listenUDP(t, config)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config.Transport == registrar.TLS {
		ca, key, err := exoteltest.NewCertificate()
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(ca, key)
		if err != nil {
			t.Fatal(err)
		}
		config.CA = ca
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	to := config.Proxy
	insecure := config.Transport == registrar.TLS
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { tp.pass(conn, to, insecure) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		wait.Wait()
	})
	config.Proxy = l.Addr().String()
	return config
}

func (tp *tap) pass(conn net.Conn, to string, overTLS bool) {
	tp.mu.Lock()
	tp.conns++
	tp.mu.Unlock()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	if overTLS {
		out = tls.Client(out, &tls.Config{InsecureSkipVerify: true})
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		io.Copy(conn, out)
		conn.Close()
	})
	io.Copy(io.MultiWriter(tp, out), conn)
	out.Close()
	wait.Wait()
}

func (tp *tap) listenUDP(t *testing.T, config registrar.Config) registrar.Config {
	in, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("udp", config.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	client := make(chan net.Addr, 1)
	var wait sync.WaitGroup
	wait.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := in.ReadFrom(buf)
			if err != nil {
				return
			}
			select {
			case client <- from:
			default:
			}
			tp.Write(buf[:n])
			out.Write(buf[:n])
		}
	})
	wait.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := out.Read(buf)
			if err != nil {
				return
			}
			in.WriteTo(buf[:n], <-client)
		}
	})
	t.Cleanup(func() {
		in.Close()
		out.Close()
		wait.Wait()
	})
	config.Proxy = in.LocalAddr().String()
	return config
}

// harmful finds what would change a binding, in its long and its short form.
var harmful = regexp.MustCompile(`(?im)^\s*(contact|m|expires)\s*:`)

func TestWireHasNoContactNoExpiresNoPassword(t *testing.T) {
	for _, transport := range transports {
		for _, opt := range []exoteltest.RegistrarOptions{{}, {StaleNonces: 1}, {StaleNonces: 9}, {AcceptsAnything: true}, {Answer: 403}, {Unchallenged: true}} {
			w, r := standIn(t, 1, opt)
			w.put(t, exoteltest.GeneratedUser(0), first)
			tp := &tap{}
			c := dial(t, tp.listen(t, w.config(transport)))
			prove(t, c, sipID(0), first)
			prove(t, c, sipID(0), second)
			c.Close()
			sent, _ := tp.seen()
			requests := strings.Count(sent, "REGISTER sip:sandbox.voip.exotel.com SIP/2.0\r\n")
			if requests < 2 || requests != strings.Count(sent, "User-Agent: siprotate/test\r\n") {
				t.Errorf("%s, %+v: %d requests:\n%s", transport, opt, requests, sent)
			}
			if found := harmful.FindString(sent); found != "" {
				t.Errorf("%s, %+v: sent %q", transport, opt, found)
			}
			if strings.Contains(sent, first) || strings.Contains(sent, second) {
				t.Errorf("%s, %+v: sent a password", transport, opt)
			}
			if answers := strings.Count(sent, "\r\nAuthorization: "); answers > 4 {
				t.Errorf("%s, %+v: %d answers for two questions", transport, opt, answers)
			}
			if s := r.Stats(); s.Contacts != 0 {
				t.Errorf("%+v", s)
			}
		}
	}
}

func TestStrongestAlgorithm(t *testing.T) {
	for want, offered := range map[string][]string{
		"SHA-256":     {"MD5", "SHA-256"},
		"SHA-512-256": {"MD5", "SHA-512-256", "SHA-256"},
		"MD5":         {"MD5-sess", "MD5"},
	} {
		w, _ := standIn(t, 1, exoteltest.RegistrarOptions{Algorithms: offered})
		w.put(t, exoteltest.GeneratedUser(0), first)
		tp := &tap{}
		check(t, prove(t, dial(t, tp.listen(t, w.config(registrar.TCP))), sipID(0), first), "accepted 200 OK", false)
		if sent, _ := tp.seen(); !strings.Contains(sent, "algorithm="+want+",") {
			t.Errorf("of %v, not %s:\n%s", offered, want, sent)
		}
	}
}

func TestOneConnectionUntilReset(t *testing.T) {
	w, _ := standIn(t, 1, exoteltest.RegistrarOptions{})
	w.put(t, exoteltest.GeneratedUser(0), first)
	for _, transport := range []registrar.Transport{registrar.TLS, registrar.TCP} {
		tp := &tap{}
		c := dial(t, tp.listen(t, w.config(transport)))
		for range 3 {
			check(t, prove(t, c, sipID(0), first), "accepted 200 OK", false)
		}
		if _, conns := tp.seen(); conns != 1 {
			t.Errorf("%d connections", conns)
		}
		c.Reset()
		check(t, prove(t, c, sipID(0), first), "accepted 200 OK", false)
		if _, conns := tp.seen(); conns != 2 {
			t.Errorf("%d connections after a reset", conns)
		}
	}
}

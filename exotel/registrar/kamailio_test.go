//go:build unix

package registrar_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"siprotate/exotel/exoteltest"
	"siprotate/exotel/registrar"
)

var full = flag.Bool("full", false, "prove 200 passwords at one a second against Kamailio's flood limits, not 12 at 300 ms")

// A kamailio is a running one, and the folder of its files.
type kamailio struct {
	Dir, API, Domain, Modules, Algorithm string
	Port, TLSPort                        int
	Pike                                 bool

	ca []byte
}

// startKamailio starts a Kamailio over the passwords of a new API, and ends it
// with the test.
func startKamailio(t testing.TB, users int, k kamailio) (world, *kamailio) {
	t.Helper()
	program, modules := findKamailio(t)
	w := newAPI(t, users)
	passwords := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		password, _ := w.api.SIPPassword(strings.TrimPrefix(r.URL.Path, "/"))
		if password == "" {
			http.NotFound(rw, r)
			return
		}
		io.WriteString(rw, password)
	}))
	t.Cleanup(passwords.Close)

	k.API, k.Modules, k.Domain = passwords.URL, modules, exoteltest.DefaultCredential+".voip.exotel.com"
	k.Port, k.TLSPort = freePort(t), freePort(t)
	k.write(t)
	k.run(t, program)
	w.config = func(transport registrar.Transport) registrar.Config {
		config := registrar.Config{
			Proxy: net.JoinHostPort("127.0.0.1", strconv.Itoa(k.Port)), Transport: transport,
			AccountSID: exoteltest.DefaultCredential, UserAgent: "siprotate/test",
		}
		if transport == registrar.TLS {
			config.Proxy, config.CA = net.JoinHostPort("localhost", strconv.Itoa(k.TLSPort)), k.ca
		}
		return config
	}
	return w, &k
}

func findKamailio(t testing.TB) (program, modules string) {
	t.Helper()
	for _, name := range []string{"kamailio", "/usr/sbin/kamailio"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		found, _ := filepath.Glob("/usr/lib/*/kamailio/modules/http_client.so")
		if _, err := exec.LookPath("/usr/sbin/kamcmd"); err == nil && len(found) == 1 {
			return path, filepath.Dir(found[0]) + "/"
		}
	}
	t.Skip("not run: it takes Kamailio (Debian's kamailio, kamailio-tls-modules and kamailio-utils-modules)")
	return "", ""
}

// freePort returns a port that nothing listens on: none of those that a system
// gives to connections, one of which could take it before Kamailio does.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// write writes the configuration and a certificate. The folder is not the test's
// own: the path of a Unix socket ends at 107 bytes.
func (k *kamailio) write(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "kam")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	k.Dir = dir
	ca, key, err := exoteltest.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	k.ca = ca
	var config bytes.Buffer
	if err := template.Must(template.ParseFiles("testdata/kamailio.cfg")).Execute(&config, k); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"cert.pem": ca, "key.pem": key, "kamailio.cfg": config.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run starts Kamailio and waits until it listens, for TLS too, which comes last.
func (k *kamailio) run(t testing.TB, program string) {
	t.Helper()
	log, err := os.Create(filepath.Join(k.Dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-DD", "-E", "-m", "32", "-Y", k.Dir, "-f", filepath.Join(k.Dir, "kamailio.cfg"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // a child that missed the end, as one does that was just forked
		log.Close()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("Kamailio's log:\n%s", text)
		}
	})
	for {
		select {
		case err := <-ended:
			ended <- err
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("Kamailio ended: %v\n%s", err, text)
		case <-time.After(20 * time.Millisecond):
		}
		if listens(k.Port) && listens(k.TLSPort) {
			return
		}
	}
}

func listens(port int) bool {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// cmd runs a command of Kamailio's.
func (k *kamailio) cmd(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("/usr/sbin/kamcmd", append([]string{"-s", "unix:" + k.Dir + "/ctl"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// phone adds the binding of a phone.
func (k *kamailio) phone(t testing.TB, user, contact string) {
	t.Helper()
	k.cmd(t, "ul.add", "location", user, contact, "3600", "1.0", "s:0", "0", "0", "0")
}

func TestPasswordsAgainstKamailio(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"MD5", "SHA-256"} {
		t.Run(algorithm, func(t *testing.T) {
			w, _ := startKamailio(t, 2, kamailio{Algorithm: algorithm})
			testPasswords(t, w)
		})
	}
}

var expires = regexp.MustCompile(`(?m)^\s*Expires: (\d+)$`)

// TestKamailioKeepsBindings compares every field of the bindings but the one that
// counts down.
func TestKamailioKeepsBindings(t *testing.T) {
	t.Parallel()
	const proofs = 200
	w, k := startKamailio(t, 2, kamailio{Algorithm: "MD5"})
	w.put(t, exoteltest.GeneratedUser(0), first)
	contacts := []string{"sip:a@192.0.2.1:5060", "sip:a@192.0.2.2:5060;transport=tcp"}
	for _, contact := range contacts {
		k.phone(t, sipID(0), contact)
	}
	before := k.cmd(t, "ul.lookup", "location", sipID(0))
	for i := range proofs {
		c := dial(t, w.config(transports[i%3]))
		password, want := first, registrar.Accepted
		if i%4 == 3 {
			password, want = second, registrar.Refused
		}
		p := prove(t, c, sipID(0), password)
		if p.Verdict != want {
			t.Fatalf("proof %d: %+v", i, p)
		}
		c.Close()
		if want != registrar.Accepted {
			continue
		}
		if len(p.Bindings) != len(contacts) {
			t.Fatalf("proof %d: %+v", i, p)
		}
		for _, b := range p.Bindings {
			if !strings.Contains(strings.Join(contacts, " "), b.Contact) || b.Left < 59*time.Minute || b.Left > time.Hour {
				t.Errorf("%+v", b)
			}
		}
	}
	after := k.cmd(t, "ul.lookup", "location", sipID(0))
	if got, want := expires.ReplaceAllString(after, ""), expires.ReplaceAllString(before, ""); got != want || len(expires.FindAllString(before, -1)) != len(contacts) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for i, was := range expires.FindAllStringSubmatch(before, -1) {
		was, _ := strconv.Atoi(was[1])
		is, _ := strconv.Atoi(expires.FindAllStringSubmatch(after, -1)[i][1])
		if is > was || is < was-120 {
			t.Errorf("a binding of %d s has %d s now", was, is)
		}
	}
}

// TestKamailioBansNobody proves at a pace, and then shows that without one it
// would have been banned.
func TestKamailioBansNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("not run with -short: it takes seconds")
	}
	t.Parallel()
	proofs, beat := 12, 300*time.Millisecond
	if *full {
		proofs, beat = 200, time.Second
	}
	w, _ := startKamailio(t, 1, kamailio{Algorithm: "MD5", Pike: true})
	w.put(t, exoteltest.GeneratedUser(0), first)
	config := w.config(registrar.UDP)
	config.Timeout = time.Second
	c := dial(t, config)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for i := range proofs {
		if p := prove(t, c, sipID(0), first); p.Verdict != registrar.Accepted {
			t.Fatalf("proof %d: %+v", i, p)
		}
		<-tick.C
	}
	for range 100 {
		if p := prove(t, c, sipID(0), first); p.Verdict != registrar.Accepted {
			check(t, p, fmt.Sprintf("unclear 0 no answer within %v", config.Timeout), false)
			return
		}
	}
	t.Error("a hundred proofs at once were not banned either: the limits are off")
}

func BenchmarkKamailio(b *testing.B) {
	w, _ := startKamailio(b, 1, kamailio{Algorithm: "MD5"})
	w.put(b, exoteltest.GeneratedUser(0), first)
	for _, transport := range transports {
		b.Run(string(transport), func(b *testing.B) {
			c := dial(b, w.config(transport))
			for b.Loop() {
				if p, err := c.Prove(context.Background(), sipID(0), first); err != nil || p.Verdict != registrar.Accepted {
					b.Fatal(p, err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "proofs/s")
		})
	}
}

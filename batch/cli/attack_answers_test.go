//go:build linux

package cli_test

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A fakeServer answers in the API's place while it is on. Every other request
// takes effect all the same.
type fakeServer struct {
	api    http.Handler
	answer func(*peer)
	on     atomic.Bool
	came   atomic.Int64
	sent   atomic.Int64 // bytes of its answers that a client took
}

// A peer is the client of a request, on a bare connection.
type peer struct {
	net.Conn
	sent *atomic.Int64
}

// write writes a text, and reports whether it was taken.
func (p *peer) write(text string) bool {
	n, err := io.WriteString(p.Conn, text)
	p.sent.Add(int64(n))
	return err == nil
}

// repeat writes a head, and then a text again and again, up to a size or until
// the peer takes no more.
func (p *peer) repeat(head, text string, size int) {
	piece := strings.Repeat(text, 1+(64<<10)/len(text))
	for taken := p.write(head); taken && size > 0; size -= len(piece) {
		taken = p.write(piece[:min(len(piece), size)])
	}
}

// trickle writes a head, and then a text now and then, until the peer takes no
// more.
func (p *peer) trickle(head, text string) {
	for taken := p.write(head); taken; taken = p.write(text) {
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.on.Load() {
		s.api.ServeHTTP(w, r)
		return
	}
	if s.came.Add(1)%2 == 0 {
		s.api.ServeHTTP(httptest.NewRecorder(), r)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	s.answer(&peer{conn, &s.sent})
}

// replaceAPI puts a fake server, which is on, before the API of a run.
func replaceAPI(t *testing.T, r *rotation, answer func(*peer)) *fakeServer {
	t.Helper()
	fake := &fakeServer{api: r.api, answer: answer}
	fake.on.Store(true)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	r.base = server.URL
	return fake
}

const (
	huge = 10 << 30 // bytes that no answer has
	head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	good = `{"request_id":"0","method":"PUT","http_code":200,"response":{"code":200,"error_data":null,"status":"success","data":null}}`
)

// bomb is 64 MiB of spaces, packed. Many of them strung together are packed
// spaces too.
func bomb() string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		w.Write(spaces)
	}
	w.Close()
	return b.String()
}

// TestAttackAnswers meets answers that no sound server gives. None is taken for
// a confirmation or a refusal, none is read without an end, and each row is
// settled once the API answers as it should.
func TestAttackAnswers(t *testing.T) {
	t.Parallel()
	packed := bomb()
	n := tried(t, "answers without an end, and other nonsense")
	for name, answer := range map[string]func(*peer){
		"10 GB body":                      func(p *peer) { p.repeat(fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, huge), " ", huge) },
		"10 GB body behind a good answer": func(p *peer) { p.repeat(head+"Connection: close\r\n\r\n"+good, " ", huge) },
		"endless header":                  func(p *peer) { p.repeat(head, "X-A: a\r\n", huge) },
		"endless header line":             func(p *peer) { p.repeat(head+"X-A: ", "a", huge) },
		"endless status line":             func(p *peer) { p.repeat("HTTP/1.1 200 ", "O", huge) },
		"1xx flood":                       func(p *peer) { p.repeat("", "HTTP/1.1 103 Early Hints\r\n\r\n", huge) },
		"1xx flood with headers":          func(p *peer) { p.repeat("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", huge) },
		"101": func(p *peer) {
			p.repeat("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", good, huge)
		},
		"endless chunked body":    func(p *peer) { p.repeat(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", huge) },
		"endless trailer":         func(p *peer) { p.repeat(head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-A: a\r\n", huge) },
		"endless chunk extension": func(p *peer) { p.repeat(head+"Transfer-Encoding: chunked\r\n\r\n1;", "a", huge) },
		"dripping body":           func(p *peer) { p.trickle(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n") },
		"dripping header":         func(p *peer) { p.trickle(head, "X-A: a\r\n") },
		"gzip bomb": func(p *peer) {
			p.repeat(head+"Content-Encoding: gzip\r\nConnection: close\r\n\r\n", packed, 160*len(packed))
		},
		"too short a length": func(p *peer) { p.write(head + "Content-Length: 60\r\n\r\n" + good) },
		"too long a length":  func(p *peer) { p.write(head + "Content-Length: 9999\r\n\r\n" + good) },
		"a negative length":  func(p *peer) { p.write(head + "Content-Length: -1\r\n\r\n" + good) },
		"two lengths":        func(p *peer) { p.write(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + good) },
		"nothing":            func(*peer) {},
		"not HTTP":           func(p *peer) { p.repeat("", "220 smtp.example.com ESMTP\r\n", 1<<10) },
		"zeros":              func(p *peer) { p.repeat("", "\x00", 1<<10) },
		"half a head":        func(p *peer) { p.write(head) },
		"deep JSON":          func(p *peer) { p.repeat(head+"Connection: close\r\n\r\n", "[", 1<<20) },
	} {
		n.times++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := faultless(t, 0)
			fake := replaceAPI(t, r, answer)
			args := append(r.runArgs("--timeout", "500ms", "--workers", "2"), "--max-failures", "4", "-v")
			p := launch{}.start(t, r.base, args...)
			exits(t, p, 4)
			fake.checkFrugal(t, p)
			r.checkRecoverable()
			r.checkReports()
			if s := readSummary(t, r.dir); s.Rotated+s.Failed > 0 || s.Unknown < 4 {
				t.Errorf("nonsense counts as a verdict: %+v", s)
			}
			fake.on.Store(false)
			r.finish()
		})
	}
}

// checkFrugal wants a program to have read little of each answer, and to have kept
// little of it in memory.
func (s *fakeServer) checkFrugal(t *testing.T, p *process) {
	t.Helper()
	const each = 16 << 20 // 1 MiB is the limit of a body; sockets take some more
	if sent, came := s.sent.Load(), s.came.Load(); sent > each*came {
		t.Errorf("%d bytes of %d answers were taken", sent, came)
	}
	inMemory(t, p, 300)
	if said := p.stderr.Len(); said > 1<<20 {
		t.Errorf("it says %d bytes", said)
	}
}

// inMemory wants a program to have used at most so many MB. The figure of a child
// begins with its parent's at the fork: one that is not above that says nothing.
func inMemory(t *testing.T, p *process, most int64) {
	t.Helper()
	if raceDetected() {
		return // the detector takes many times the program's own
	}
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatalf("no resource usage but a %T", p.cmd.ProcessState.SysUsage())
	}
	var own syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	if used := usage.Maxrss * 1024 / 1e6; used > most && usage.Maxrss > own.Maxrss {
		t.Errorf("it used %d MB of memory", used)
	}
}

// raceDetected reports whether the race detector is at work.
func raceDetected() bool {
	info, _ := debug.ReadBuildInfo() // nil only without modules
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestAttackOldHTTP speaks HTTP/1.0, which is no attack and no reason to fail.
func TestAttackOldHTTP(t *testing.T) {
	r := faultless(t, 0)
	replaceAPI(t, r, func(p *peer) { p.write("HTTP/1.0 200 OK\r\n\r\n" + good) })
	n := tried(t, "answers in HTTP/1.0")
	n.times = 1
	exits(t, launch{}.start(t, r.base, r.runArgs()...), 0)
}

// TestAttackRedirect sends the requests on to another host. That host must see
// neither the credentials nor a password, nor anything else.
func TestAttackRedirect(t *testing.T) {
	t.Parallel()
	n := tried(t, "a redirect to another host")
	var strayed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		n.times++
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			r := faultless(t, status)
			fake := replaceAPI(t, r, func(p *peer) {
				p.write(fmt.Sprintf("HTTP/1.1 %d x\r\nLocation: %s/x\r\nContent-Length: 0\r\n\r\n", status, elsewhere.URL))
			})
			exits(t, launch{}.start(t, r.base, r.runArgs("--max-failures", "4", "--workers", "4")...), 4)
			if strayed.Load() > 0 {
				t.Error("the other host saw a request")
			}
			r.checkRecoverable()
			fake.on.Store(false)
			r.finish()
		})
	}
}

// TestAttackCertificate meets a server that cannot prove who it is. It gets no
// password; nor does one whose certificate is for another name.
func TestAttackCertificate(t *testing.T) {
	n := tried(t, "a wrong TLS certificate")
	r := faultless(t, 0)
	server := httptest.NewUnstartedServer(r.api)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	must(t, err)

	for i, base := range []string{"https://127.0.0.1:" + port, "https://localhost:" + port} {
		var env []string
		if i == 1 { // trusted, but not by that name
			env = []string{"SSL_CERT_FILE=" + trusted}
		}
		n.times++
		p := launch{env: env}.start(t, base, "run", r.input, "--yes", "-o", r.dir+strconv.Itoa(i))
		exits(t, p, 4)
		r.checkNothingSent()
		for _, want := range []string{"certificate not trusted", "hint: the server's certificate is not valid"} {
			if !strings.Contains(p.stderr.String(), want) {
				t.Errorf("it does not say %q: %s", want, p.stderr.String())
			}
		}
	}
	r.base = "https://127.0.0.1:" + port
	p := launch{env: []string{"SSL_CERT_FILE=" + trusted}}.start(t, r.base, r.runArgs()...)
	exits(t, p, 0) // so that it was the certificate
	r.checkEnd()
}

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

// An impostor answers in the far side's place while it is armed. Every other
// request takes effect all the same.
type impostor struct {
	far    http.Handler
	attack func(*bait)
	armed  atomic.Bool
	came   atomic.Int64
	sent   atomic.Int64 // bytes of its answers that somebody took
}

// A bait is a request that an impostor answers, on its bare connection.
type bait struct {
	net.Conn
	sent *atomic.Int64
}

func (b *bait) Write(p []byte) (int, error) {
	n, err := b.Conn.Write(p)
	b.sent.Add(int64(n))
	return n, err
}

// say writes a text, and reports whether it was taken.
func (b *bait) say(text string) bool {
	_, err := io.WriteString(b, text)
	return err == nil
}

// pour says a head, and then a text again and again, up to a size or until
// nobody takes it any more.
func (b *bait) pour(head, text string, size int) {
	piece := strings.Repeat(text, 1+(64<<10)/len(text))
	for taken := b.say(head); taken && size > 0; size -= len(piece) {
		taken = b.say(piece[:min(len(piece), size)])
	}
}

// drip says a head, and then a little now and then, until nobody takes it any
// more.
func (b *bait) drip(head, text string) {
	for taken := b.say(head); taken; taken = b.say(text) {
		time.Sleep(20 * time.Millisecond)
	}
}

func (i *impostor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !i.armed.Load() {
		i.far.ServeHTTP(w, r)
		return
	}
	if i.came.Add(1)%2 == 0 {
		i.far.ServeHTTP(httptest.NewRecorder(), r)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	i.attack(&bait{conn, &i.sent})
}

// impersonate puts an impostor before the far side of a run.
func impersonate(t *testing.T, r *rotation, attack func(*bait)) *impostor {
	t.Helper()
	i := &impostor{far: r.far, attack: attack}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	r.base = server.URL
	return i
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
// settled once the far side has come to its senses.
func TestAttackAnswers(t *testing.T) {
	packed := bomb()
	n := tried(t, "answers without an end, and other nonsense")
	for name, attack := range map[string]func(*bait){
		"10 GB body":                      func(b *bait) { b.pour(fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, huge), " ", huge) },
		"10 GB body behind a good answer": func(b *bait) { b.pour(head+"Connection: close\r\n\r\n"+good, " ", huge) },
		"endless header":                  func(b *bait) { b.pour(head, "X-A: a\r\n", huge) },
		"endless header line":             func(b *bait) { b.pour(head+"X-A: ", "a", huge) },
		"endless status line":             func(b *bait) { b.pour("HTTP/1.1 200 ", "O", huge) },
		"1xx flood":                       func(b *bait) { b.pour("", "HTTP/1.1 103 Early Hints\r\n\r\n", huge) },
		"1xx flood with headers":          func(b *bait) { b.pour("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", huge) },
		"101": func(b *bait) {
			b.pour("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", good, huge)
		},
		"endless chunked body":    func(b *bait) { b.pour(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", huge) },
		"endless trailer":         func(b *bait) { b.pour(head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-A: a\r\n", huge) },
		"endless chunk extension": func(b *bait) { b.pour(head+"Transfer-Encoding: chunked\r\n\r\n1;", "a", huge) },
		"dripping body":           func(b *bait) { b.drip(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n") },
		"dripping header":         func(b *bait) { b.drip(head, "X-A: a\r\n") },
		"gzip bomb": func(b *bait) {
			b.pour(head+"Content-Encoding: gzip\r\nConnection: close\r\n\r\n", packed, 160*len(packed))
		},
		"too short a length": func(b *bait) { b.say(head + "Content-Length: 60\r\n\r\n" + good) },
		"too long a length":  func(b *bait) { b.say(head + "Content-Length: 9999\r\n\r\n" + good) },
		"a negative length":  func(b *bait) { b.say(head + "Content-Length: -1\r\n\r\n" + good) },
		"two lengths":        func(b *bait) { b.say(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + good) },
		"nothing":            func(*bait) {},
		"not HTTP":           func(b *bait) { b.pour("", "220 smtp.example.com ESMTP\r\n", 1<<10) },
		"zeros":              func(b *bait) { b.pour("", "\x00", 1<<10) },
		"half a head":        func(b *bait) { b.say(head) },
		"deep JSON":          func(b *bait) { b.pour(head+"Connection: close\r\n\r\n", "[", 1<<20) },
	} {
		n.times++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := calm(t, 0)
			i := impersonate(t, r, attack)
			i.armed.Store(true)
			args := append(r.runArgs("--timeout", "500ms", "--workers", "2"), "--max-failures", "4", "-v")
			p := r.far.spare(func() *process { return launch{}.start(t, r.base, args...) })
			exits(t, p, 4)
			i.frugal(t, p)
			r.survive()
			r.reported()
			if s := readSummary(t, r.dir); s.Rotated+s.Failed > 0 || s.Unknown < 4 {
				t.Errorf("nonsense counts as a verdict: %+v", s)
			}
			i.armed.Store(false)
			r.finish()
		})
	}
}

// frugal wants a program to have read little of each answer, and to have kept
// little of it in memory.
func (i *impostor) frugal(t *testing.T, p *process) {
	t.Helper()
	const each = 16 << 20 // 1 MiB is the limit of a body; sockets take some more
	if sent, came := i.sent.Load(), i.came.Load(); sent > each*came {
		t.Errorf("%d bytes of %d answers were taken", sent, came)
	}
	inMemory(t, p, 300)
	if said := p.said.Len(); said > 1<<20 {
		t.Errorf("it says %d bytes", said)
	}
}

// inMemory wants a program to have used at most so many MB. The figure of a
// child begins with its parent's at the fork.
func inMemory(t *testing.T, p *process, most int64) {
	t.Helper()
	if raceDetected() {
		return // the detector takes many times the program's own
	}
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatalf("no resource usage but a %T", p.cmd.ProcessState.SysUsage())
	}
	if used := usage.Maxrss * 1024 / 1e6; used > most {
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
	r := calm(t, 0)
	i := impersonate(t, r, func(b *bait) { b.say("HTTP/1.0 200 OK\r\n\r\n" + good) })
	i.armed.Store(true)
	n := tried(t, "answers in HTTP/1.0")
	n.times = 1
	exits(t, launch{}.start(t, r.base, r.runArgs()...), 0)
}

// TestAttackRedirect sends the requests on to another host. That host must see
// neither the credentials nor a password, nor anything else.
func TestAttackRedirect(t *testing.T) {
	n := tried(t, "a redirect to another host")
	var strayed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		n.times++
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			r := calm(t, status)
			i := impersonate(t, r, func(b *bait) {
				b.say(fmt.Sprintf("HTTP/1.1 %d x\r\nLocation: %s/x\r\nContent-Length: 0\r\n\r\n", status, elsewhere.URL))
			})
			i.armed.Store(true)
			exits(t, launch{}.start(t, r.base, r.runArgs("--max-failures", "4", "--workers", "4")...), 4)
			if strayed.Load() > 0 {
				t.Error("the other host saw a request")
			}
			r.survive()
			i.armed.Store(false)
			r.finish()
		})
	}
}

// TestAttackCertificate meets a far side that cannot prove who it is. It gets no
// password; nor does one whose certificate is for another name.
func TestAttackCertificate(t *testing.T) {
	n := tried(t, "a wrong TLS certificate")
	r := calm(t, 0)
	server := httptest.NewUnstartedServer(r.far)
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
		r.unsent()
		for _, want := range []string{"certificate not trusted", "hint: the server's certificate is not valid"} {
			if !strings.Contains(p.said.String(), want) {
				t.Errorf("it does not say %q: %s", want, p.said.String())
			}
		}
	}
	r.base = "https://127.0.0.1:" + port
	p := launch{env: []string{"SSL_CERT_FILE=" + trusted}}.start(t, r.base, r.runArgs()...)
	exits(t, p, 0) // so that it was the certificate
	r.ended()
}

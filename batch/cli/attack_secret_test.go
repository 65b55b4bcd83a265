//go:build linux

package cli_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// The canaries' characters are those that each encoding writes in another way.
const (
	canaryToken    = `Canary/Token+"\<&>%?~1`
	canaryKey      = "sample-canary-key"
	canaryPassword = `Canary/Given+"\<&>%%?~%04d`
)

// The places of an answer that a [leakyServer] puts secrets in.
const (
	asHTTP = 8 // all that HTTP has
	anyhow = 9 // also where there should be HTTP
)

// A leakyServer is an API that has every fault, answers with the secrets that it
// was sent, and looks at what the system shows of its client.
type leakyServer struct {
	*recorder
	encode func(string) string
	places int // how many places of an answer it puts secrets in

	mu     sync.Mutex
	client *process
	shown  bytes.Buffer // what the system shows of the client to others
	asked  int
}

func (s *leakyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, token, _ := r.BasicAuth()
	n := s.inspect()
	if n%2 == 0 {
		s.recorder.ServeHTTP(w, r)
		return
	}
	var all []string
	for _, secret := range []string{passwordOf(string(body)), token, strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")} {
		all = append(all, "<"+s.encode(secret)+">")
	}
	text := strings.Join(all, " ")
	s.leak(w, n/2, text)
}

// inspect looks at the client, and counts.
func (s *leakyServer) inspect() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{"cmdline", "comm", "limits"} {
		shown, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.client.cmd.Process.Pid, name))
		s.shown.Write(shown)
	}
	s.asked++
	return s.asked
}

// leak answers with a text, in each place of an answer in turn.
func (s *leakyServer) leak(w http.ResponseWriter, place int, text string) {
	quoted, _ := json.Marshal(text)
	failure := func(status int, format string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, format, quoted)
	}
	switch place % s.places {
	case 0:
		failure(500, `{"request_id":%s,"response":{"code":500,"error_data":{"code":1,"message":"x"},"status":"failure"}}`)
	case 1:
		failure(404, `{"request_id":"x","response":{"code":404,"error_data":{"code":1,"message":%s},"status":"failure"}}`)
	case 2:
		failure(400, `{"request_id":"x","response":{"code":400,"error_data":{"code":1,"message":"x","description":%s},"status":"failure"}}`)
	case 3:
		failure(403, `{"request_id":"x","response":{"code":403,"error_data":{"code":%s,"message":"x"},"status":"failure"}}`)
	case 4:
		failure(500, `{"RestException":{"Status":500,"Message":%s,"Code":"X"}}`)
	case 5:
		failure(200, `{"request_id":"x","response":{"code":200,"error_data":null,"status":%s}}`)
	case 6:
		failure(500, `<html>%s</html>`)
	case 7:
		w.Header().Set("X-Request-Id", strings.Map(printable, text))
		w.Header().Set("Retry-After", strings.Map(printable, text))
		failure(500, `%s`)
	case 8: // no HTTP at all: net/http quotes what it cannot read
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", text)
			conn.Close()
		}
	}
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// encodings are the forms in which a secret can turn up.
var encodings = map[string]func(string) string{
	"plain":        func(s string) string { return s },
	"JSON":         func(s string) string { text, _ := json.Marshal(s); return string(text[1 : len(text)-1]) },
	"bare JSON":    bareJSON,
	"quoted":       quoted,
	"quoted twice": func(s string) string { return quoted(quoted(s)) },
	"CSV":          func(s string) string { return strings.ReplaceAll(s, `"`, `""`) },
	"URL query":    url.QueryEscape,
	"URL path":     url.PathEscape,
	"base64":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 URL":   func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 at 1":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s))[2:] },
	"base64 at 2":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xy" + s))[3:] },
	"URL at 1":     func(s string) string { return base64.URLEncoding.EncodeToString([]byte("x" + s))[2:] },
	"URL at 2":     func(s string) string { return base64.URLEncoding.EncodeToString([]byte("xy" + s))[3:] },
}

func quoted(s string) string {
	text := strconv.Quote(s)
	return text[1 : len(text)-1]
}

// bareJSON escapes nothing but what JSON must.
func bareJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always has a JSON form
	return strings.Trim(strings.TrimSpace(b.String()), `"`)
}

// leaks returns the encodings of a secret that a text holds. The ends of a
// base64 text depend on what stands beside it, and do not count.
func leaks(text []byte, secret string) (found []string) {
	for name, encode := range encodings {
		encoded := encode(secret)
		if strings.Contains(name, "base64") || strings.Contains(name, " at ") {
			encoded = strings.TrimRight(encoded, "=")
			encoded = encoded[1 : len(encoded)-2]
		}
		if bytes.Contains(text, []byte(encoded)) {
			found = append(found, name)
		}
	}
	return found
}

// TestAttackSecrets runs against an API that answers with the secrets it was sent,
// in every encoding, and searches every byte that was written anywhere. What is
// sealed may stand nowhere at all.
func TestAttackSecrets(t *testing.T) {
	t.Parallel()
	n := tried(t, "secrets sent back, and looked for everywhere")
	for i, c := range []struct {
		name   string
		places int
		sealed bool
	}{
		{"plain", asHTTP, true},
		{"plain", anyhow, false},
		{"base64", asHTTP, false},
		{"plain", asHTTP, false},
		{"JSON", asHTTP, false},
		{"quoted", asHTTP, false},
		{"URL query", asHTTP, false},
	} {
		if i >= 3 && !*attackLong {
			break
		}
		n.times++
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newLeakTest(t, encodings[c.name], c.places)
			if c.sealed {
				s.key = newKey(t)
			}
			for _, args := range s.sessions() {
				s.session(args)
			}
			s.search()
		})
	}
}

// TestAttackCore makes the program die in a way that can leave an image of its
// memory, where the system and the environment ask for one.
func TestAttackCore(t *testing.T) {
	t.Parallel()
	n := tried(t, "a death that asks for a core dump")
	for _, level := range []string{"single", "crash"} {
		for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV} {
			if (level == "crash" || signal != syscall.SIGQUIT) && !*attackLong {
				continue // Go waits up to ten seconds for threads that do not answer
			}
			t.Run(fmt.Sprint(level, " ", signal), func(t *testing.T) {
				n.times++
				r := newRotation(t, choices(t)(n.times), exoteltest.Options{Users: *attackRows, Latency: 100 * time.Millisecond})
				p := launch{
					shell: `cd "$WORK" && ulimit -c unlimited && exec "$0" "$@"`,
					env:   []string{"WORK=" + t.TempDir(), "GOTRACEBACK=" + level},
				}.start(t, r.base, r.runArgs("--workers", "1")...)
				for r.api.total() < 3 && !p.exited() {
					time.Sleep(time.Millisecond)
				}
				must(t, p.cmd.Process.Signal(signal))
				t.Parallel()
				p.wait()
				status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
				if status.CoreDump() {
					t.Error("it left a core dump")
				}
				// SIGQUIT interrupts. No death may look like wrong usage, for which
				// nothing was sent.
				if signal == syscall.SIGQUIT && status.ExitStatus() != 131 || signal != syscall.SIGQUIT && !status.Signaled() {
					t.Errorf("it ended with %v", p.cmd.ProcessState)
				}
				for row, passwords := range readJournal(t, r.dir).passwords {
					if found := leaks(p.stderr.Bytes(), passwords[0]); len(found) > 0 {
						t.Errorf("its last output holds the password of row %d, encoded as %v", row, found)
					}
				}
				r.checkRecoverable()
			})
		}
	}
}

// A leakTest is a run whose API leaks secrets, in a folder of its own.
type leakTest struct {
	t      *testing.T
	api    *leakyServer
	base   string
	folder string // with the only folders that the program can know of
	output bytes.Buffer
	key    *key // that its runs are sealed to; nil: they are not
}

const leakRows = 60

func newLeakTest(t *testing.T, encode func(string) string, places int) *leakTest {
	t.Helper()
	s := &leakTest{t: t, folder: t.TempDir()}
	s.api = &leakyServer{encode: encode, places: places, recorder: newRecorder(exoteltest.Options{
		Users: leakRows, Faults: every(), SlowBy: time.Minute, Key: canaryKey, Token: canaryToken,
		Headers: exoteltest.AllHeaders, Seed: 1,
		// Refused passwords are drawn anew: those must not leak either.
		Policy: func(password string) error {
			if password[0] < 'F' {
				return fmt.Errorf("password is too early in the alphabet")
			}
			return nil
		},
	})}
	server := httptest.NewServer(s.api)
	t.Cleanup(server.Close)
	s.base = server.URL
	for _, folder := range []string{"home", "tmp", "state", "work"} {
		must(t, os.Mkdir(filepath.Join(s.folder, folder), 0o700))
	}
	return s
}

func (s *leakTest) sessions() [][]string {
	input := filepath.Join(s.t.TempDir(), "users.csv")
	must(s.t, writeInput(input, leakRows, func(i int) string {
		if i%2 == 0 {
			return ""
		}
		return `"` + strings.ReplaceAll(fmt.Sprintf(canaryPassword, i), `"`, `""`) + `"`
	}))
	how := []string{"-v", "--json", "--rate", "unlimited", "--max-attempts", "1", "--timeout", "200ms", "--max-failures", "1000"}
	run := append([]string{"run", input, "--yes"}, how...)
	resume := append([]string{"resume", "users.run", "--retry-failed"}, how...)
	sessions := [][]string{run, resume}
	if s.key != nil {
		run = append(run, "--seal-to", s.key.recipient())
		sessions = [][]string{run, resume, slices.Concat(resume, []string{"--identity", s.key.file})}
	}
	return append(sessions,
		[]string{"report", "users.run"},
		slices.Concat(run, []string{"--base-url", "http://127.0.0.1:1", "-o", "dead.run"}),
		slices.Concat(run, []string{"-o", "users.run/report.csv"}),
		[]string{"run", input, "--account-sid", "a/b"},
	)
}

// session runs the program, with its streams and folders in those of the test.
func (s *leakTest) session(args []string) {
	s.t.Helper()
	in := func(folder string) string { return filepath.Join(s.folder, folder) }
	var out bytes.Buffer
	s.api.mu.Lock()
	p := launch{
		shell: `cd "$WORK" && ulimit -c unlimited && exec "$0" "$@"`, out: &out,
		env: []string{
			"WORK=" + in("work"), "HOME=" + in("home"), "TMPDIR=" + in("tmp"), "XDG_STATE_HOME=" + in("state"),
			"EXOTEL_API_KEY=" + canaryKey, "EXOTEL_API_TOKEN=" + canaryToken,
		},
	}.start(s.t, s.base, args...)
	s.api.client = p
	s.api.mu.Unlock()
	p.wait()
	s.output.Write(p.stderr.Bytes())
	s.output.Write(out.Bytes())
}

// search looks for every secret in everything that was written.
func (s *leakTest) search() {
	s.t.Helper()
	passwords, mayHold := s.passwords(), 0
	shown := 0
	must(s.t, filepath.WalkDir(s.folder, func(path string, entry fs.DirEntry, err error) error {
		must(s.t, err)
		info, err := entry.Info()
		must(s.t, err)
		if entry.IsDir() {
			s.mode(path, info, 0o700)
			return nil
		}
		text, err := os.ReadFile(path)
		must(s.t, err)
		s.lacks(path, text, []string{canaryToken})
		if name := entry.Name(); s.key == nil && (name == "journal.jsonl" || name == "credentials.csv") {
			mayHold++
			s.mode(path, info, 0o600)
			for _, password := range passwords {
				shown += len(leaks(text, password))
			}
			return nil
		}
		s.lacks(path, text, passwords)
		return nil
	}))
	if s.key != nil {
		if len(passwords) < 2*leakRows {
			s.t.Errorf("the search looked for %d passwords of two runs", len(passwords))
		}
	} else if mayHold != 4 || shown < leakRows {
		s.t.Errorf("the search found %d passwords in the %d files of two runs that may hold them", shown, mayHold)
	}
	for place, text := range map[string][]byte{"its output": s.output.Bytes(), "what the system shows": s.api.shown.Bytes()} {
		if len(text) == 0 {
			s.t.Errorf("%s is empty", place)
		}
		s.lacks(place, text, append(passwords, canaryToken))
	}
}

// passwords returns every password of both runs.
func (s *leakTest) passwords() (all []string) {
	s.t.Helper()
	for _, run := range []string{"users.run", "dead.run"} {
		for row, passwords := range readJournal(s.t, filepath.Join(s.folder, "work", run)).passwords {
			for _, password := range passwords {
				if s.key != nil {
					password = s.key.open(s.t, row, password)
				}
				all = append(all, password)
			}
		}
	}
	return all
}

func (s *leakTest) lacks(place string, text []byte, secrets []string) {
	s.t.Helper()
	for _, secret := range secrets {
		if found := leaks(text, secret); len(found) > 0 {
			s.t.Errorf("%s holds %s, encoded as %v", place, secret, found)
			return
		}
	}
}

func (s *leakTest) mode(path string, info fs.FileInfo, want fs.FileMode) {
	s.t.Helper()
	if path != s.folder && info.Mode().Perm() != want {
		s.t.Errorf("%s has mode %v", path, info.Mode())
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
	"golang.org/x/text/encoding/unicode"

	"siprotate/batch/cli"
	"siprotate/batch/pace"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "20") // most scripts wait most of the time; a flag on the command line wins
	testscript.Main(m, map[string]func(){"siprotate": runProgram})
}

// runProgram is siprotate. testscript closes a terminal once the program has ended,
// also before it has read everything from it: it gets the time for that.
func runProgram() {
	code := cli.Main()
	if slices.ContainsFunc([]*os.File{os.Stdin, os.Stdout, os.Stderr}, func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }) {
		time.Sleep(200 * time.Millisecond)
	}
	os.Exit(code)
}

// TestScripts runs the scripts of testdata: one promise a file, as a user
// types it. Beside testscript's own commands they have those of [commands].
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			// A program with the race detector in it would sleep a second as it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Values[serverKey{}] = newServer()
			return settle(env.WorkDir)
		},
		Cmds: commands,
	})
}

// settle makes the files below a folder an hour old, so that no run waits for
// them to settle.
func settle(folder string) error {
	past := time.Now().Add(-time.Hour)
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return os.Chtimes(path, past, past)
	})
}

type serverKey struct{}

func serverOf(ts *testscript.TestScript) *server { return ts.Value(serverKey{}).(*server) }

// commands are what scripts can do beside testscript's own commands.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"standin":  startStandIn,
	"users":    writeUsers,
	"device":   addDevice,
	"exits":    exits,
	"holds":    holds,
	"requests": requests,
	"signal":   sendSignals,
	"await":    awaitRequests,
	"utf16":    encodeUTF16,
	"get":      get,
	"outcomes": outcomes,
	"mode":     mode,
	"agekey":   writeAgeKey,
	"otherkey": writeOtherKey,
	"hides":    hides,
}

// startStandIn serves a stand-in of the API with generated users, and points
// the environment at it:
//
//	standin [-users N] [-rate R] [-faults F] [-seed N] [-latency D] [-401-from N] [-length N]
//		[-total N] [-leaves PAGE] [-null] [-text-ids] [-filters ignored|refused] [-503 N] [-sip]
func startStandIn(ts *testscript.TestScript, _ bool, args []string) {
	o := exoteltest.Options{
		AccountSID: "sample-account", Key: "sample-key", Token: "sample-token",
		Headers: exoteltest.AllHeaders, SlowBy: 2 * time.Second, Record: true,
	}
	f := flag.NewFlagSet("standin", flag.ContinueOnError)
	f.IntVar(&o.Users, "users", 10, "")
	f.Uint64Var(&o.Seed, "seed", 1, "")
	f.DurationVar(&o.Latency, "latency", 0, "")
	f.IntVar(&o.UnauthorizedAfter, "401-from", 0, "")
	rate := f.String("rate", "unlimited", "")
	faults := f.String("faults", "", "")
	length := f.Int("length", 0, "refuse passwords of any other length")
	total := f.Int("total", 0, "the total that every list gives")
	leaves := f.Int("leaves", 0, "the page, counted from 1, before which the first user leaves the account")
	f.BoolVar(&o.NullWhenEmpty, "null", false, "")
	f.BoolVar(&o.TextIDs, "text-ids", false, "")
	filters := f.String("filters", "", "what becomes of lists of certain users: ignored or refused")
	down := f.Int64("503", 0, "so many requests are answered with 503 at first")
	sip := f.Bool("sip", false, "with its registrar")
	ts.Check(f.Parse(args))

	allowance, err := pace.ParseRate(*rate)
	ts.Check(err)
	if !allowance.IsUnlimited() {
		o.Limit = exoteltest.Limit{N: allowance.N, Per: allowance.Per, Kind: exoteltest.SlidingWindow}
	}
	o.Faults, err = exoteltest.ParseFaults(*faults)
	ts.Check(err)
	if *length > 0 {
		o.Policy = func(password string) error {
			if len(password) == *length {
				return nil
			}
			return fmt.Errorf("password must have %d characters", *length)
		}
	}
	if *total > 0 {
		o.Total = func(int) int { return *total }
	}
	s := serverOf(ts)
	if *leaves > 0 {
		o.OnList = func(offset int) {
			if offset == (*leaves-1)*exotel.MaxPageSize {
				s.RemoveUser(exoteltest.GeneratedUser(0).ID)
			}
		}
	}
	s.underWay.Lock() // a request to the one before can outlive its program
	s.filters = *filters
	s.down.Store(*down)
	s.Server = exoteltest.New(o)
	s.underWay.Unlock()
	listening := httptest.NewServer(s)
	ts.Defer(listening.Close)
	ts.Setenv("EXOTEL_BASE_URL", listening.URL)
	ts.Setenv("EXOTEL_ACCOUNT_SID", o.AccountSID)
	ts.Setenv("EXOTEL_API_KEY", o.Key)
	ts.Setenv("EXOTEL_API_TOKEN", o.Token)
	if !*sip {
		return
	}
	registrar, err := exoteltest.NewRegistrar(s.Server, exoteltest.RegistrarOptions{})
	ts.Check(err)
	ts.Defer(func() { ts.Check(registrar.Close()) })
	address, err := registrar.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("EXOTEL_SIP_PROXY", address)
	ts.Setenv("EXOTEL_SIP_TRANSPORT", "tcp")
	ts.Setenv("EXOTEL_SIP_DOMAIN", registrar.Domain())
}

// writeUsers writes an input with the stand-in's first users, one row each:
//
//	users [-columns NAMES] FILE N [PASSWORD]
func writeUsers(ts *testscript.TestScript, _ bool, args []string) {
	f := flag.NewFlagSet("users", flag.ContinueOnError)
	columns := f.String("columns", "user_id,device_id,sip_id,email,password", "")
	ts.Check(f.Parse(args))
	n, err := strconv.Atoi(f.Arg(1))
	ts.Check(err)
	text := *columns + "\n"
	for i := range n {
		user := exoteltest.GeneratedUser(i)
		sip := user.Devices[1]
		cells := map[string]string{
			"user_id": user.ID, "device_id": sip.ID, "sip_id": sip.ContactURI, "email": user.Email, "password": f.Arg(2),
		}
		var line []string
		for column := range strings.SplitSeq(*columns, ",") {
			line = append(line, cells[column])
		}
		text += strings.Join(line, ",") + "\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs(f.Arg(0)), []byte(text), 0o600))
	ts.Check(settle(ts.MkAbs(f.Arg(0))))
}

// addDevice adds a SIP device to the stand-in, and its user if it is not there;
// the SIP id and the email may be empty:
//
//	device USER-ID DEVICE-ID SIP-ID EMAIL
func addDevice(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(serverOf(ts).AddDevice(args[0], args[1], args[2], args[3]))
}

// exits runs a command and wants an exit code; that of a killed one is -1:
//
//	exits CODE[|CODE ...] COMMAND [ARG ...]
func exits(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if !slices.Contains(strings.Split(args[0], "|"), strconv.Itoa(got)) {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// holds wants each device to hold the password that the credentials of a run
// name, and no device but those a password that was set:
//
//	holds RUN-DIR
func holds(ts *testscript.TestScript, neg bool, args []string) {
	lines := readCSV(ts, filepath.Join(args[0], "credentials.csv"))
	known := map[string]string{}
	for _, line := range lines {
		known[line["user_id"]+"/"+line["device_id"]] = line["password"]
	}
	s := serverOf(ts)
	s.waitIdle()
	wrong := 0
	for held := range s.Passwords() {
		if held.Password != known[held.UserID+"/"+held.DeviceID] {
			wrong++
		}
	}
	if (wrong > 0) != neg {
		ts.Fatalf("%d devices hold another password than %s has", wrong, args[0])
	}
}

// writeAgeKey writes a fresh age identity to a file, and its recipient to that
// file with .pub behind its name, and to a variable. A passphrase protects it:
//
//	agekey FILE VARIABLE [PASSPHRASE]
func writeAgeKey(ts *testscript.TestScript, _ bool, args []string) {
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	var text bytes.Buffer
	fmt.Fprintln(&text, id)
	if len(args) > 2 {
		r, err := age.NewScryptRecipient(args[2])
		ts.Check(err)
		r.SetWorkFactor(10)
		plain := bytes.Clone(text.Bytes())
		text.Reset()
		w, err := age.Encrypt(&text, r)
		ts.Check(err)
		_, err = w.Write(plain)
		ts.Check(errors.Join(err, w.Close()))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0])+".pub", []byte("# sample\n"+id.Recipient().String()+"\n"), 0o644))
	ts.Setenv(args[1], id.Recipient().String())
}

// writeOtherKey writes a fresh identity of another kind to a file, and its recipient
// as agekey does:
//
//	otherkey ssh|post-quantum FILE VARIABLE
func writeOtherKey(ts *testscript.TestScript, _ bool, args []string) {
	var identity []byte
	var recipient string
	switch args[0] {
	case "ssh":
		public, private, err := ed25519.GenerateKey(nil)
		ts.Check(err)
		block, err := ssh.MarshalPrivateKey(private, "")
		ts.Check(err)
		key, err := ssh.NewPublicKey(public)
		ts.Check(err)
		identity, recipient = pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	case "post-quantum":
		id, err := age.GenerateHybridIdentity()
		ts.Check(err)
		identity, recipient = []byte(id.String()+"\n"), id.Recipient().String()
	default:
		ts.Fatalf("no kind of key: %q", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), identity, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1])+".pub", []byte(recipient+"\n"), 0o644))
	ts.Setenv(args[2], recipient)
}

// hides wants no byte of any file of a run directory to tell the password of a
// device:
//
//	hides RUN-DIR
func hides(ts *testscript.TestScript, neg bool, args []string) {
	server := serverOf(ts)
	server.waitIdle()
	telling := ""
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for held := range server.Passwords() {
			if held.Password != "" && bytes.Contains(text, []byte(held.Password)) {
				telling = path
			}
		}
		return err
	}))
	if (telling != "") != neg {
		ts.Fatalf("the file that tells a password: %q", telling)
	}
}

// requests wants that many requests to have reached the stand-in:
//
//	requests N
func requests(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	s.waitIdle()
	if got := s.Stats().Requests; strconv.Itoa(got) != args[0] {
		ts.Fatalf("%d requests, want %s", got, args[0])
	}
}

// outcomes wants the report of a run to have that many rows, each exactly once
// and in order, and so many of each named outcome:
//
//	outcomes RUN-DIR ROWS [OUTCOME=N ...]
func outcomes(ts *testscript.TestScript, _ bool, args []string) {
	lines := readCSV(ts, filepath.Join(args[0], "report.csv"))
	if strconv.Itoa(len(lines)) != args[1] {
		ts.Fatalf("the report has %d rows, want %s", len(lines), args[1])
	}
	counts := map[string]int{}
	for i, line := range lines {
		if line["row"] != strconv.Itoa(i+1) {
			ts.Fatalf("row %s stands in place %d", line["row"], i+1)
		}
		counts[line["outcome"]]++
	}
	for _, want := range args[2:] {
		outcome, n, _ := strings.Cut(want, "=")
		if strconv.Itoa(counts[outcome]) != n {
			ts.Fatalf("the report has %v, want %s", counts, want)
		}
	}
}

func readCSV(ts *testscript.TestScript, name string) (lines []map[string]string) {
	records, err := csv.NewReader(strings.NewReader(ts.ReadFile(name))).ReadAll()
	ts.Check(err)
	for _, record := range records[1:] {
		line := map[string]string{}
		for i, column := range records[0] {
			line[column] = record[i]
		}
		lines = append(lines, line)
	}
	return lines
}

// mode wants a file or folder to have a mode, in octal:
//
//	mode 600 PATH
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// sendSignals sends signals with the stand-in's next request but N-1: before it
// is looked at, the program whose process id is in the file pid gets them, all at
// once, or each more than a second after the one before if -apart is given. With
// -hold the request waits until the program has gone, and takes effect all the same:
//
//	signal [-hold] [-apart] N SIGNAL ...
func sendSignals(ts *testscript.TestScript, _ bool, args []string) {
	o := onRequest{pid: ts.MkAbs("pid")}
	if args[0] == "-hold" {
		o.hold, args = true, args[1:]
	}
	if args[0] == "-apart" {
		o.apart, args = 1200*time.Millisecond, args[1:]
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for _, name := range args[1:] {
		signal, known := signals[name]
		if !known {
			ts.Fatalf("no signal is called %s", name)
		}
		o.signals = append(o.signals, signal)
	}
	serverOf(ts).arm(n, o)
}

// awaitRequests returns once that many requests have come to the stand-in:
//
//	await N
func awaitRequests(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	s := serverOf(ts)
	for range n {
		select {
		case <-s.came:
		case <-time.After(time.Minute):
			ts.Fatalf("the requests do not come")
		}
	}
}

// encodeUTF16 writes a copy of a file as spreadsheets save "Unicode text":
//
//	utf16 FROM TO
func encodeUTF16(ts *testscript.TestScript, _ bool, args []string) {
	encoder := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()
	text, err := encoder.String(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
	ts.Check(settle(ts.MkAbs(args[1])))
}

// get prints what a path below the URL in a file answers:
//
//	get FILE PATH
func get(ts *testscript.TestScript, _ bool, args []string) {
	response, err := http.Get(strings.TrimSpace(ts.ReadFile(args[0])) + args[1])
	ts.Check(err)
	defer response.Body.Close()
	_, err = io.Copy(ts.Stdout(), response.Body)
	ts.Check(err)
}

// A server is the stand-in that a script talks to.
type server struct {
	*exoteltest.Server
	filters  string        // what becomes of lists of certain users
	down     atomic.Int64  // requests that are not answered yet
	came     chan struct{} // a token for each request
	underWay sync.RWMutex  // each request holds it for reading

	mu   sync.Mutex // guards what follows
	left int        // requests up to the one with signals; 0 or less: none
	next onRequest
}

func newServer() *server { return &server{came: make(chan struct{}, 1000)} }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.underWay.RLock()
	defer s.underWay.RUnlock()
	s.came <- struct{}{}
	if o, due := s.count(); due {
		r = o.send(r)
	}
	if s.down.Add(-1) >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if query := r.URL.Query(); query.Has("email") || query.Has("devices.contact_uri") {
		switch s.filters {
		case "ignored":
			query.Del("email")
			query.Del("devices.contact_uri")
		case "refused":
			query.Set("limit", "none")
		}
		r.URL.RawQuery = query.Encode()
	}
	s.Server.ServeHTTP(w, r)
}

// waitIdle returns once no request is under way: one can outlive its program.
func (s *server) waitIdle() {
	s.underWay.Lock()
	defer s.underWay.Unlock()
}

func (s *server) arm(left int, o onRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.next = left, o
}

// count counts a request, and reports whether it is the one with signals.
func (s *server) count() (onRequest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left--
	return s.next, s.left == 0
}

// An onRequest is the signals that the program gets while a request of it is
// under way.
type onRequest struct {
	pid     string // the file with the program's process id
	signals []os.Signal
	hold    bool // the request outlives the program
	apart   time.Duration
}

var signals = map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT, "KILL": os.Kill}

// send sends the signals, and returns the request that the stand-in shall look
// at. What goes wrong shows in the program's exit code.
func (o onRequest) send(r *http.Request) *http.Request {
	// Only once the body is read, the request's context tells that the peer has gone.
	body, _ := io.ReadAll(r.Body)
	text, _ := os.ReadFile(o.pid)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		program, _ := os.FindProcess(pid)
		for i, signal := range o.signals {
			if i > 0 {
				time.Sleep(o.apart)
			}
			_ = program.Signal(signal)
		}
	}
	if o.hold {
		<-r.Context().Done()
		r = r.WithContext(context.WithoutCancel(r.Context()))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

// TestREADME runs the sessions of README.md, from top to bottom in one clean
// folder, and wants each command to print what stands there. A session is a block
// of console: lines with $ are commands, and ^C is typed once the sandbox has had
// as many requests as the comment before the block says. Times, waits, dates
// and the port may differ.
func TestREADME(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil || runtime.GOOS == "windows" {
		t.Skip("the sessions are those of a Unix shell")
	}
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := readSteps(string(text))
	if len(steps) < 20 {
		t.Fatalf("README.md has %d commands to run", len(steps))
	}
	at := func(part string) int {
		i := slices.IndexFunc(steps, func(s step) bool { return strings.Contains(s.command, part) })
		if i < 0 {
			t.Fatalf("README.md has no command with %q", part)
		}
		return i
	}
	proofs, phones := at(" >proof.csv"), at(" --phone-renew 4s")
	var begun []step
	for _, s := range steps[:proofs] {
		if strings.HasPrefix(s.command, "export ") || strings.HasPrefix(s.command, "siprotate sandbox ") || s.command == "siprotate users -o users.csv" {
			begun = append(begun, s)
		}
	}
	for name, steps := range map[string][]step{ // each waits as long as the others
		"until proofs": steps[:proofs],
		"proofs":       slices.Concat(begun, steps[proofs:phones]),
		"phones":       slices.Concat(begun, steps[phones:]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t)
			for _, s := range steps {
				got, want := normalise(r.follow(s)), normalise(s.prints)
				if got != want {
					t.Errorf("README.md:%d: $ %s\nprints otherwise than that page says (-page +program):\n%s", s.line, s.command, cmp.Diff(want, got))
				}
			}
		})
	}
}

// A step is a command in README.md, and what it is to print.
type step struct {
	line      int
	command   string
	prints    string
	interrupt int // ^C comes after so many requests; 0: never
}

func readSteps(text string) (steps []step) {
	inside, interrupt := false, 0
	for i, line := range strings.Split(text, "\n") {
		command, typed := strings.CutPrefix(line, "$ ")
		switch {
		case line == "```console":
			inside = true
		case line == "```":
			inside, interrupt = false, 0
		case !inside:
			fmt.Sscanf(line, "<!-- ^C after %d requests -->", &interrupt)
		case typed:
			steps = append(steps, step{line: i + 1, command: command})
		case line == "^C":
			steps[len(steps)-1].interrupt = interrupt
		default:
			steps[len(steps)-1].prints += line + "\n"
		}
	}
	return steps
}

// A reader does what README.md says.
type reader struct {
	t       *testing.T
	folder  string
	env     []string
	exit    int    // of the latest command
	address string // of the sandbox
	sip     string // of its registrar
	sandbox *exec.Cmd
}

// The address of the sandbox, and the home folder, as README.md has them.
const (
	pageAddress = "127.0.0.1:8080"
	pageSIP     = "127.0.0.1:5070"
	pageHome    = "/home/asha"
)

func newReader(t *testing.T) *reader {
	r := &reader{t: t, folder: t.TempDir()}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}
	t.Cleanup(r.stopSandbox)
	return r
}

// follow runs a command, and returns what it prints.
func (r *reader) follow(s step) string {
	command := strings.NewReplacer(pageAddress, r.address, pageSIP, r.sip).Replace(s.command)
	if variables, ok := strings.CutPrefix(command, "export "); ok {
		r.env = append(r.env, strings.Fields(variables)...)
		return ""
	}
	if strings.HasPrefix(command, "siprotate sandbox ") {
		return r.page(r.startSandbox(s))
	}
	var out bytes.Buffer
	shell := r.bash(fmt.Sprintf("(exit %d)\n%s", r.exit, command))
	if s.interrupt > 0 {
		shell = r.bash("exec " + command) // the signal is the program's
	}
	shell.Stdout, shell.Stderr = &out, &out
	r.check(shell.Start())
	if s.interrupt > 0 {
		r.await(s.interrupt)
		r.check(shell.Process.Signal(os.Interrupt))
	}
	shell.Wait()
	r.exit = shell.ProcessState.ExitCode()
	r.check(settle(r.folder)) // nobody types as fast as this
	return r.page(out.String())
}

func (r *reader) bash(script string) *exec.Cmd {
	c := exec.Command("bash", "-c", script)
	c.Dir, c.Env = r.folder, r.env
	return c
}

// page returns text as the page has it.
func (r *reader) page(text string) string {
	home, _ := strings.CutPrefix(r.env[1], "HOME=")
	if r.sip != "" {
		text = strings.ReplaceAll(text, r.sip, pageSIP)
	}
	return strings.NewReplacer(home, pageHome, r.address, pageAddress).Replace(text)
}

// startSandbox serves a stand-in, at a port that is free, and returns as many
// lines as it is to print.
func (r *reader) startSandbox(s step) string {
	r.stopSandbox()
	r.sandbox = r.bash("exec " + strings.ReplaceAll(s.command, pageAddress, "127.0.0.1:0") + " 2>&1")
	out, err := r.sandbox.StdoutPipe()
	r.check(err)
	r.check(r.sandbox.Start())
	lines := bufio.NewReader(out)
	text := ""
	for range strings.Count(s.prints, "\n") {
		line, err := lines.ReadString('\n')
		r.check(err)
		text += line
	}
	url, _, _ := strings.Cut(text, "\n")
	r.address = strings.TrimPrefix(url, "http://")
	if _, sip, ok := strings.Cut(text, "EXOTEL_SIP_PROXY="); ok {
		r.sip, _, _ = strings.Cut(sip, " ")
	}
	// The new port stands in for the old one.
	r.env = append(r.env, "EXOTEL_BASE_URL="+url)
	return text
}

func (r *reader) stopSandbox() {
	if r.sandbox != nil {
		_ = r.sandbox.Process.Signal(os.Interrupt)
		_ = r.sandbox.Wait()
	}
}

// await returns once the sandbox has had so many requests.
func (r *reader) await(requests int) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + r.address + "/sandbox/stats")
		r.check(err)
		var stats struct{ Requests int }
		err = json.NewDecoder(response.Body).Decode(&stats)
		response.Body.Close()
		r.check(err)
		if stats.Requests >= requests {
			return
		}
	}
	r.t.Fatal("the requests do not come")
}

func (r *reader) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// varying is what differs each time: waits, seconds, the time of day, the date, and
// how far proofs are when a gate begins to wait.
var varying = regexp.MustCompile(`, waited .* for the allowance|\b\d+ (s|min)\b|\b\d\d:\d\d\b|\b\d{4}-\d\d-\d\d\b|\b\d+% (proved|adopted),`)

func normalise(text string) string {
	return varying.ReplaceAllStringFunc(text, func(found string) string {
		switch {
		case strings.HasPrefix(found, ", waited"): // shown from a second on
			return ""
		case strings.HasSuffix(found, ","):
			return "N% so far,"
		case strings.HasSuffix(found, "s"), strings.HasSuffix(found, "min"):
			return "N s"
		case strings.Contains(found, ":"):
			return "hh:mm"
		}
		return "YYYY-MM-DD"
	})
}

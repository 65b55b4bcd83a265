package rotation

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/batch/roster"
	"siprotate/batch/vault"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
	"siprotate/report"
)

// A sealedWorld is an account, a run directory, and the key to its passwords.
type sealedWorld struct {
	t        *testing.T
	dir      string
	api      *exoteltest.Server
	client   *exotel.Client
	identity *age.X25519Identity

	mu   sync.Mutex
	sent map[string][]string // by device: the passwords that were sent
}

func newSealedWorld(t *testing.T, folder string, o exoteltest.Options) *sealedWorld {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	must(t, err)
	w := &sealedWorld{t: t, dir: filepath.Join(folder, "users.run"), identity: id, sent: map[string][]string{}}
	o.Policy = func(password string) error {
		if strings.HasPrefix(password, "Refused-") {
			return errors.New("password is refused")
		}
		return nil
	}
	w.api = exoteltest.New(o)
	w.client = standInClient(t, w.api)
	return w
}

// process returns the vault as a new process has it, with the identity or without.
func (w *sealedWorld) process(unlocked bool) *vault.Sealer {
	w.t.Helper()
	s, err := vault.New([]string{w.identity.Recipient().String()})
	must(w.t, err)
	if unlocked {
		must(w.t, s.Unlock(w.identity))
	}
	return s
}

// SetPassword is that of the client, and remembers what was sent.
func (w *sealedWorld) SetPassword(ctx context.Context, row batch.Row) (batch.Receipt, error) {
	w.mu.Lock()
	w.sent[row.DeviceID] = append(w.sent[row.DeviceID], row.Password.Reveal())
	w.mu.Unlock()
	return setter{w.client, unheard()}.SetPassword(ctx, row)
}

// givenLeft reports whether the input gave the password of a row that is left to
// send.
func (w *sealedWorld) givenLeft() bool {
	v, err := journal.Read(w.dir, nil)
	must(w.t, err)
	defer v.Close()
	_, rows := v.Pending(false)
	for row, err := range rows {
		must(w.t, err)
		if row.PasswordSource == batch.Provided {
			return true
		}
	}
	return false
}

// input is a CSV of the account's first users, every third with a password given.
func (w *sealedWorld) input(n int) *roster.Roster {
	w.t.Helper()
	text := "user_id,device_id,password\n"
	for i := range n {
		user, password := exoteltest.GeneratedUser(i), ""
		if i%3 == 2 {
			password = fmt.Sprintf("Sample-Given-%d", i)
		}
		text += fmt.Sprintf("%s,%s,%s\n", user.ID, user.Devices[1].ID, password)
	}
	r, err := roster.Reader("users.csv", strings.NewReader(text), roster.Options{
		CheckPassword: exotel.CheckPassword, CheckID: exotel.CheckID,
	})
	must(w.t, err)
	return r
}

func (w *sealedWorld) rotation(v journal.Vault) Rotation {
	return Rotation{
		Dir: w.dir, Client: w.client, Account: Account{exoteltest.DefaultCredential, "api.invalid"}, Vault: v,
		Pace: pace.Options{Rate: pace.Unlimited}, Engine: batch.Config{MaxAttempts: 4, MaxFailures: batch.Threshold{Percent: 100}},
	}
}

// known returns by device which passwords the run directory holds for it, to whoever
// has the identity, and which of them is the row's own.
func (w *sealedWorld) known() (kept map[string][]string, own map[string]string) {
	w.t.Helper()
	v, err := journal.Read(w.dir, w.process(true))
	must(w.t, err)
	defer v.Close()
	kept, own = map[string][]string{}, map[string]string{}
	for e, err := range v.Entries() {
		must(w.t, err)
		id := e.Row.DeviceID
		own[id] = e.Row.Password.Reveal()
		kept[id] = []string{own[id]}
		for _, k := range e.Beside {
			kept[id] = append(kept[id], k.Password.Reveal())
		}
	}
	return kept, own
}

// checkRecoverable wants the password in force of every device to be that of
// before the run, or one that the run directory holds.
func (w *sealedWorld) checkRecoverable(when string) {
	w.t.Helper()
	kept, _ := w.known()
	for held := range w.api.Passwords() {
		if held.Password != "" && !slices.Contains(kept[held.DeviceID], held.Password) {
			w.t.Errorf("%s: nobody knows the password of device %s", when, held.DeviceID)
		}
	}
}

// checkHidden searches every byte of the run directory for a password that was
// sent or is held, in any spelling in which a file might have it.
func (w *sealedWorld) checkHidden(when string) {
	w.t.Helper()
	var passwords []string
	for held := range w.api.Passwords() {
		passwords = append(passwords, held.Password)
	}
	for _, sent := range w.sent {
		passwords = append(passwords, sent...)
	}
	kept, _ := w.known()
	for _, all := range kept {
		passwords = append(passwords, all...)
	}
	files := 0
	must(w.t, filepath.WalkDir(filepath.Dir(w.dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, p := range passwords {
			quoted := strings.Trim(strconv.Quote(p), `"`)
			for _, form := range []string{p, quoted, base64.RawStdEncoding.EncodeToString([]byte(p))} {
				if p != "" && bytes.Contains(text, []byte(form)) {
					w.t.Errorf("%s: a password stands in %s", when, path)
				}
			}
		}
		return err
	}))
	if files < 2 || len(passwords) == 0 {
		w.t.Fatalf("%s: %d files were searched for %d passwords", when, files, len(passwords))
	}
}

// A killedAt is a journal whose process dies at its n-th record of a request:
// before that is written, or right after the request left.
type killedAt struct {
	killable
	left  int
	after bool
	mu    sync.Mutex
}

func (m *killedAt) Sending(row *batch.Row, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 && !m.after {
		m.dead.Store(true)
	}
	err := m.killable.Sending(row, at)
	if m.left == 0 && m.after {
		m.dead.Store(true)
	}
	m.left--
	return err
}

// session works on the run as a process does that dies at its n-th request; it
// reports whether it lived to the end.
func (w *sealedWorld) session(v journal.Vault, n int, after bool) bool {
	w.t.Helper()
	j, err := journal.Open(w.dir, v)
	must(w.t, err)
	defer j.Close()
	must(w.t, j.Begin("test", false))
	_, rows := j.Pending(false)
	r := w.rotation(v).complete()
	pacer, err := pace.New(r.Pace)
	must(w.t, err)
	log := &killedAt{killable: killable{Journal: j}, left: n, after: after}
	c := r.Engine
	c.Pacer, c.Workers = pacer, 1
	c.Redraw = r.password
	err = batch.Run(context.Background(), c, r.renew(j, rows), w, log)
	return err == nil
}

// plan writes the plan of the input, and sends nothing.
func (w *sealedWorld) plan(v journal.Vault, n int) {
	w.t.Helper()
	r := w.rotation(v)
	none, cancel := context.WithCancel(context.Background())
	r.Confirm = func(context.Context, Plan) error { cancel(); return nil }
	if _, err := r.Run(none, w.input(n)); !errors.As(err, new(*batch.Stop)) {
		w.t.Fatal(err)
	}
}

// TestSealedRunsSurviveAKillAtEveryRequest kills the first session and the second
// at every request, before it leaves and after, and resumes with the identity and
// without. At every death the run directory holds each password that may be in
// force, and in the end exactly those that are.
func TestSealedRunsSurviveAKillAtEveryRequest(t *testing.T) {
	t.Parallel()
	rows := 2
	if *attackLong {
		rows = 3
	}
	faults := map[exoteltest.Fault]float64{exoteltest.ResetAfter: 0.3, exoteltest.ResetBefore: 0.2}
	for _, unlocked := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for first := range rows + 2 {
				for second := range rows + 2 {
					what := fmt.Sprintf("unlocked %v, after %v, kills at %d and %d", unlocked, after, first, second)
					folder := t.TempDir()
					synctest.Test(t, func(t *testing.T) {
						w := newSealedWorld(t, folder, exoteltest.Options{Users: rows, Faults: faults, Seed: uint64(first*10 + second)})
						planner := w.process(false)
						w.plan(planner, rows)
						_, planned := w.known()
						w.session(planner, first, after)
						w.checkRecoverable(what + ", first")
						w.session(w.process(unlocked), second, after)
						w.checkRecoverable(what + ", second")
						for i := 0; !w.session(w.process(unlocked), -1, false) || w.left() > 0; i++ {
							w.checkRecoverable(what + ", later")
							if i == 100 {
								t.Fatal(what + ": the run does not end")
							}
						}
						w.checkEnd(what, unlocked, planned)
						w.checkHidden(what)
					})
				}
			}
		}
	}
}

func (w *sealedWorld) left() int {
	w.t.Helper()
	v, err := journal.Read(w.dir, nil)
	must(w.t, err)
	defer v.Close()
	n, _ := v.Pending(false)
	return n
}

func (w *sealedWorld) checkEnd(what string, same bool, planned map[string]string) {
	w.t.Helper()
	kept, own := w.known()
	for held := range w.api.Passwords() {
		id := held.DeviceID
		if held.Password != own[id] || len(kept[id]) != 1 {
			w.t.Errorf("%s: device %s holds another password than the run says, which keeps %d", what, id, len(kept[id]))
		}
		for _, sent := range w.sent[id] {
			if same && sent != planned[id] {
				w.t.Errorf("%s: device %s was sent another password than the planned one", what, id)
			}
		}
	}
}

// TestASealedRunHidesItsPasswords runs, crashes and resumes with every fault of the
// stand-in. No byte of any file tells a password.
func TestASealedRunHidesItsPasswords(t *testing.T) {
	const rows = 40
	faults := map[exoteltest.Fault]float64{}
	for _, name := range exoteltest.FaultNames() {
		faults[exoteltest.Fault(name)] = 0.07
	}
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newSealedWorld(t, folder, exoteltest.Options{Users: rows, Faults: faults, Seed: 7})
		r := w.rotation(w.process(false))
		var drawn atomic.Int64
		r.Generate = func() (string, error) { // some are refused, and drawn anew
			text, err := exotel.Generate(rand.Reader, DefaultLength)
			if drawn.Add(1)%5 == 0 {
				text = "Refused-1" + text
			}
			return text, err
		}
		digest, err := r.Run(context.Background(), w.input(rows))
		if err != nil && !errors.As(err, new(*RunError)) {
			t.Fatal(err)
		}
		if digest.Summary.Unknown == 0 || digest.Summary.Rotated == 0 {
			t.Fatalf("the faults made %d rows unknown, and %d rotated", digest.Summary.Unknown, digest.Summary.Rotated)
		}
		w.checkHidden("after the run")
		if _, err := os.Stat(filepath.Join(w.dir, report.CredentialsCSV.File)); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", report.CredentialsCSV.File, err)
		}
		for _, line := range w.credentials() { // this process knew them all
			if line["password"] == "" || line["sealed"] != "" {
				t.Errorf("row %s: its password is not known in plain", line["row"])
			}
		}

		// Another process, without the identity: it draws new ones for what is in doubt.
		rotated := digest.Summary.Rotated
		var warned []string
		r = w.rotation(w.process(false))
		r.Events = func(e Event) {
			if warning, ok := e.(Warning); ok {
				warned = append(warned, warning.Text)
			}
		}
		given := w.givenLeft()
		if digest, err = r.Resume(context.Background()); err != nil && !errors.As(err, new(*RunError)) {
			t.Fatal(err)
		}
		if len(warned) != 1 || strings.Contains(warned[0], "that the input gave") != given {
			t.Errorf("warned: %q", warned)
		}
		w.checkHidden("after the resumed run")
		w.checkRecoverable("after the resumed run")
		sealed := 0
		for _, line := range w.credentials() {
			if line["sealed"] != "" {
				sealed++
			}
		}
		if sealed < rotated {
			t.Errorf("%d passwords stand sealed in %s, want the %d of the first session", sealed, SealedCredentials, rotated)
		}
	})
}

// credentials opens the sealed credentials.
func (w *sealedWorld) credentials() (lines []map[string]string) {
	w.t.Helper()
	f, err := os.Open(filepath.Join(w.dir, SealedCredentials))
	must(w.t, err)
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		w.t.Errorf("%v: %v", info.Mode(), err)
	}
	r, err := age.Decrypt(f, w.identity)
	must(w.t, err)
	records, err := csv.NewReader(r).ReadAll()
	must(w.t, err)
	for _, record := range records[1:] {
		line := map[string]string{}
		for i, cell := range record {
			line[records[0][i]] = cell
		}
		lines = append(lines, line)
	}
	return lines
}

// The same command with the same input knows the passwords that it gives.
func TestASealedRunGoesOnWithItsInput(t *testing.T) {
	const rows = 6
	w := newSealedWorld(t, t.TempDir(), exoteltest.Options{Users: rows})
	w.plan(w.process(false), rows)
	_, planned := w.known()
	if _, err := w.rotation(w.process(false)).Run(context.Background(), w.input(rows)); err != nil {
		t.Fatal(err)
	}
	_, own := w.known()
	for i := range rows {
		id := exoteltest.GeneratedUser(i).Devices[1].ID
		if given := i%3 == 2; given != (own[id] == planned[id]) {
			t.Errorf("row %d: given %v, and its password the planned one: %v", i+1, given, own[id] == planned[id])
		}
	}
	w.checkEnd("in the end", false, planned)
	w.checkHidden("in the end")
}

func TestReportsOfASealedRun(t *testing.T) {
	const rows = 3
	w := newSealedWorld(t, t.TempDir(), exoteltest.Options{Users: rows})
	if _, err := w.rotation(w.process(false)).Run(context.Background(), w.input(rows)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(w.dir, SealedCredentials))
	must(t, err)
	if _, err := (Rotation{Dir: w.dir}).Report(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(w.dir, SealedCredentials))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a report without an identity replaced the credentials: %v", err)
	}
	if _, err := (Rotation{Dir: w.dir, Vault: w.process(true)}).Report(); err != nil {
		t.Fatal(err)
	}
	for _, line := range w.credentials() {
		if line["password"] == "" {
			t.Errorf("row %s is not opened", line["row"])
		}
	}
	w.checkHidden("in the end")
	if _, err := w.rotation(nil).Resume(context.Background()); !errors.Is(err, journal.ErrVault) {
		t.Errorf("resumed plain: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(w.dir, ".credentials.csv.owner.tmp"), []byte("left"), 0o600))
	stale, err := journal.Read(w.dir, w.process(true))
	must(t, err)
	defer stale.Close()
	must(t, Purge(w.dir, false))
	if _, err := (Rotation{Formats: formatsFor(w.process(true), report.Formats)}).render(stale, report.Reader, 0); !errors.Is(err, journal.ErrPurged) {
		t.Errorf("a report of before the purge: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "*credentials*"))
	if hidden, _ := filepath.Glob(filepath.Join(w.dir, ".credentials*")); err != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left: %q %q: %v", left, hidden, err)
	}
	if _, err := w.rotation(w.process(true)).Resume(context.Background()); !errors.Is(err, journal.ErrPurged) {
		t.Errorf("resumed purged: %v", err)
	}
	if digest, err := (Rotation{Dir: w.dir}).Report(); err != nil || digest.Summary.Rotated != rows {
		t.Errorf("reported purged: %+v: %v", digest.Summary, err)
	}
	if holds, unfinished, err := Holds(w.dir, w.input(rows), Account{exoteltest.DefaultCredential, "api.invalid"}); holds || unfinished || err != nil {
		t.Errorf("%v, %v: %v", holds, unfinished, err)
	}
}

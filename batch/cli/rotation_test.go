package cli_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// A rotation is one run of the program, from its plan to its last report, with
// whatever kills it meets on the way.
type rotation struct {
	t    *testing.T
	rng  *rand.Rand
	rows int
	api  *recorder
	base string

	input, dir  string
	maxAttempts int
	retryFailed bool     // rows can fail, and are sent again by resume
	flags       []string // further ones of run and resume

	key      *key // that it is sealed to; nil: it is not
	sessions int
	renewed  bool // a session had to give rows new passwords, or may have had to
}

// faults go wrong with one request in ten. None of them is a verdict against a
// row, so that every row is rotated in the end.
var faults = map[exoteltest.Fault]float64{
	exoteltest.ResetBefore:  0.015,
	exoteltest.ResetAfter:   0.015,
	exoteltest.HTTP500:      0.01,
	exoteltest.HTTP500After: 0.015,
	exoteltest.HTTP502HTML:  0.015,
	exoteltest.HTTP503:      0.01,
	exoteltest.CutBody:      0.01,
	exoteltest.HTML200:      0.01,
}

// newRotation prepares a rotation of a row for each of the stand-in's users, whose
// seed rng draws. No device has a password from the start: the
// stand-in holds an empty one where the old one stands.
func newRotation(t *testing.T, rng *rand.Rand, o exoteltest.Options) *rotation {
	t.Helper()
	o.Seed = rng.Uint64()
	api := newRecorder(o)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	r := &rotation{
		t: t, rng: rng, rows: o.Users, api: api, base: server.URL,
		input: filepath.Join(folder, "users.csv"), dir: filepath.Join(folder, "users.run"),
		maxAttempts: 1 + rng.IntN(2), // a second one adds waits to be killed in
	}
	must(t, writeInput(r.input, r.rows, givenToHalf))
	return r
}

// settle makes a file an hour old, so that no run waits for it to settle.
func settle(path string) error {
	past := time.Now().Add(-time.Hour)
	return os.Chtimes(path, past, past)
}

// writeInput writes a settled CSV of generated users with the passwords that
// given returns.
func writeInput(path string, rows int, given func(i int) string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.WriteString(f, "user_id,device_id,password\n"); err != nil {
		return err
	}
	for i := range rows {
		user := exoteltest.GeneratedUser(i)
		if _, err := fmt.Fprintf(f, "%s,%s,%s\n", user.ID, user.Devices[1].ID, given(i)); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return settle(path)
}

func givenToAll(i int) string { return fmt.Sprintf("Sample-Only-%07d", i) }

func givenToHalf(i int) string {
	if i%2 == 0 {
		return ""
	}
	return givenToAll(i)
}

// device returns the device of a row, counted from 1.
func device(row int) string {
	user := exoteltest.GeneratedUser(row - 1)
	return user.ID + "/" + user.Devices[1].ID
}

// command returns what starts or resumes the run, by either of the commands that
// do.
func (r *rotation) command(j written) func() *process {
	args := []string{"run", r.input, "--yes", "-o", r.dir}
	if r.retryFailed && j.sealed {
		args = []string{"resume", r.dir, "--retry-failed"}
	} else if j.sealed && (j.confirmedRows() == r.rows || r.rng.IntN(2) == 0) {
		args = []string{"resume", r.dir}
	}
	r.sessions++
	args = append(args, r.sealArgs(args[0] == "resume", j.sealed)...)
	args = append(args, "--rate", "unlimited", "--workers", "16", "--max-attempts", strconv.Itoa(r.maxAttempts))
	args = append(args, r.flags...)
	return func() *process { return launch{}.start(r.t, r.base, args...) }
}

// noteConfirmed has the recorder know what the journal confirms: nothing may be
// sent for those rows any more.
func (r *rotation) noteConfirmed() written {
	j := r.journal()
	for row, yes := range j.rotated {
		if yes {
			r.api.confirm(device(row))
		}
	}
	return j
}

// journal reads the run's journal, with its passwords opened.
func (r *rotation) journal() written {
	r.t.Helper()
	j := readJournal(r.t, r.dir)
	if r.key != nil {
		for row, passwords := range j.passwords {
			for i := range passwords {
				passwords[i] = r.key.open(r.t, row, passwords[i])
			}
		}
	}
	return j
}

// checkRecoverable checks what must hold at the instant of a kill: the password
// in force of every device, and any that may be yet, is the old one or written
// down.
func (r *rotation) checkRecoverable() {
	r.t.Helper()
	held := map[string]string{}
	for h := range r.api.Passwords() {
		held[h.UserID+"/"+h.DeviceID] = h.Password
	}
	r.checkHidden()
	j := r.journal()
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	for row := 1; row <= r.rows; row++ {
		known := j.passwords[row]
		if password := held[device(row)]; password != "" && !slices.Contains(known, password) {
			r.t.Errorf("row %d: the password in force is not in the journal", row)
		}
		for password := range r.api.sent[device(row)] {
			if !slices.Contains(known, password) {
				r.t.Errorf("row %d: a password was sent that is not in the journal", row)
			}
		}
	}
	if !j.sealed && len(r.api.sent) > 0 {
		r.t.Errorf("%d devices were sent something before the plan was whole", len(r.api.sent))
	}
}

// finish resumes the run until it ends by itself with every row rotated, and
// checks what it leaves.
func (r *rotation) finish() {
	r.t.Helper()
	const unfinished, stopped, finished, sessions = 3, 4, 5, 30 // on a busy machine, too many time out
	for range sessions {
		if code := exits(r.t, r.command(r.noteConfirmed())(), 0, unfinished, stopped, finished); code == 0 || code == finished {
			r.checkEnd()
			return
		}
		r.checkReports()
		if r.t.Failed() {
			return
		}
	}
	r.t.Errorf("not every row is rotated after %d sessions", sessions)
}

// checkEnd checks what holds at the end: one known password a device, the same in
// every place, and no request too many.
func (r *rotation) checkEnd() {
	r.t.Helper()
	r.checkReports()
	r.checkHidden()
	if s := readSummary(r.t, r.dir); s.Rotated != r.rows {
		r.t.Errorf("%d of %d rows are rotated, and the program says it is done", s.Rotated, r.rows)
	}
	credentials := r.credentials()
	for h := range r.api.Passwords() {
		if credentials[h.UserID+"/"+h.DeviceID] != h.Password {
			r.t.Errorf("device %s holds another password than credentials.csv has", h.DeviceID)
		}
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	for row := 1; row <= r.rows; row++ {
		if n := len(r.api.sent[device(row)]); n != 1 && !r.renewed || n == 0 {
			r.t.Errorf("row %d: %d different passwords were sent", row, n)
		}
		if given := givenToHalf(row - 1); given != "" && !r.renewed && credentials[device(row)] != given {
			r.t.Errorf("row %d has another password than its input", row)
		}
	}
	if len(r.api.resent) > 0 {
		r.t.Errorf("%d requests came for devices that were confirmed, such as %s", len(r.api.resent), r.api.resent[0])
	}
}

// credentials returns the passwords in force by device, as the run's own file of
// them says.
func (r *rotation) credentials() map[string]string {
	r.t.Helper()
	var lines []map[string]string
	if r.key == nil {
		lines = readCSV(r.t, filepath.Join(r.dir, "credentials.csv"))
	} else {
		text, err := os.ReadFile(filepath.Join(r.dir, "credentials.csv.age"))
		must(r.t, err)
		lines = parseCSV(r.t, "credentials.csv.age", r.key.decrypt(r.t, text))
	}
	all := map[string]string{}
	for _, line := range lines {
		password := line["password"]
		if sealed := line["sealed"]; sealed != "" {
			row, err := strconv.Atoi(line["row"])
			must(r.t, err)
			password = r.key.open(r.t, row, sealed)
		}
		all[line["user_id"]+"/"+line["device_id"]] = password
	}
	return all
}

// checkReports checks that the reports add up, with each other and with what was
// sent.
func (r *rotation) checkReports() {
	r.t.Helper()
	lines := readCSV(r.t, filepath.Join(r.dir, "report.csv"))
	if len(lines) != r.rows {
		r.t.Errorf("the report has %d rows of %d", len(lines), r.rows)
	}
	outcomes, attempts := map[string]int{}, 0
	for i, line := range lines {
		if line["row"] != strconv.Itoa(i+1) || line["user_id"]+"/"+line["device_id"] != device(i+1) {
			r.t.Errorf("row %s of device %s stands in place %d", line["row"], line["device_id"], i+1)
		}
		outcomes[line["outcome"]]++
		tries, err := strconv.Atoi(line["attempts"])
		must(r.t, err)
		if seen := r.api.requests(device(i + 1)); tries < seen {
			r.t.Errorf("row %d: %d requests came, the report has %d", i+1, seen, tries)
		}
		attempts += tries
	}
	s, j := readSummary(r.t, r.dir), r.journal()
	counts := map[string]int{
		"rotated": s.Rotated, "failed": s.Failed, "unknown": s.Unknown, "invalid": s.Invalid, "not_attempted": s.NotAttempted,
	}
	sum := 0
	for outcome, n := range counts {
		sum += n
		if outcomes[outcome] != n {
			r.t.Errorf("the summary has %d rows %s, the report %d", n, outcome, outcomes[outcome])
		}
	}
	if sum != r.rows || s.Rows != r.rows {
		r.t.Errorf("the summary has %d rows and %d outcomes, there are %d rows", s.Rows, sum, r.rows)
	}
	if s.Requests != attempts || s.Requests != j.sends {
		r.t.Errorf("the summary has %d requests, the report %d, the journal %d", s.Requests, attempts, j.sends)
	}
	if len(j.resent) > 0 {
		r.t.Errorf("the journal has %d requests for rows it had confirmed, such as row %d", len(j.resent), j.resent[0])
	}
}

// pause is a random short delay, in which a few requests go back and forth.
func (r *rotation) pause() time.Duration {
	return time.Duration(r.rng.IntN(int(2 * time.Millisecond)))
}

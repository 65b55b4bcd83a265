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
	far  *witness
	base string

	input, dir  string
	maxAttempts int
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

// newRotation prepares a rotation. No device has a password from the start: the
// stand-in holds an empty one where the old one stands.
func newRotation(t *testing.T, rng *rand.Rand, rows int, faults map[exoteltest.Fault]float64) *rotation {
	t.Helper()
	far := newWitness(exoteltest.Options{Users: rows, Faults: faults, Seed: rng.Uint64()})
	server := httptest.NewServer(far)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	r := &rotation{
		t: t, rng: rng, rows: rows, far: far, base: server.URL,
		input: filepath.Join(folder, "users.csv"), dir: filepath.Join(folder, "users.run"),
		maxAttempts: 1 + rng.IntN(2), // a second one adds waits to be killed in
	}
	must(t, writeInput(r.input, rows, givenToHalf))
	settle(t, r.input)
	return r
}

// settle makes a file an hour old, so that no run waits for it to settle.
func settle(tb testing.TB, path string) {
	tb.Helper()
	past := time.Now().Add(-time.Hour)
	must(tb, os.Chtimes(path, past, past))
}

// writeInput writes a CSV of generated users with the passwords that given says.
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
	return f.Close()
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

// command starts, or goes on with, the run, by either of the commands that do.
func (r *rotation) command(j written) func() *process {
	args := []string{"run", r.input, "--yes", "-o", r.dir}
	if j.sealed && (j.confirmedRows() == r.rows || r.rng.IntN(2) == 0) {
		args = []string{"resume", r.dir}
	}
	args = append(args, "--rate", "unlimited", "--workers", "16", "--max-attempts", strconv.Itoa(r.maxAttempts))
	return func() *process { return start(r.t, program, r.base, nil, args...) }
}

// settle tells the witness what the journal confirms: nothing may be sent for
// those rows any more.
func (r *rotation) settle() written {
	j := readJournal(r.t, r.dir)
	for row, yes := range j.rotated {
		if yes {
			r.far.confirm(device(row))
		}
	}
	return j
}

// survive checks what must hold at the instant of a kill: the password in force
// of every device, and any that may be yet, is the old one or written down.
func (r *rotation) survive() {
	r.t.Helper()
	held := map[string]string{}
	for h := range r.far.Passwords() {
		held[h.UserID+"/"+h.DeviceID] = h.Password
	}
	j := readJournal(r.t, r.dir)
	r.far.mu.Lock()
	defer r.far.mu.Unlock()
	for row := 1; row <= r.rows; row++ {
		known := j.passwords[row]
		if password := held[device(row)]; password != "" && !slices.Contains(known, password) {
			r.t.Errorf("row %d: the password in force stands nowhere", row)
		}
		for password := range r.far.sent[device(row)] {
			if !slices.Contains(known, password) {
				r.t.Errorf("row %d: a password was sent that stands nowhere", row)
			}
		}
	}
	if !j.sealed && len(r.far.sent) > 0 {
		r.t.Errorf("%d devices were sent something before the plan was whole", len(r.far.sent))
	}
}

// finish goes on with the run until it ends by itself with every row rotated,
// and checks what it leaves.
func (r *rotation) finish() {
	r.t.Helper()
	const unfinished, sessions = 3, 30
	for range sessions {
		p := r.far.spare(r.command(r.settle()))
		switch code := p.wait(); code {
		case 0:
			r.ended()
			return
		case unfinished:
			r.reported()
		default:
			r.t.Fatalf("exit code %d: %s", code, p.said.String())
		}
		if r.t.Failed() {
			return
		}
	}
	r.t.Errorf("not every row is rotated after %d sessions", sessions)
}

// ended checks what holds at the end: one known password a device, the same in
// every place, and no request too many.
func (r *rotation) ended() {
	r.t.Helper()
	r.reported()
	if s := readSummary(r.t, r.dir); s.Rotated != r.rows {
		r.t.Errorf("%d of %d rows are rotated, and the program says it is done", s.Rotated, r.rows)
	}
	credentials := map[string]string{}
	for _, line := range readCSV(r.t, filepath.Join(r.dir, "credentials.csv")) {
		credentials[line["user_id"]+"/"+line["device_id"]] = line["password"]
	}
	for h := range r.far.Passwords() {
		if credentials[h.UserID+"/"+h.DeviceID] != h.Password {
			r.t.Errorf("device %s holds another password than credentials.csv tells", h.DeviceID)
		}
	}
	r.far.mu.Lock()
	defer r.far.mu.Unlock()
	for row := 1; row <= r.rows; row++ {
		if n := len(r.far.sent[device(row)]); n != 1 {
			r.t.Errorf("row %d: %d different passwords were sent", row, n)
		}
		if given := givenToHalf(row - 1); given != "" && credentials[device(row)] != given {
			r.t.Errorf("row %d has another password than its input", row)
		}
	}
	if len(r.far.resent) > 0 {
		r.t.Errorf("%d requests came for devices that were confirmed, such as %s", len(r.far.resent), r.far.resent[0])
	}
}

// reported checks that the reports add up, with each other and with what was
// sent.
func (r *rotation) reported() {
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
		if seen := r.far.requests(device(i + 1)); tries < seen {
			r.t.Errorf("row %d: %d requests came, the report tells %d", i+1, seen, tries)
		}
		attempts += tries
	}
	s, j := readSummary(r.t, r.dir), readJournal(r.t, r.dir)
	told := map[string]int{
		"rotated": s.Rotated, "failed": s.Failed, "unknown": s.Unknown, "invalid": s.Invalid, "not_attempted": s.NotAttempted,
	}
	sum := 0
	for outcome, n := range told {
		sum += n
		if outcomes[outcome] != n {
			r.t.Errorf("the summary tells %d rows %s, the report %d", n, outcome, outcomes[outcome])
		}
	}
	if sum != r.rows || s.Rows != r.rows {
		r.t.Errorf("the summary tells %d rows and %d outcomes, there are %d rows", s.Rows, sum, r.rows)
	}
	if s.Requests != attempts || s.Requests != j.sends {
		r.t.Errorf("the summary tells %d requests, the report %d, the journal %d", s.Requests, attempts, j.sends)
	}
	if len(j.resent) > 0 {
		r.t.Errorf("the journal has %d requests for rows it had confirmed, such as row %d", len(j.resent), j.resent[0])
	}
}

// requests returns how many requests came for a device.
func (w *witness) requests(device string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.sent[device] {
		n += times
	}
	return n
}

// instant is a random short delay, in which a few requests go back and forth.
func (r *rotation) instant() time.Duration {
	return time.Duration(r.rng.IntN(int(2 * time.Millisecond)))
}

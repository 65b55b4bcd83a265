package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"siprotate/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Now().UTC().Truncate(time.Millisecond).Add(-time.Minute)

func testRow(n int) batch.Row {
	return batch.Row{
		Number: n, Line: n + 1, UserID: fmt.Sprintf("user%d", n), DeviceID: fmt.Sprint(490000 + n),
		SIPID: "sip:x", Email: "a@example.com", Password: batch.NewSecret(fmt.Sprintf("Pass-word-%d", n)),
		PasswordSource: batch.Generated, Extra: []string{"a,b", "\r\n\"ü"},
	}
}

// planned returns a sealed journal of n rows.
func planned(t testing.TB, n int) *Journal {
	t.Helper()
	var rows []batch.Row
	for i := range n {
		rows = append(rows, testRow(i+1))
	}
	return plannedRows(t, Plain, rows...)
}

func plannedRows(t testing.TB, v Vault, rows ...batch.Row) *Journal {
	t.Helper()
	p, err := Create(filepath.Join(t.TempDir(), "x.run"), Head{Run: "r", Account: "acc", Host: "h", Input: "x.csv", Tool: "t", Settings: json.RawMessage(`{"rate":"50/m"}`)}, v)
	must(t, err)
	for _, row := range rows {
		must(t, p.Add(row))
	}
	j, err := p.Seal("sum", []string{"c1", "c2"})
	must(t, err)
	t.Cleanup(func() { j.Close() })
	return j
}

func begin(t testing.TB, j *Journal) {
	t.Helper()
	must(t, j.Begin("t", false))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func send(t testing.TB, j *Journal, row, attempts int) {
	t.Helper()
	r := testRow(row)
	r.Attempts.Count = attempts
	must(t, j.Sending(&r, at))
}

func result(row int, o batch.Outcome) batch.Result {
	doubt := ""
	if o == batch.Unknown {
		doubt = "timeout"
	}
	return batch.Result{
		Row: row, Outcome: o, Finished: at.Add(time.Second), Note: "n",
		Attempts: batch.Attempts{Count: 1, FirstSent: at, Doubt: doubt},
		Receipt:  batch.Receipt{HTTPCode: 200, Code: "200", Status: "success", RequestID: "id", ErrorCode: "1", ErrorMessage: "m", ErrorDescription: "d"},
	}
}

// crash leaves the journal as a killed process does, and opens it again.
func crash(t *testing.T, j *Journal) *Journal {
	t.Helper()
	must(t, j.Close())
	again, err := Open(j.Dir(), Plain)
	must(t, err)
	t.Cleanup(func() { again.Close() })
	return again
}

// powerCut is a crash of the machine: records after the last sync are gone as
// well, here all after the given number of bytes.
func powerCut(t *testing.T, j *Journal, size int64) *Journal {
	t.Helper()
	must(t, j.Close())
	path := filepath.Join(j.Dir(), Name)
	must(t, os.Truncate(path, size))
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	s, _, err := load(path, f)
	must(t, err)
	s.endSession(s.loss(false), time.Now())
	j.state, j.at = s, f
	return j
}

func outcomes(t *testing.T, v *View) (got []batch.Outcome) {
	t.Helper()
	for entry, err := range v.Entries() {
		must(t, err)
		if entry.Row.Number != len(got)+1 || entry.Result.Row != entry.Row.Number {
			t.Fatalf("row %d (result of %d) in place %d", entry.Row.Number, entry.Result.Row, len(got)+1)
		}
		got = append(got, entry.Result.Outcome)
	}
	return got
}

func TestPlanReadsBackAsItWas(t *testing.T) {
	j := planned(t, 3)
	begin(t, j)
	j = crash(t, j)
	n := 0
	for entry, err := range j.Entries() {
		must(t, err)
		n++
		want := testRow(n)
		if got := entry.Row.Password.Reveal(); got != want.Password.Reveal() {
			t.Errorf("row %d has password %q", n, got)
		}
		entry.Row.Password, want.Password = batch.Secret{}, batch.Secret{}
		if diff := cmp.Diff(want, entry.Row, cmp.AllowUnexported(batch.Secret{})); diff != "" {
			t.Error(diff)
		}
	}
	info := j.Info()
	if n != 3 || info.Rows != 3 || info.Digest != "sum" || info.Account != "acc" || len(info.Columns) != 2 || string(info.Settings) != `{"rate":"50/m"}` || info.Vault != "plain" {
		t.Errorf("%d rows, info %+v", n, info)
	}
}

func TestOutcomesAfterAKill(t *testing.T) {
	j := planned(t, 7)
	begin(t, j)
	for row := 1; row <= 6; row++ {
		send(t, j, row, 1)
	}
	must(t, j.Finish(result(1, batch.Rotated)))
	must(t, j.Finish(result(2, batch.Failed)))
	must(t, j.Finish(result(3, batch.Unknown)))
	throttled := result(4, batch.NotAttempted)
	throttled.Receipt.Feedback.Throttled = true
	must(t, j.Tried(throttled))
	doubtful := result(5, batch.Unknown)
	must(t, j.Tried(doubtful))
	// Row 6 is under way; row 7 was never sent.
	want := []batch.Outcome{batch.Rotated, batch.Failed, batch.Unknown, batch.NotAttempted, batch.Unknown, batch.Unknown, batch.NotAttempted}
	if diff := cmp.Diff(want, outcomes(t, &j.View)); diff != "" {
		t.Error("live:", diff)
	}
	j = crash(t, j)
	if diff := cmp.Diff(want, outcomes(t, &j.View)); diff != "" {
		t.Error("after a kill:", diff)
	}
	if info := j.Info(); info.Requests != 6 || info.Throttled != 1 {
		t.Errorf("%d requests, %d throttled", info.Requests, info.Throttled)
	}
	for retry, want := range map[bool][]int{false: {3, 4, 5, 6, 7}, true: {2, 3, 4, 5, 6, 7}} {
		count, rows := j.Pending(retry)
		var got []int
		for row, err := range rows {
			must(t, err)
			got = append(got, row.Number)
			if doubt := row.Number == 3 || row.Number == 5 || row.Number == 6; (row.Attempts.Doubt != "") != doubt {
				t.Errorf("row %d: doubt %v", row.Number, row.Attempts.Doubt)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || count != len(want) {
			t.Errorf("pending (retry failed: %v): %d, %s", retry, count, diff)
		}
	}
	if recent := j.Recent(); len(recent) != 6 {
		t.Errorf("%d requests count against the allowance, want 6", len(recent))
	}
}

func TestPowerCutDoubtsWhatTheMarkAllowed(t *testing.T) {
	j := planned(t, 40)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Finish(result(1, batch.Rotated)))
	kept := j.out.size
	for row := 2; row <= 6; row++ {
		send(t, j, row, 1)
	}
	j = powerCut(t, j, kept)
	allowed := j.state.mark.Row
	if allowed < 6 || allowed > 6+2*lastBlock {
		t.Fatalf("mark allows rows up to %d", allowed)
	}
	for i, o := range outcomes(t, &j.View) {
		want := batch.Unknown
		switch row := i + 1; {
		case row == 1:
			want = batch.Rotated
		case row > allowed:
			want = batch.NotAttempted
		}
		if o != want {
			t.Errorf("row %d is %v, want %v", i+1, o, want)
		}
	}
	if lost := j.state.mark.Sends - 1; len(j.Recent()) != lost+1 {
		t.Errorf("%d requests count against the allowance, want %d", len(j.Recent()), lost+1)
	}
}

func TestPowerCutDuringRetryOfFailedRows(t *testing.T) {
	j := planned(t, 4)
	begin(t, j)
	for row := 1; row <= 4; row++ {
		send(t, j, row, 1)
		must(t, j.Finish(result(row, batch.Failed)))
	}
	must(t, j.Stop(Totals{}))
	must(t, j.Begin("t", true))
	send(t, j, 1, 2)
	must(t, j.Finish(result(1, batch.Failed)))
	kept := j.out.size
	send(t, j, 2, 2)
	j = powerCut(t, j, kept)
	want := []batch.Outcome{batch.Failed, batch.Unknown, batch.Unknown, batch.Unknown}
	if diff := cmp.Diff(want, outcomes(t, &j.View)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsSentBeyondTheSyncedMark(t *testing.T) {
	j := planned(t, 800)
	begin(t, j)
	for row := 1; row <= 800; row++ {
		send(t, j, row, 1)
		if m := j.state.mark; row > m.Row || j.state.sends > m.Sends {
			t.Fatalf("row %d, request %d is beyond the mark %+v", row, j.state.sends, m)
		}
		if m := j.state.mark; m.Row > row+2*lastBlock {
			t.Fatalf("the mark runs away: row %d, mark %+v", row, m)
		}
	}
}

func TestReissuedPasswordIsTheRowsPassword(t *testing.T) {
	j := planned(t, 2)
	begin(t, j)
	send(t, j, 2, 1)
	must(t, j.Tried(result(2, batch.NotAttempted)))
	row := testRow(2)
	row.Password, row.Attempts.Reissued = batch.NewSecret("Another-one-2"), 1
	must(t, j.Reissue(&row))
	j = crash(t, j)
	var got []string
	_, rows := j.Pending(false)
	for row, err := range rows {
		must(t, err)
		got = append(got, fmt.Sprint(row.Password.Reveal(), " ", row.Attempts.Reissued))
	}
	if diff := cmp.Diff([]string{"Pass-word-1 0", "Another-one-2 1"}, got); diff != "" {
		t.Error(diff)
	}
}

// A doubtful row whose password is refused again and again may be given another
// one at last: both stay in the journal, and the count starts anew.
func TestRefusalsOfADoubtfulRowAreCounted(t *testing.T) {
	j := planned(t, 1)
	begin(t, j)
	send(t, j, 1, 1)
	refused := result(1, batch.Unknown)
	refused.Attempts.Refused = 2
	must(t, j.Finish(refused))
	j = crash(t, j)
	want := batch.Attempts{Count: 1, FirstSent: at, Doubt: "timeout", Refused: 2}
	row := onlyPending(t, j)
	if diff := cmp.Diff(want, row.Attempts); diff != "" {
		t.Error("before:", diff)
	}
	row.Password, row.Attempts.Reissued = batch.NewSecret("Another-one-1"), 1
	begin(t, j)
	must(t, j.Reissue(&row))
	j = crash(t, j)
	want.Refused, want.Reissued = 0, 1
	if row = onlyPending(t, j); row.Password.Reveal() != "Another-one-1" {
		t.Error("the row has its former password")
	}
	if diff := cmp.Diff(want, row.Attempts); diff != "" {
		t.Error("after:", diff)
	}
	text, err := os.ReadFile(j.folder.journal())
	must(t, err)
	for _, kept := range []string{"Pass-word-1", "Another-one-1", `"doubt":"timeout","refused":2,"reissued":1`} {
		if !strings.Contains(string(text), kept) {
			t.Errorf("%s is not in the journal", kept)
		}
	}
	begin(t, j)
	send(t, j, 1, 2)
	refused.Attempts = batch.Attempts{Count: 2, FirstSent: at, Doubt: "timeout", Refused: 1, Reissued: 1}
	must(t, j.Finish(refused))
	if diff := cmp.Diff(refused.Attempts, onlyPending(t, j).Attempts); diff != "" {
		t.Error("refused again:", diff)
	}
}

func onlyPending(t *testing.T, j *Journal) (only batch.Row) {
	t.Helper()
	count, rows := j.Pending(false)
	if count != 1 {
		t.Fatalf("%d rows are pending", count)
	}
	for row, err := range rows {
		must(t, err)
		only = row
	}
	return only
}

// A View that knows more of a run has a greater length, and a directory that
// stays the one that was opened.
func TestViewsOfALiveRun(t *testing.T) {
	j := planned(t, 2)
	begin(t, j)
	early, err := Read(j.Dir(), Plain)
	must(t, err)
	defer early.Close()
	if early.Length() != j.Length() {
		t.Errorf("lengths %d and %d", early.Length(), j.Length())
	}
	send(t, j, 1, 1)
	late, err := Read(j.Dir(), Plain)
	must(t, err)
	defer late.Close()
	if early.Length() >= late.Length() || late.Length() != j.Length() {
		t.Errorf("lengths %d, %d and %d", early.Length(), late.Length(), j.Length())
	}
	must(t, os.Rename(j.Dir(), j.Dir()+".old"))
	for name, v := range map[string]*View{"journal": &j.View, "view": early} {
		must(t, v.Root().WriteFile(name, nil, 0o600))
		if _, err := os.Stat(filepath.Join(j.Dir()+".old", name)); err != nil {
			t.Error(err)
		}
	}
}

func TestRefusedRowsAreNeverPending(t *testing.T) {
	faulty := testRow(1)
	faulty.Faults = []batch.Fault{{Column: "device_id", Text: "same device as line 3"}, {Text: "too many cells"}}
	j2 := crash(t, plannedRows(t, Plain, faulty, testRow(2)))
	if diff := cmp.Diff([]batch.Outcome{batch.Invalid, batch.NotAttempted}, outcomes(t, &j2.View)); diff != "" {
		t.Error(diff)
	}
	for entry, err := range j2.Entries() {
		must(t, err)
		if n := entry.Row.Number; n == 1 && entry.Result.Note != "device_id: same device as line 3; too many cells" {
			t.Errorf("row 1 is refused for %q", entry.Result.Note)
		}
		if n := entry.Row.Number; entry.Row.Password.Empty() != (n == 1) {
			t.Errorf("row %d: is its password kept?", n)
		}
	}
	if n, _ := j2.Pending(true); n != 1 {
		t.Errorf("%d rows are pending", n)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	j := planned(t, 1)
	if _, err := Open(j.Dir(), Plain); !errors.Is(err, ErrLocked) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Create(j.Dir(), Head{}, Plain); !errors.Is(err, ErrLocked) {
		t.Errorf("Create: %v", err)
	}
	if v, err := Read(j.Dir(), Plain); err != nil {
		t.Errorf("Read: %v", err)
	} else {
		must(t, v.Close())
	}
}

func TestASealedJournalIsNeverReplaced(t *testing.T) {
	j := planned(t, 1)
	must(t, j.Close())
	if _, err := Create(j.Dir(), Head{}, Plain); err == nil {
		t.Fatal("a run was overwritten")
	}
	again, err := Open(j.Dir(), Plain)
	must(t, err)
	must(t, again.Close())
}

func TestAnUnsealedJournalIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x.run")
	p, err := Create(dir, Head{}, Plain)
	must(t, err)
	must(t, p.Add(testRow(1)))
	must(t, p.out.out.Flush())
	must(t, p.file.Close())
	must(t, p.folder.close())
	if _, err := Open(dir, Plain); !errors.Is(err, ErrUnplanned) {
		t.Fatalf("Open: %v", err)
	}
	p, err = Create(dir, Head{}, Plain)
	must(t, err)
	must(t, p.Discard())
	if Exists(dir) {
		t.Error("a discarded plan stays")
	}
}

func TestModes(t *testing.T) {
	j := planned(t, 1)
	for path, want := range map[string]fs.FileMode{j.Dir(): 0o700, filepath.Join(j.Dir(), Name): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestUnsafeDirectoriesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		make func(dir string) error
		want error
	}{
		"link":         {func(dir string) error { return os.Symlink(t.TempDir(), dir) }, ErrUnsafe},
		"file":         {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, ErrUnsafe},
		"others write": {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }, ErrUnsafe},
		"foreign files": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/report.csv", nil, 0o600))
		}, ErrNotEmpty},
		"foreign files of all": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/report.csv", nil, 0o600), os.Chmod(dir, 0o777))
		}, ErrNotEmpty},
		"journal link": {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Symlink("/nowhere", dir+"/"+Name)) }, ErrUnsafe},
		"lock link": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink("/nowhere", dir+"/"+lockName))
		}, ErrUnsafe},
		"no parent": {func(dir string) error { return nil }, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x.run")
			if name == "no parent" {
				dir = filepath.Join(dir, "y.run")
			}
			must(t, c.make(dir))
			if _, err := Create(dir, Head{}, Plain); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if _, err := os.Lstat(filepath.Join(dir, lockName)); name == "foreign files" && err == nil {
				t.Error("a lock was left there")
			}
		})
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	row := testRow(1)
	for _, text := range []string{fmt.Sprint(row), fmt.Sprintf("%+v", row), fmt.Sprintf("%#v", row), fmt.Sprintf("%+v", struct{ r batch.Row }{row})} {
		if strings.Contains(text, "Pass-word") {
			t.Error(text)
		}
	}
}

// Whatever the window, an hour of answers is kept, and no more than that.
func TestRecentIsTheLastHour(t *testing.T) {
	var r recent
	for i := range 5000 {
		r.add(at.Add(time.Duration(i) * time.Second))
	}
	v := &View{state: &state{recent: r}}
	if got := len(v.Recent()); got != 3601 {
		t.Errorf("%d answers within an hour, want 3601", got)
	}
	if len(r.times) > 2*3601 {
		t.Errorf("%d answers are held", len(r.times))
	}
}

// A row may be longer than what is read at once.
func TestLongRows(t *testing.T) {
	want := strings.Repeat("0123456789", 30_000)
	one, two := testRow(1), testRow(2)
	one.Extra, two.Extra = []string{want}, []string{want}
	j := crash(t, plannedRows(t, Plain, one, two))
	for entry, err := range j.Entries() {
		must(t, err)
		if got := entry.Row.Extra; len(got) != 1 || got[0] != want {
			t.Errorf("row %d came back otherwise", entry.Row.Number)
		}
	}
}

// The minutes have every request, every 429 and every wait, in the run as it goes
// and when it is read again.
func TestTraffic(t *testing.T) {
	j := planned(t, 2)
	begin(t, j)
	minute := at.Truncate(time.Minute)
	request := func(row, attempts int, sent time.Time, throttled bool) {
		r := testRow(row)
		r.Attempts.Count = attempts
		must(t, j.Sending(&r, sent))
		end := result(row, batch.NotAttempted)
		end.Finished, end.Receipt.Feedback.Throttled = sent.Add(time.Minute), throttled
		must(t, j.Tried(end))
	}
	request(1, 1, minute, false)
	request(1, 2, minute.Add(59*time.Second), true)
	request(2, 1, minute.Add(61*time.Second), false)
	request(2, 2, minute.Add(61500*time.Millisecond), false)
	request(2, 3, minute.Add(5*time.Minute), false)
	begin(t, j) // what is between two sessions is no wait
	request(2, 4, minute.Add(5*time.Minute+30*time.Second), false)
	want := []batch.Minute{
		{Start: minute, First: 1, Again: 1, Waited: time.Minute},
		{Start: minute.Add(time.Minute), First: 1, Again: 1, Throttled: 1, Waited: time.Second + 58500*time.Millisecond},
		{Start: minute.Add(5 * time.Minute), Again: 2},
	}
	if diff := cmp.Diff(want, j.Info().Traffic); diff != "" {
		t.Error(diff)
	}
	v, err := Read(j.Dir(), Plain)
	must(t, err)
	defer v.Close()
	if diff := cmp.Diff(want, v.Info().Traffic); diff != "" {
		t.Error("read again:", diff)
	}
}

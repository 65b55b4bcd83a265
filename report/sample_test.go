package report

import (
	"flag"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"siprotate/batch"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares got with the golden file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readFile(t, "testdata", name), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

var start = time.Date(2025, 3, 1, 9, 30, 0, 0, time.FixedZone("IST", 19800))

// sampleRun and sampleEntries meet every outcome and every kind of answer.
func sampleRun() Run {
	return Run{
		ID:         "20250301-040000-sample",
		Account:    "exampleaccount",
		Host:       "ccm-api.exotel.com",
		Dir:        "users.run",
		Columns:    []string{"team", "=note, or \"not\""},
		StartedAt:  start,
		FinishedAt: start.Add(58*time.Minute + 1500*time.Millisecond),
		Took:       58*time.Minute + 1500*time.Millisecond,
		Requests:   11,
		Throttled:  1,
		Traffic:    []batch.Minute{{Start: start.UTC().Truncate(time.Minute), First: 8, Waited: 40 * time.Second}, {Start: start.UTC().Add(time.Hour).Truncate(time.Minute), Again: 3, Throttled: 1}},
		Waited:     40*time.Minute + 250*time.Millisecond,
		Stopped:    "the API said \x1b[31mno\x1b[0m",
	}
}

func sampleEntries() []batch.Entry {
	ok := batch.Receipt{HTTPCode: 200, Code: "200", Status: "success", RequestID: "req1"}
	missing := batch.Receipt{
		HTTPCode: 404, Code: "404", Status: "failure", RequestID: "req2",
		ErrorCode: "10801", ErrorMessage: "User not found", ErrorDescription: "=HYPERLINK(\"x\")\r\n\x1b[2J",
	}
	duplicate := batch.Receipt{HTTPCode: 200, Code: "409", Status: "failure", ErrorMessage: "no such thing as pässword-3"}
	throttled := batch.Receipt{HTTPCode: 429, Code: "RATE_LIMIT_EXCEEDED", ErrorMessage: "Rate limit exceeded"}
	return []batch.Entry{
		entry(1, batch.Rotated, ok, ""),
		entry(2, batch.Failed, missing, "our note does not replace theirs"),
		entry(3, batch.Failed, duplicate, ""),
		entry(4, batch.Unknown, batch.Receipt{}, "the connection was reset"),
		entry(5, batch.Failed, missing, ""),
		entry(6, batch.Invalid, batch.Receipt{}, "password: too short"),
		entry(7, batch.NotAttempted, throttled, ""),
		entry(8, batch.NotAttempted, batch.Receipt{}, ""),
	}
}

func entry(n int, outcome batch.Outcome, receipt batch.Receipt, note string) batch.Entry {
	digit := string(rune('0' + n%10))
	e := batch.Entry{
		Row: batch.Row{
			Number: n, Line: n + 1, UserID: "user" + digit, DeviceID: "49003" + digit,
			SIPID: "sip:agent" + digit, Email: "agent" + digit + "@example.com",
			Password: batch.NewSecret("pässword-" + digit), PasswordSource: batch.Provided,
			Extra: []string{" +team, \"A\" ", "=1+1\nsecond line"},
		},
		Result: batch.Result{Row: n, Outcome: outcome, Receipt: receipt, Note: note},
	}
	if outcome != batch.Invalid && outcome != batch.NotAttempted {
		e.Result.Attempts = batch.Attempts{Count: 1, FirstSent: start.Add(time.Duration(n) * time.Second)}
		e.Result.Finished = e.Result.Attempts.FirstSent.Add(321 * time.Millisecond)
	}
	return e
}

// sequence yields the entries, and then err unless it is nil.
func sequence(entries []batch.Entry, err error) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(batch.Entry{}, err)
		}
	}
}

// mustWrite does as writeIn, and fails the test on an error.
func mustWrite(t rapid.TB, dir string, run Run, entries iter.Seq2[batch.Entry, error]) Digest {
	t.Helper()
	digest, err := writeIn(dir, run, entries)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// writeIn writes the formats that every run gets into dir.
func writeIn(dir string, run Run, entries iter.Seq2[batch.Entry, error]) (Digest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Digest{}, err
	}
	defer root.Close()
	return Write(root, Owner, func() (Run, iter.Seq2[batch.Entry, error], error) { return run, entries, nil }, Formats...)
}

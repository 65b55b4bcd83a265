package cli_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

var (
	crashRuns = flag.Int("crash.runs", 4, "how many runs the crash tests kill and resume")
	crashSeed = flag.Uint64("crash.seed", 0, "of the choices of the crash tests; 0: another one each time")
)

// choices returns the source of a test's random choices, of which there are many.
func choices(t *testing.T) func(i int) *rand.Rand {
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to choose the same again: -crash.seed=%d", seed)
	return func(i int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(i))) }
}

// TestCrash kills runs while they send, each a few times, and resumes them. Every
// third is sealed.
func TestCrash(t *testing.T) {
	t.Parallel()
	choose := choices(t)
	for i := range *crashRuns {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			rng := choose(i)
			r := newRotation(t, rng, exoteltest.Options{Users: 100 + rng.IntN(100), Faults: faults})
			if i%3 == 0 {
				r.seal()
			}
			for range 1 + rng.IntN(4) {
				r.killSending()
			}
			r.finish()
		})
	}
}

// killSending kills the run at a random request. Every row that is left is sent
// at least once, so that the request comes.
func (r *rotation) killSending() {
	r.t.Helper()
	j := r.noteConfirmed()
	left := r.rows - j.confirmedRows()
	if left == 0 {
		return
	}
	p := r.api.killAt(1+r.rng.IntN(left), r.pause(), r.command(j))
	exits(r.t, p, killed)
	r.checkRecoverable()
}

// TestCrashWhilePlanning kills runs before their plan is whole. Such a run is as
// good as none: nothing was sent, and the same command starts it anew.
func TestCrashWhilePlanning(t *testing.T) {
	t.Parallel()
	const rows, planned = 1500, 220_000 // the size of the plan in bytes, rather less
	rng := choices(t)(0)
	r := newRotation(t, rng, exoteltest.Options{Users: rows})
	for unplanned := 0; unplanned < 3; unplanned++ {
		r.killWriting("journal.jsonl", int64(rng.IntN(planned)))
		if readJournal(t, r.dir).sealed {
			t.Logf("%d times before the plan was whole", unplanned)
			break // a slow machine: what is left is a crash like any other
		}
	}
	r.finish()
}

// TestCrashWhileReporting kills runs while they write their reports. A report
// that is there is whole, and the next one takes no further request.
func TestCrashWhileReporting(t *testing.T) {
	t.Parallel()
	r := newRotation(t, choices(t)(0), exoteltest.Options{Users: 1000})
	for _, name := range []string{".credentials.csv.tmp", ".report.csv.tmp", "credentials.csv", "report.csv"} {
		r.killWriting(name, 0)
		r.wholeReports()
	}
	r.finish()
}

// killWriting kills the run a random instant after it wrote so many bytes of a
// file, or lets it end if it is faster.
func (r *rotation) killWriting(name string, size int64) {
	r.t.Helper()
	path, delay := filepath.Join(r.dir, name), r.pause()
	before, _ := os.Stat(path) // nil if it is not there
	p := r.command(r.noteConfirmed())()
	for !p.exited() {
		now, err := os.Stat(path)
		if err == nil && now.Size() >= size && (before == nil || now.ModTime() != before.ModTime()) {
			break
		}
		runtime.Gosched()
	}
	time.Sleep(delay)
	p.kill()
	exits(r.t, p, killed, 0, 5)
	r.checkRecoverable()
}

// wholeReports checks that the reports that are in place have every row.
func (r *rotation) wholeReports() {
	r.t.Helper()
	for _, name := range []string{"credentials.csv", "report.csv"} {
		path := filepath.Join(r.dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if lines := readCSV(r.t, path); len(lines) != r.rows {
			r.t.Errorf("%s has %d rows of %d", name, len(lines), r.rows)
		}
	}
}

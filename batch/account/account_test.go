package account

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func takeLease(t *testing.T, folder, holder string) *Lease {
	t.Helper()
	l, err := Take(t.Context(), folder, "api.example:443", "acc/1", holder, false)
	must(t, err)
	return l
}

// die ends a lease as the death of its process does: the lock is free, and the
// ledger stays open.
func die(t *testing.T, l *Lease) {
	t.Helper()
	must(t, l.lock.Unlock())
}

var at = time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)

func TestOneHolderAtATime(t *testing.T) {
	folder := t.TempDir()
	l := takeLease(t, folder, "a.run")
	if _, err := Take(t.Context(), folder, "api.example:443", "acc/1", "b.run", false); !errors.Is(err, ErrBusy) || !strings.HasSuffix(err.Error(), ": a.run") {
		t.Errorf("a second holder: %v", err)
	}
	other, err := Take(t.Context(), folder, "api.example:443", "acc/2", "b.run", false)
	if err != nil {
		t.Fatalf("another account: %v", err)
	}
	defer other.Return(nil, time.Time{})

	waited := make(chan error)
	go func() {
		next, err := Take(t.Context(), folder, "api.example:443", "acc/1", "b.run", true)
		if err == nil {
			err = next.Return(nil, time.Time{})
		}
		waited <- err
	}()
	if err := l.Return(nil, time.Time{}); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("one that waits: %v", err)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	folder := t.TempDir()
	defer takeLease(t, folder, "a.run").Return(nil, time.Time{})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Take(ctx, folder, "api.example:443", "acc/1", "b.run", true); !errors.Is(err, why) {
		t.Error(err)
	}
}

func begin(t *testing.T, l *Lease, own ...time.Time) (ends []time.Time, held time.Time) {
	t.Helper()
	ends, held, err := l.Begin(own, 50)
	must(t, err)
	return ends, held
}

func giveBack(t *testing.T, l *Lease, ends ...time.Time) {
	t.Helper()
	must(t, l.Return(ends, at.Add(time.Minute)))
}

// near reports whether two times are the same but for the time that a test takes.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < 10*time.Second }

func TestWhatWasSpentIsHandedOn(t *testing.T) {
	folder := t.TempDir()
	l := takeLease(t, folder, "a.run")
	// Nobody knows by which clock the journal of a.run remembers.
	if ends, _ := begin(t, l, at); len(ends) != 1 || !near(ends[0], time.Now()) {
		t.Errorf("without a ledger: %v", ends)
	}
	giveBack(t, l, at, at)

	l = takeLease(t, folder, "b.run")
	// The journal of b.run knows an answer from before the ledger was written,
	// which it counts, and one from after, which came on another machine.
	ends, held := begin(t, l, at, time.Now().Add(time.Hour))
	if len(ends) != 3 || !near(ends[0], at) || !near(ends[1], at) || !near(ends[2], time.Now()) || !near(held, at.Add(time.Minute)) {
		t.Errorf("after a holder that gave back: %v, held until %v", ends, held)
	}
	die(t, l)
	l = takeLease(t, folder, "b.run")
	if ends, _ := begin(t, l, at, time.Now().Add(time.Hour)); len(ends) != 4 {
		t.Errorf("the same holder after its death: %v", ends)
	}
	die(t, l)
}

// A clock sets the clocks of a lease.
func (l *Lease) setClock(boot string, up time.Duration, wall time.Time) {
	l.clock = func() reading { return reading{wall, boot, up, wall} }
}

// TestClocks steps the wall clock between two holders, one of which remembers
// an answer that the ledger does not have.
func TestClocks(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name string
		boot string        // that of the first holder is "1", and it is up for 100 s
		up   time.Duration // when the second begins
		step time.Duration // of the wall clock, in between
		died bool          // the first did not give back
		want []time.Duration
	}{
		// The ledger has an answer 8 s old, and one that may be counted 2 s from
		// then on; 30 s later the second begins. Own answers: 9 s before the ledger was
		// written, and 10 s after, by the wall clock as it was.
		{"as it should be", "1", 130 * s, 0, true, []time.Duration{-38 * s, -28 * s, -20 * s}},
		{"forward", "1", 130 * s, 25 * s, true, []time.Duration{-38 * s, -28 * s, -20 * s}},
		{"far forward", "1", 130 * s, 24 * time.Hour, true, []time.Duration{-38 * s, -28 * s, -20 * s}},
		{"back", "1", 130 * s, -5 * s, true, []time.Duration{-38 * s, -28 * s, -15 * s}},
		{"far back", "1", 130 * s, -time.Hour, true, []time.Duration{-38 * s, -28 * s, 0, 0}},
		{"another boot", "2", 10 * s, 0, true, []time.Duration{0, 2 * s, 0, 0}},
		{"another boot, far forward", "2", 10 * s, 24 * time.Hour, true, []time.Duration{0, 2 * s, 0, 0}},
		{"an impossible clock", "1", 90 * s, 0, true, []time.Duration{0, 2 * s, 0, 0}},
		{"unknown", "", 130 * s, 0, true, []time.Duration{0, 2 * s, 0, 0}},
		{"given back", "1", 130 * s, 25 * s, false, []time.Duration{-38 * s, -28 * s, 0}},
		{"given back before a boot", "2", 10 * s, 25 * s, false, []time.Duration{0, 2 * s, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			l := takeLease(t, folder, "a.run")
			l.setClock("1", 100*s, at)
			begin(t, l)
			ends, held := []time.Time{at.Add(-8 * s), at.Add(2 * s)}, at.Add(40*s)
			if c.died {
				must(t, l.Rename("a.run", ends, held))
				die(t, l)
			} else {
				must(t, l.Return(ends, held))
			}

			l = takeLease(t, folder, "a.run")
			now := at.Add(30*s + c.step)
			l.setClock(c.boot, c.up, now)
			ends, held = begin(t, l, at.Add(-9*s), at.Add(10*s))
			var got []time.Duration
			for _, end := range ends {
				got = append(got, end.Sub(now))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("requests count from %v, want %v", got, c.want)
			}
			wait := 10 * s
			if c.want[0] == 0 {
				wait = 40 * s
			}
			if got := held.Sub(now); got != wait {
				t.Errorf("nothing is sent for %v, want %v", got, wait)
			}
			die(t, l)
		})
	}
}

func TestTheClockOfTheMachine(t *testing.T) {
	a, b := readClock(), readClock()
	if a.boot != b.boot || b.up < a.up || a.wall.Before(a.before) || runtime.GOOS == "linux" && (a.boot == "" || a.up <= 0) {
		t.Errorf("%+v, then %+v", a, b)
	}
}

// After a death nobody but the dead holder itself knows what was spent: the
// whole window counts, whoever comes next and whatever happened in between.
func TestADeathSpendsTheWindow(t *testing.T) {
	for name, between := range map[string]func(t *testing.T, folder string){
		"at once": func(*testing.T, string) {},
		"one that gave up before it began": func(t *testing.T, folder string) {
			must(t, takeLease(t, folder, "b.run").Return(nil, time.Time{}))
		},
		"one that died before it began": func(t *testing.T, folder string) { die(t, takeLease(t, folder, "c.run")) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			l := takeLease(t, folder, "a.run")
			begin(t, l)
			die(t, l)
			between(t, folder)
			l = takeLease(t, folder, "c.run")
			if ends, _ := begin(t, l); len(ends) != 50 || time.Since(ends[0]) > time.Minute {
				t.Errorf("another holder: %d answers count", len(ends))
			}
			die(t, l)
			l = takeLease(t, folder, "c.run") // a new run under the old name
			if ends, _ := begin(t, l); len(ends) < 50 {
				t.Errorf("one that remembers nothing: %d answers count", len(ends))
			}
			die(t, l)
		})
	}
}

func TestADamagedLedgerCountsAsADeath(t *testing.T) {
	folder := t.TempDir()
	l := takeLease(t, folder, "a.run")
	begin(t, l)
	giveBack(t, l)
	must(t, os.WriteFile(l.path, []byte("{"), 0o600))
	l = takeLease(t, folder, "a.run")
	if ends, _ := begin(t, l); len(ends) != 50 {
		t.Errorf("%d answers count", len(ends))
	}
	die(t, l)
}

func TestFolder(t *testing.T) {
	for _, c := range []struct{ xdg, home, want string }{
		{"/state", "/home/x", "/state/siprotate"},
		{"relative", "/home/x", "/home/x/.local/state/siprotate"},
		{"", "/home/x", "/home/x/.local/state/siprotate"},
	} {
		env := map[string]string{"XDG_STATE_HOME": c.xdg, "HOME": c.home}
		if got := Folder(func(name string) string { return env[name] }); got != filepath.FromSlash(c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := Folder(func(string) string { return "" }); filepath.Dir(got) != filepath.Clean(os.TempDir()) {
		t.Errorf("without a home: %s", got)
	}
}

func TestAnotherNameKeepsWhatWasSpent(t *testing.T) {
	folder := t.TempDir()
	l := takeLease(t, folder, "a.run")
	begin(t, l)
	must(t, l.Rename("looking up", []time.Time{at}, time.Time{}))
	if _, err := Take(t.Context(), folder, "api.example:443", "acc/1", "b.run", false); !errors.Is(err, ErrBusy) || !strings.HasSuffix(err.Error(), ": looking up") {
		t.Errorf("a second holder: %v", err)
	}
	die(t, l)
	l = takeLease(t, folder, "a.run")
	if ends, _ := begin(t, l, at); len(ends) != 51 {
		t.Errorf("after a death under another name: %d answers", len(ends))
	}
	must(t, l.Rename("a.run", []time.Time{at, at}, at.Add(time.Minute)))
	die(t, l)
	l = takeLease(t, folder, "a.run")
	if ends, held := begin(t, l, at, time.Now()); len(ends) != 3 || !near(held, at.Add(time.Minute)) {
		t.Errorf("after a death under the same name: %v, held until %v", ends, held)
	}
	die(t, l)
}

// Whoever names one host in two ways has one allowance.
func TestOneHostInManySpellings(t *testing.T) {
	for _, same := range [][]string{
		{"api.example", "API.Example", "api.example.", "api.example:443", "API.example.:443"},
		{"localhost:8080", "127.0.0.1:8080", "127.0.0.2:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080", "LOCALHOST.:8080", "a.localhost:8080"},
		{"localhost", "127.0.0.1:80", "[::1]", "localhost:443"},
		{"[2001:db8::1]:8080", "[2001:DB8:0::1]:8080"},
		{"api.example:8080"},
	} {
		folder := t.TempDir()
		l, err := Take(t.Context(), folder, same[0], "acc", "a.run", false)
		must(t, err)
		for _, host := range same {
			if _, err := Take(t.Context(), folder, host, "acc", "b.run", false); !errors.Is(err, ErrBusy) {
				t.Errorf("%s is another host than %s: %v", host, same[0], err)
			}
		}
		for _, host := range []string{"other.example", "localhost:8081", "127.0.0.1.example", "[2001:db8::2]:8080"} {
			other, err := Take(t.Context(), folder, host, "acc", "b.run", false)
			if err != nil {
				t.Fatalf("%s is the same host as %s: %v", host, same[0], err)
			}
			die(t, other)
		}
		die(t, l)
	}
}

func TestCheck(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state", "siprotate")
	if err := Check(folder); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	file := filepath.Join(folder, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if err := Check(filepath.Join(file, "siprotate")); err == nil {
		t.Error("a file passes for a folder")
	}
}

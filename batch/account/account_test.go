package account

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func takeLease(t *testing.T, folder, holder string) *Lease {
	t.Helper()
	l, err := Take(t.Context(), folder, "api.example:443", "acc/1", holder, false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// die ends a lease as the death of its process does: the lock is free, and the
// ledger stays open.
func die(t *testing.T, l *Lease) {
	t.Helper()
	if err := l.lock.Unlock(); err != nil {
		t.Fatal(err)
	}
}

var at = time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)

func TestOneHolderAtATime(t *testing.T) {
	folder := t.TempDir()
	l := takeLease(t, folder, "a.run")
	if _, err := Take(t.Context(), folder, "api.example:443", "acc/1", "b.run", false); !errors.Is(err, ErrTaken) || !strings.HasSuffix(err.Error(), ": a.run") {
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
	if err != nil {
		t.Fatal(err)
	}
	return ends, held
}

func giveBack(t *testing.T, l *Lease, ends ...time.Time) {
	t.Helper()
	if err := l.Return(ends, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasSpentIsHandedOn(t *testing.T) {
	folder, later := t.TempDir(), time.Now().Add(time.Hour)
	l := takeLease(t, folder, "a.run")
	if ends, _ := begin(t, l, at); len(ends) != 1 || !ends[0].Equal(at) {
		t.Errorf("without a ledger: %v", ends)
	}
	giveBack(t, l, at, at)

	l = takeLease(t, folder, "b.run")
	// The journal of b.run knows an answer from before the ledger was written,
	// which it counts, and one from after, which came on another machine.
	ends, held := begin(t, l, at, later)
	if len(ends) != 3 || !ends[0].Equal(later) || !held.Equal(at.Add(time.Minute)) {
		t.Errorf("after a holder that gave back: %v, held until %v", ends, held)
	}
	die(t, l)
	l = takeLease(t, folder, "b.run")
	if ends, _ := begin(t, l, later); len(ends) != 4 {
		t.Errorf("the same holder after its death: %v", ends)
	}
	die(t, l)
}

// After a death nobody but the dead holder itself knows what was spent: the
// whole window counts, whoever comes next and whatever happened in between.
func TestADeathSpendsTheWindow(t *testing.T) {
	for name, between := range map[string]func(t *testing.T, folder string){
		"at once": func(*testing.T, string) {},
		"one that gave up before it began": func(t *testing.T, folder string) {
			if err := takeLease(t, folder, "b.run").Return(nil, time.Time{}); err != nil {
				t.Fatal(err)
			}
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
	if err := os.WriteFile(l.ledger, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
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
	if err := l.Rename("looking up", []time.Time{at}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), folder, "api.example:443", "acc/1", "b.run", false); !errors.Is(err, ErrTaken) || !strings.HasSuffix(err.Error(), ": looking up") {
		t.Errorf("a second holder: %v", err)
	}
	die(t, l)
	l = takeLease(t, folder, "a.run")
	if ends, _ := begin(t, l, at); len(ends) != 51 {
		t.Errorf("after a death under another name: %d answers", len(ends))
	}
	if err := l.Rename("a.run", []time.Time{at, at}, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	die(t, l)
	l = takeLease(t, folder, "a.run")
	if ends, held := begin(t, l, at); len(ends) != 3 || !held.Equal(at.Add(time.Minute)) {
		t.Errorf("after a death under the same name: %v, held until %v", ends, held)
	}
	die(t, l)
}

package lease

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

func TestWhatWasSpentIsHandedOn(t *testing.T) {
	folder := t.TempDir()
	own := []time.Time{at.Add(time.Hour)}
	l := takeLease(t, folder, "a.run")
	if ends, _ := l.Spent(own, 50); len(ends) != 1 || !ends[0].Equal(own[0]) {
		t.Errorf("without a ledger: %v", ends)
	}
	if err := l.Return([]time.Time{at, at}, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	l = takeLease(t, folder, "b.run")
	if ends, held := l.Spent(own, 50); len(ends) != 2 || !ends[0].Equal(at) || !held.Equal(at.Add(time.Minute)) {
		t.Errorf("after a holder that gave back: %v, held until %v", ends, held)
	}
	die(t, l)

	l = takeLease(t, folder, "b.run")
	if ends, _ := l.Spent(own, 50); len(ends) != 3 {
		t.Errorf("the same holder after its death: %v", ends)
	}
	die(t, l)
	l = takeLease(t, folder, "c.run")
	ends, _ := l.Spent(own, 50)
	if len(ends) != 50 || time.Since(ends[0]) > time.Minute {
		t.Errorf("another holder after a death: %d answers", len(ends))
	}
	die(t, l)
}

func TestADamagedLedgerCountsAsADeath(t *testing.T) {
	folder := t.TempDir()
	l := takeLease(t, folder, "a.run")
	if err := l.Return(nil, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.ledger, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	l = takeLease(t, folder, "a.run")
	if ends, _ := l.Spent(nil, 7); len(ends) != 7 {
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
	if err := l.Rename("looking up", []time.Time{at}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), folder, "api.example:443", "acc/1", "b.run", false); !errors.Is(err, ErrTaken) || !strings.HasSuffix(err.Error(), ": looking up") {
		t.Errorf("a second holder: %v", err)
	}
	die(t, l)
	l = takeLease(t, folder, "a.run")
	if ends, _ := l.Spent(nil, 50); len(ends) != 50 {
		t.Errorf("after a death under another name: %d answers", len(ends))
	}
	if err := l.Rename("a.run", []time.Time{at, at}, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	die(t, l)
	l = takeLease(t, folder, "a.run")
	if ends, held := l.Spent([]time.Time{at}, 50); len(ends) != 3 || !held.Equal(at.Add(time.Minute)) {
		t.Errorf("after a death under the same name: %v, held until %v", ends, held)
	}
	die(t, l)
}

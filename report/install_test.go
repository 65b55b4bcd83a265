package report

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
)

// A disk that fails for the last file must leave the first as it was.
func TestFailedInstallChangesNothing(t *testing.T) {
	root := openTemp(t)
	dir := root.Name()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := folder(t, dir)
	files := fileSet{root: root}
	for _, name := range []string{"a", "b"} {
		w, err := files.create(name, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("new"); err != nil {
			t.Fatal(err)
		}
	}
	files.files[1].Close()
	if err := files.install(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("install: %v", err)
	}
	files.discard()
	if diff := cmp.Diff(before, folder(t, dir)); diff != "" {
		t.Errorf("the folder changed:\n%s", diff)
	}
}

func TestBusyFolder(t *testing.T) {
	root := openTemp(t)
	other := flock.New(filepath.Join(root.Name(), lockName))
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	defer other.Unlock()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := writeAs(root, Reader, 1)
		if !errors.Is(err, ErrBusy) || time.Since(began) != patience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// The files belong into the directory that was opened. Whoever took its name
// gets nothing.
func TestReplacedDirectory(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open directory cannot be renamed")
	}
	parent := t.TempDir()
	dir, moved := filepath.Join(parent, "a.run"), filepath.Join(parent, "moved.run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(os.Rename(dir, moved), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time beside a lock file
		if _, err := Write(root, Reader, readSample, Formats...); err == nil {
			t.Error("a reader wrote into a directory that has lost its name")
		}
		if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Write(root, Owner, readSample, Formats...); err != nil {
		t.Error(err)
	}
	if files := folder(t, dir); len(files) != 1 {
		t.Errorf("the other directory holds %v", files)
	}
	if report := readCSV(t, moved, ReportCSV.File); len(report) != 9 {
		t.Errorf("the report has %d lines", len(report))
	}
}

// Reading comes after the lock: what was read before may be old by then.
func TestReadsUnderTheLock(t *testing.T) {
	root := openTemp(t)
	broken := errors.New("broken")
	_, err := Write(root, Reader, func() (Run, iter.Seq2[batch.Entry, error], error) {
		if free, err := flock.New(filepath.Join(root.Name(), lockName)).TryLock(); free || err != nil {
			t.Errorf("the lock is free: %v, %v", free, err)
		}
		return Run{}, nil, broken
	}, Formats...)
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if files := folder(t, root.Name()); len(files) != 1 {
		t.Errorf("the folder holds %v", files)
	}
}

// writeAs writes n rows of a journal of n bytes.
func writeAs(root *os.Root, role Role, n int) error {
	_, err := Write(root, role, readRows(n), Formats...)
	return err
}

func readRows(n int) Reading {
	return func() (Run, iter.Seq2[batch.Entry, error], error) {
		return Run{Length: int64(n)}, sequence(rotatedEntries(n), nil), nil
	}
}

func rotatedEntries(n int) []batch.Entry {
	var entries []batch.Entry
	for i := range n {
		entries = append(entries, entry(i+1, batch.Rotated, batch.Receipt{}, ""))
	}
	return entries
}

// installed fails unless every file is of n rows.
func installed(t *testing.T, root *os.Root, n int) {
	t.Helper()
	report, summary := readCSV(t, root.Name(), ReportCSV.File), readFile(t, root.Name(), SummaryJSON.File)
	if len(report) != n+1 || !strings.Contains(summary, fmt.Sprintf("\"rows\": %d,", n)) {
		t.Errorf("the report has %d rows, want %d; the summary:\n%s", len(report)-1, n, summary)
	}
	if left, err := filepath.Glob(filepath.Join(root.Name(), ".*.tmp")); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func openTemp(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestShorterJournal(t *testing.T) {
	root := openTemp(t)
	for _, c := range []struct {
		role    Role
		n, want int
		err     error
	}{
		{Reader, 5, 5, nil},
		{Reader, 4, 5, ErrStale},
		{Reader, 5, 5, nil},
		{Reader, 6, 6, nil},
		{Owner, 3, 3, nil}, // the journal lost its end: what is left is the truth
		{Reader, 2, 3, ErrStale},
		{Reader, 4, 4, nil},
	} {
		if err := writeAs(root, c.role, c.n); !errors.Is(err, c.err) {
			t.Errorf("%d rows: %v, want %v", c.n, err, c.err)
		}
		installed(t, root, c.want)
	}
}

// A reader that was stopped holds the lock, and must not cost the owner its
// reports; when it wakes up, it must not install its own.
func TestOwnerGoesAheadOfAStoppedReader(t *testing.T) {
	root := openTemp(t)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		stopped := func() (Run, iter.Seq2[batch.Entry, error], error) {
			return Run{Length: 2}, func(yield func(batch.Entry, error) bool) {
				yield(sampleEntries()[0], nil)
				if err := writeAs(root, Owner, 3); err != nil || time.Since(began) != patience {
					t.Errorf("the owner, after %v: %v", time.Since(began), err)
				}
				yield(sampleEntries()[1], nil)
			}, nil
		}
		if _, err := Write(root, Reader, stopped, Formats...); !errors.Is(err, ErrStale) {
			t.Errorf("the reader: %v", err)
		}
		installed(t, root, 3)
	})
}

// The same for a reader that was stopped after its files were written: in
// whatever order it and the owner take their last steps, the owner's files stay.
func TestStoppedReaderInEveryOrder(t *testing.T) {
	steps := func(s *fileSet) []func() error {
		steps := []func() error{s.check}
		for _, f := range s.files {
			steps = append(steps, func() error { return s.replace(f) })
		}
		return steps
	}
	orders := 0
	for order := range 1 << 8 {
		if bits.OnesCount(uint(order)) != 4 {
			continue
		}
		orders++
		root := openTemp(t)
		reader, owner := fileSet{root: root, role: Reader}, fileSet{root: root, role: Owner}
		_, err1 := reader.render(readRows(2), []Format{CredentialsCSV, ReportCSV})
		_, err2 := owner.render(readRows(3), []Format{CredentialsCSV, ReportCSV})
		if err := errors.Join(err1, err2, reader.prepare(), owner.prepare()); err != nil {
			t.Fatal(err)
		}
		left := map[Role][]func() error{Reader: steps(&reader), Owner: steps(&owner)}
		for i := range 8 {
			role := Role(order >> i & 1)
			if len(left[role]) == 0 {
				continue // the reader gave up
			}
			err := left[role][0]()
			left[role] = left[role][1:]
			switch {
			case role == Reader && errors.Is(err, ErrStale):
				left[Reader] = nil
			case err != nil:
				t.Errorf("order %08b, step %d: %v", order, i, err)
			}
		}
		reader.discard()
		owner.discard()
		credentials, report := readCSV(t, root.Name(), CredentialsCSV.File), readCSV(t, root.Name(), ReportCSV.File)
		if len(credentials) != 1+3 || len(report) != 1+3 {
			t.Errorf("order %08b: %d lines of credentials, %d of the report", order, len(credentials), len(report))
		}
		if left := folder(t, root.Name()); len(left) != 3 {
			t.Errorf("order %08b: the folder holds %v", order, left)
		}
	}
	if orders != 70 {
		t.Errorf("%d orders", orders)
	}
}

// A directory that cannot be locked, as on some network disks or after a move,
// must not cost the owner its reports either.
func TestOwnerNeedsNoLock(t *testing.T) {
	root := openTemp(t)
	if err := root.Mkdir(lockName, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeAs(root, Reader, 2); err == nil {
		t.Error("a reader wrote without the lock")
	}
	if err := writeAs(root, Owner, 3); err != nil {
		t.Error(err)
	}
	installed(t, root, 3)
}

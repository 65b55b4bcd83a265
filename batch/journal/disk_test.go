package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"siprotate/batch"
)

// A failing file is a file whose writes or syncs fail from some point on.
type failing struct {
	file
	writes int // that succeed
	syncs  int // that succeed
	part   int // bytes of the first failing write that get through
}

var errDisk = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	if f.writes--; f.writes >= 0 {
		return f.file.Write(p)
	}
	n, _ := f.file.Write(p[:min(f.part, len(p))])
	f.part = 0
	return n, errDisk
}

func (f *failing) Sync() error {
	if f.syncs--; f.syncs >= 0 {
		return f.file.Sync()
	}
	return errDisk
}

// A write that fails at any point stops the run there, and leaves a journal
// that can be resumed.
func TestEveryFailingWrite(t *testing.T) {
	for writes := range 14 {
		for _, part := range []int{0, 40} {
			j := planned(t, 6)
			j.out.file = &failing{file: j.out.file, writes: writes, syncs: 1 << 30, part: part}
			sent, confirmed := rotateAll(j)
			j.Close()
			again, err := Open(j.Dir(), Plain)
			must(t, err)
			for row := 1; row <= 6; row++ {
				got := again.state.outcome(row)
				if sent[row] && got == batch.NotAttempted {
					t.Errorf("%d writes: row %d left and counts as %v", writes, row, got)
				}
				if confirmed[row] && got != batch.Rotated {
					t.Errorf("%d writes: row %d was confirmed and counts as %v", writes, row, got)
				}
			}
			must(t, again.Close())
		}
	}
}

func TestAFailingSyncStopsTheRun(t *testing.T) {
	for syncs := range 3 {
		j := planned(t, 100)
		j.out.file = &failing{file: j.out.file, writes: 1 << 30, syncs: syncs}
		sent, _ := rotateAll(j)
		if len(sent) == 100 {
			t.Errorf("%d syncs: all rows were sent, with nothing on disk", syncs)
		}
		if err := j.Close(); !errors.Is(err, errDisk) {
			t.Errorf("%d syncs: Close returns %v", syncs, err)
		}
	}
}

// rotateAll sends and confirms row by row until the journal fails.
func rotateAll(j *Journal) (sent, confirmed map[int]bool) {
	sent, confirmed = map[int]bool{}, map[int]bool{}
	if j.Begin("t", false) != nil {
		return sent, confirmed
	}
	for number := 1; number <= j.Info().Rows; number++ {
		row := testRow(number)
		row.Attempts.Count = 1
		if j.Sending(&row, at) != nil {
			return sent, confirmed
		}
		sent[number] = true
		if j.Finish(result(number, batch.Rotated)) != nil {
			return sent, confirmed
		}
		confirmed[number] = true
	}
	return sent, confirmed
}

// A model is a disk that knows what a power cut leaves at the least: what was
// synced of the journal, if its name and its folder's were.
type model struct {
	osDisk
	mu     sync.Mutex
	synced []byte
	names  map[string]bool // folders that were synced
}

type modelFile struct {
	file
	disk *model
}

func (m *model) open(root *os.Root, name string, flag int) (file, error) {
	f, err := m.osDisk.open(root, name, flag)
	return modelFile{f, m}, err
}

func (m *model) syncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names[dir] = true
	return nil
}

func (f modelFile) Sync() error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.synced = make([]byte, info.Size())
	_, err = f.ReadAt(f.disk.synced, 0)
	return err
}

// powerCut returns the run as it stands after a power cut.
func (m *model) powerCut(t *testing.T, dir string) *View {
	t.Helper()
	m.mu.Lock()
	text, kept := bytes.Clone(m.synced), m.names[dir] && m.names[filepath.Dir(dir)]
	m.mu.Unlock()
	if !kept {
		t.Fatal("the name of the journal, or of its folder, is not on disk")
	}
	other := filepath.Join(t.TempDir(), "x.run")
	must(t, os.Mkdir(other, 0o700))
	must(t, os.WriteFile(filepath.Join(other, Name), underBoot(t, text, "another boot"), 0o600))
	v, err := Read(other, Plain)
	must(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}

// Whenever a request may leave, a power cut leaves the password that it
// carries, and the doubt about its row.
func TestAPowerCutAtEveryRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x.run")
	disk := &model{names: map[string]bool{}}
	p, err := create(dir, Head{}, Plain, disk)
	must(t, err)
	const rows = 24
	for n := 1; n <= rows; n++ {
		must(t, p.Add(testRow(n)))
	}
	j, err := p.Seal("", nil)
	must(t, err)
	if got := outcomes(t, disk.powerCut(t, dir)); len(got) != rows {
		t.Fatalf("the sealed plan has %d rows on disk", len(got))
	}
	sent := map[int]string{}
	leaves := func(row *batch.Row) {
		t.Helper()
		row.Attempts.Count++
		must(t, j.Sending(row, at))
		sent[row.Number] = row.Password.Reveal()
		for entry, err := range disk.powerCut(t, dir).Entries() {
			must(t, err)
			n, outcome := entry.Row.Number, entry.Result.Outcome
			if n == row.Number && outcome != batch.Unknown || sent[n] != "" && outcome == batch.NotAttempted {
				t.Fatalf("at row %d: row %d is %v", row.Number, n, outcome)
			}
			if want := sent[n]; want != "" && entry.Row.Password.Reveal() != want {
				t.Fatalf("at row %d: row %d has lost its password", row.Number, n)
			}
		}
	}
	for _, retryFailed := range []bool{false, true} {
		must(t, j.Begin("t", retryFailed))
		_, pending := j.Pending(retryFailed)
		for row, err := range pending {
			must(t, err)
			leaves(&row)
			if row.Number%2 == 0 {
				must(t, j.Tried(result(row.Number, batch.NotAttempted)))
				row.Password = batch.NewSecret(fmt.Sprint("Another-", row.Number, row.Attempts.Count))
				row.Attempts.Reissued++
				must(t, j.Reissue(&row))
				leaves(&row)
			}
			outcome := batch.Failed
			if row.Number%3 == 0 {
				outcome = batch.Rotated
			}
			must(t, j.Finish(result(row.Number, outcome)))
		}
		must(t, j.Stop(Totals{}))
		must(t, j.Close())
		j, err = open(dir, Plain, disk)
		must(t, err)
		t.Cleanup(func() { j.Close() })
	}
}

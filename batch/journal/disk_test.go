package journal

import (
	"errors"
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

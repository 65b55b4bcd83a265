package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch"
)

// losses are what somebody may do to a run directory at work.
var losses = map[string]func(dir string) error{
	"removed":            os.RemoveAll,
	"moved":              func(dir string) error { return os.Rename(dir, dir+".old") },
	"file removed":       func(dir string) error { return os.Remove(filepath.Join(dir, Name)) },
	"emptied":            func(dir string) error { return os.Truncate(filepath.Join(dir, Name), 0) },
	"shortened":          func(dir string) error { return os.Truncate(filepath.Join(dir, Name), 1000) },
	"written to":         func(dir string) error { return appendTo(filepath.Join(dir, Name), "x\n") },
	"edited (sed)":       func(dir string) error { return replace(filepath.Join(dir, Name)) },
	"link in place":      func(dir string) error { return link(filepath.Join(dir, Name)) },
	"file in place":      func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	"endless link":       func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Symlink(filepath.Base(dir), dir)) },
	"overwritten":        func(dir string) error { return overwrite(filepath.Join(dir, Name), 0, 1) },
	"header overwritten": func(dir string) error { return overwrite(filepath.Join(dir, Name), 0, 0.001) },
	"middle overwritten": func(dir string) error { return overwrite(filepath.Join(dir, Name), 0.5, 0.501) },
	"end overwritten":    func(dir string) error { return overwrite(filepath.Join(dir, Name), 0.999, 1) },
	"another folder": func(dir string) error {
		return errors.Join(os.Rename(dir, dir+".old"), os.CopyFS(dir, os.DirFS(dir+".old")))
	},
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// overwrite fills a part of a file with zeros, where it stands.
func overwrite(path string, from, to float64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		size := float64(info.Size())
		_, err = f.WriteAt(make([]byte, int(size*to)-int(size*from)), int64(size*from))
	}
	return errors.Join(err, f.Close())
}

// replace puts a copy in the place of a file, as editors do.
func replace(path string) error {
	text, err := os.ReadFile(path)
	return errors.Join(err, os.WriteFile(path+"~", text, 0o600), os.Rename(path+"~", path))
}

func link(path string) error {
	return errors.Join(os.Rename(path, path+"~"), os.Symlink(path+"~", path))
}

// underWay returns a run of 30 rows in its second session: row 1 was rotated and
// row 2 failed in the first, row 3 has a reissued password and no verdict, row 4
// is under way.
func underWay(t *testing.T) *Journal {
	t.Helper()
	j := planned(t, 30)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Finish(result(1, batch.Rotated)))
	send(t, j, 2, 1)
	must(t, j.Finish(result(2, batch.Failed)))
	must(t, j.Stop(Totals{}))
	j = crash(t, j)
	begin(t, j)
	row := testRow(3)
	row.Password = batch.NewSecret("Another-one-3")
	must(t, j.Reissue(&row))
	send(t, j, 3, 1)
	must(t, j.Finish(result(3, batch.Unknown)))
	send(t, j, 4, 1)
	return j
}

func TestNothingIsSentOnceTheJournalIsLost(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("open files cannot be removed")
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			j := underWay(t)
			must(t, lose(j.Dir()))
			must(t, j.Finish(result(4, batch.Rotated))) // its request was under way

			j.looked = time.Time{}
			row := testRow(5)
			var lost *LostError
			remains, _ := os.ReadFile(j.folder.journal())
			if err := j.Sending(&row, at); !errors.As(err, &lost) || lost.Path != j.folder.journal() {
				t.Fatalf("Sending: %v", err)
			}
			if err := j.Stop(Totals{}); !errors.As(err, &lost) {
				t.Errorf("Stop: %v", err)
			}
			if now, _ := os.ReadFile(j.folder.journal()); !bytes.Equal(now, remains) {
				t.Errorf("what stands in its place was written to: %d bytes instead of %d", len(now), len(remains))
			}
			path, err := j.Rescue("")
			must(t, err)
			checkRescue(t, j, path)
			checkTold(t, j, path)
			if got := outcomes(t, &j.View); got[3] != batch.Rotated || got[4] != batch.NotAttempted || len(got) != 30 {
				t.Errorf("the view has %v", got)
			}
		})
	}
}

// checkTold sees that a run directory whose journal can no longer be read says
// where the passwords are, until another session takes it up.
func checkTold(t *testing.T, j *Journal, path string) {
	t.Helper()
	v, err := Read(j.Dir(), Plain)
	if err == nil { // somebody may have put it back, or an older copy
		defer v.Close()
		if got := outcomes(t, v); got[4] == batch.NotAttempted {
			t.Errorf("a row that the mark allowed is %v", got[4])
		}
		return
	}
	if _, missing := os.Lstat(filepath.Join(j.Dir(), rescuedName)); missing != nil || errors.Is(err, ErrUnsafe) {
		return // it is not this folder, or not a file at all
	}
	var rescued *RescuedError
	if !errors.As(err, &rescued) || rescued.Rescue != path {
		t.Errorf("Read: %v", err)
	}
	if _, err := Create(j.Dir(), Head{}, Plain); err == nil {
		t.Error("another run takes its place")
	}
}

func TestWhatIsLeftOfALostJournalIsSalvaged(t *testing.T) {
	j := underWay(t)
	must(t, losses["middle overwritten"](j.Dir()))
	_, err := j.Rescue("")
	must(t, err)
	v, err := Salvage(j.Dir(), Plain)
	must(t, err)
	defer v.Close()
	read := 0
	for entry, err := range v.Entries() {
		must(t, err)
		if read++; read == 1 && entry.Result.Outcome != batch.Rotated {
			t.Errorf("row 1 is %v", entry.Result.Outcome)
		}
	}
	if unread := v.Info().Unread; unread == 0 || read+unread != 30 {
		t.Errorf("%d rows are read, %d are not", read, unread)
	}
}

func checkRescue(t *testing.T, j *Journal, path string) {
	t.Helper()
	if filepath.Dir(path) != filepath.Dir(j.Dir()) || !strings.HasPrefix(filepath.Base(path), "x.run.rescued-") {
		t.Errorf("rescued to %s", path)
	}
	info, err := os.Stat(path)
	must(t, err)
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	text, err := os.ReadFile(path)
	must(t, err)
	want := `row,user_id,device_id,sip_id,email,password,outcome
1,user1,490001,sip:x,a@example.com,Pass-word-1,rotated
3,user3,490003,sip:x,a@example.com,Another-one-3,unknown
4,user4,490004,sip:x,a@example.com,Pass-word-4,rotated
`
	if string(text) != want {
		t.Errorf("rescued:\n%s", text)
	}
}

// A look is due at least every 100 ms, and whenever the mark is raised.
func TestTheJournalIsLookedAtInTime(t *testing.T) {
	for _, wait := range []time.Duration{0, lookEvery} {
		synctest.Test(t, func(t *testing.T) {
			j := planned(t, 100)
			defer j.Close()
			begin(t, j)
			send(t, j, 1, 1)
			must(t, os.Truncate(j.folder.journal(), 0))
			time.Sleep(wait)
			sent := 0
			var err error
			for err == nil && sent < 90 {
				row := testRow(sent + 2)
				if err = j.Sending(&row, at); err == nil {
					sent++
				}
			}
			if most := map[time.Duration]int{0: firstBlock, lookEvery: 0}[wait]; sent > most || !errors.As(err, new(*LostError)) {
				t.Errorf("after %v, %d requests left: %v", wait, sent, err)
			}
		})
	}
}

func TestALostJournalIsSeenAtBothEnds(t *testing.T) {
	j := planned(t, 2)
	must(t, os.Truncate(j.folder.journal(), 0))
	if err := j.Begin("t", false); !errors.As(err, new(*LostError)) {
		t.Errorf("Begin: %v", err)
	}
	j = underWay(t)
	must(t, os.Truncate(j.folder.journal(), 0))
	if err := j.Stop(Totals{}); !errors.As(err, new(*LostError)) {
		t.Errorf("Stop: %v", err)
	}
	if err := j.Begin("t", false); !errors.As(err, new(*LostError)) {
		t.Errorf("Begin: %v", err)
	}
}

// What was overwritten between the ends of a long journal is seen by one of the
// looks that follow, and at the end of the run by the last one.
func TestALongJournalIsComparedInTurns(t *testing.T) {
	for name, looks := range map[string]int{"looks": 100, "Stop": 0} {
		t.Run(name, func(t *testing.T) {
			j := planned(t, 2000)
			begin(t, j)
			if j.Length() < 4*blockSize {
				t.Fatalf("the journal has %d bytes", j.Length())
			}
			for at := range 4 {
				send(t, j, at+1, 1) // the turn is somewhere
				j.looked = time.Time{}
			}
			must(t, overwrite(j.folder.journal(), 0.7, 0.70001))
			sent := 0
			for ; sent < looks && j.lost == nil; sent++ {
				j.looked = time.Time{}
				row := testRow(sent + 10)
				_ = j.Sending(&row, at)
			}
			if most := int(j.Length()/blockSize) + 2; sent > most {
				t.Errorf("seen only after %d looks", sent)
			}
			if err := j.Stop(Totals{}); !errors.As(err, new(*LostError)) {
				t.Errorf("Stop: %v", err)
			}
		})
	}
}

// A disk that goes away takes the path with it and fails the writes.
func TestAJournalIsLookedAtAfterAFailedWrite(t *testing.T) {
	for _, removed := range []bool{false, true} {
		j := underWay(t)
		j.out.file = &failing{file: j.out.file, syncs: 1 << 30}
		if err := j.Finish(result(4, batch.Rotated)); !errors.Is(err, errDisk) {
			t.Errorf("Finish: %v", err)
		}
		if removed {
			must(t, os.RemoveAll(j.Dir()))
		}
		if err := j.Stop(Totals{}); errors.As(err, new(*LostError)) != removed || !errors.Is(err, errDisk) {
			t.Errorf("removed %v: %v", removed, err)
		}
		if err := j.Look(); errors.As(err, new(*LostError)) != removed {
			t.Errorf("removed %v: Look: %v", removed, err)
		}
	}
}

func TestARescueWithoutAParentFolder(t *testing.T) {
	j := underWay(t)
	must(t, errors.Join(os.RemoveAll(filepath.Dir(j.Dir())), os.WriteFile(filepath.Dir(j.Dir()), nil, 0o600)))
	if err := j.Stop(Totals{}); !errors.As(err, new(*LostError)) {
		t.Errorf("Stop: %v", err)
	}
	if _, err := j.Rescue(""); err == nil {
		t.Errorf("without a state folder: %v", err)
	}
	state := filepath.Join(t.TempDir(), "a", "state")
	path, err := j.Rescue(state)
	must(t, err)
	if filepath.Dir(path) != state {
		t.Errorf("rescued to %s", path)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Contains(text, []byte("Pass-word-4,unknown")) {
		t.Errorf("rescued:\n%s", text)
	}
}

func TestARescueOfNothing(t *testing.T) {
	j := planned(t, 2)
	begin(t, j)
	if path, err := j.Rescue(t.TempDir()); path != "" || err != nil {
		t.Errorf("rescued to %q: %v", path, err)
	}
}

func TestARescueOpensNoVault(t *testing.T) {
	j, err := Open(sealedRun(t), safe{locked: true})
	must(t, err)
	t.Cleanup(func() { j.Close() })
	begin(t, j)
	send(t, j, 2, 1)
	path, err := j.Rescue("")
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	sealed, _ := safe{}.Seal("r", 2, batch.NewSecret("Pass-word-again"))
	if !bytes.Contains(text, []byte(sealed)) || !bytes.HasPrefix(text, []byte("row,user_id,device_id,sip_id,email,sealed,outcome\n")) {
		t.Errorf("rescued:\n%s", text)
	}
}

// The spare copy is read as the journal is.
func TestTheSpareIsACopy(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	must(t, root.WriteFile(spareName, []byte("left by a crash"), 0o600))
	want := []byte(strings.Repeat("head ", 100))
	s, err := newSpare(&folder{root: root}, bytes.NewReader(want))
	must(t, err)
	const piece = 1 << 16
	for len(want) < 3*piece {
		line := bytes.Repeat([]byte("x\n"), 1+len(want)%997)
		_, err := s.Write(line)
		must(t, err)
		want = append(want, line...)
	}
	for _, size := range []int{1, 100, piece, len(want)} {
		for off := 0; off+size <= len(want); off += max(1, size/3) + 13_001 {
			got := make([]byte, size)
			if n, err := s.ReadAt(got, int64(off)); n != size || err != nil || !bytes.Equal(got, want[off:off+size]) {
				t.Fatalf("%d bytes at %d of %d: %d bytes, %v", size, off, len(want), n, err)
			}
		}
	}
	if n, err := s.ReadAt(make([]byte, 10), int64(len(want)-4)); n != 4 || err != io.EOF {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	must(t, s.Close())
	if entries, err := os.ReadDir(root.Name()); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v: %v", entries, err)
	}
}

func BenchmarkSendAndFinish(b *testing.B) {
	j := planned(b, b.N)
	begin(b, j)
	b.ResetTimer()
	for n := range b.N {
		send(b, j, n+1, 1)
		must(b, j.Finish(result(n+1, batch.Rotated)))
	}
	must(b, errors.Join(j.Stop(Totals{}), j.Close()))
}

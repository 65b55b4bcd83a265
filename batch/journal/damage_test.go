package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"siprotate/batch"
)

// small returns the bytes of a small journal with every kind of record, whose
// last record confirms row 2.
func small(t *testing.T) []byte {
	t.Helper()
	j := planned(t, 4)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Finish(result(1, batch.Rotated)))
	send(t, j, 3, 1)
	must(t, j.Tried(result(3, batch.NotAttempted)))
	row := testRow(3)
	row.Password = batch.NewSecret("Another-one-3")
	must(t, j.Reissue(&row))
	must(t, j.Stop(Totals{}))
	must(t, j.Begin("t", false))
	send(t, j, 2, 1)
	must(t, j.Finish(result(2, batch.Rotated)))
	must(t, j.Close())
	text, err := os.ReadFile(filepath.Join(j.Dir(), Name))
	must(t, err)
	return text
}

func loadBytes(text []byte) (*state, error) {
	s, size, err := load("journal.jsonl", bytes.NewReader(text))
	if err == nil && size > int64(len(text)) {
		return nil, errors.New("the intact part is longer than the file")
	}
	return s, err
}

func TestEveryCutOfTheLastRecord(t *testing.T) {
	text := small(t)
	start := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	for cut := start; cut <= len(text); cut++ {
		s, err := loadBytes(text[:cut])
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, len(text), err)
		}
		s.endSession(bootID(), at)
		want := batch.Unknown // the record that confirmed it is gone, that of its sending is not
		if cut >= len(text)-1 {
			want = batch.Rotated
		}
		if got := s.outcome(2); got != want || s.rows() != 4 || s.outcome(1) != batch.Rotated {
			t.Fatalf("cut at %d of %d: row 2 is %v, want %v", cut, len(text), got, want)
		}
	}
}

func TestEveryCutOfTheWholeFile(t *testing.T) {
	text := small(t)
	for cut := range text {
		s, err := loadBytes(text[:cut])
		if err != nil && !errors.Is(err, ErrUnplanned) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err == nil && s.rows() != 4 {
			t.Fatalf("cut at %d: %d rows", cut, s.rows())
		}
	}
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	text := small(t)
	for i := range text {
		for _, flip := range []byte{0x01, 0x20, 0x80, 0xff, text[i], text[i] ^ '\n'} {
			if flip == 0 {
				continue
			}
			damaged := bytes.Clone(text)
			damaged[i] ^= flip
			_, err := loadBytes(damaged)
			var damage *DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("byte %d flipped by %#x: %v", i, flip, err)
			}
			if damage.Offset > int64(i) {
				t.Fatalf("byte %d flipped by %#x: found at %d", i, flip, damage.Offset)
			}
		}
	}
}

// add appends a record's line.
func add(t *testing.T, text []byte, record any) []byte {
	t.Helper()
	text, err := appendLine(text, record)
	must(t, err)
	return text
}

// underBoot returns a journal as a machine under another boot would have
// written it.
func underBoot(t *testing.T, text []byte, boot string) (other []byte) {
	t.Helper()
	for line := range bytes.Lines(text) {
		if kindOf(line) != kindSession {
			other = append(other, line...)
			continue
		}
		var session sessionRecord
		must(t, json.Unmarshal(line, &session))
		session.Boot = boot
		other = add(t, other, session)
	}
	return other
}

// hole zeroes what stands around a mark in the text.
func hole(t *testing.T, text []byte, around string) []byte {
	t.Helper()
	i := bytes.LastIndex(text, []byte(around))
	if i < 0 {
		t.Fatalf("no %s", around)
	}
	holed := bytes.Clone(text)
	clear(holed[i : i+40])
	return holed
}

// After a power cut, what was not synced may read as zeros, with later records
// behind it.
func TestZerosEndTheJournalAfterAPowerCut(t *testing.T) {
	text := underBoot(t, small(t), "another boot")
	s, err := loadBytes(hole(t, text, `"send","row":2`))
	must(t, err)
	s.endSession(bootID(), at)
	if got := s.outcome(2); got != batch.Unknown {
		t.Errorf("row 2 is %v", got)
	}
}

// Zeros that no power cut can have left are damage: to drop what follows them
// would lose passwords that are in force.
func TestOtherZerosAreDamage(t *testing.T) {
	here := small(t)
	elsewhere := underBoot(t, here, "another boot")
	for name, text := range map[string][]byte{
		"without a power cut":      hole(t, here, `"send","row":2`),
		"in the plan":              hole(t, elsewhere, `"row","row":3`),
		"in the end of the plan":   hole(t, elsewhere, `"planned"`),
		"before a session":         hole(t, elsewhere, `"result","row":1`),
		"in a reissued password":   hole(t, elsewhere, `"reissue"`),
		"over the last line's end": append(bytes.Clone(here[:len(here)-1]), 0),
	} {
		var damage *DamageError
		if _, err := loadBytes(text); !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATornEndIsCutOffBeforeGoingOn(t *testing.T) {
	j := planned(t, 2)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Close())
	path := filepath.Join(j.Dir(), Name)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"type":"result","row":1,"outc`)
	must(t, errors.Join(err, f.Close()))

	j, err = Open(j.Dir(), Plain)
	must(t, err)
	begin(t, j)
	must(t, j.Finish(result(1, batch.Rotated)))
	j = crash(t, j)
	if got := j.state.outcome(1); got != batch.Rotated {
		t.Errorf("row 1 is %v", got)
	}
}

func TestARecordThatLacksItsLineEndIsKept(t *testing.T) {
	j := planned(t, 2)
	begin(t, j)
	send(t, j, 1, 1)
	must(t, j.Finish(result(1, batch.Rotated)))
	size := j.out.size
	must(t, j.Close())
	must(t, os.Truncate(filepath.Join(j.Dir(), Name), size-1))
	v, err := Read(j.Dir(), Plain)
	must(t, err)
	if got := outcomes(t, v)[0]; got != batch.Rotated {
		t.Errorf("read: row 1 is %v", got)
	}
	must(t, v.Close())
	j, err = Open(j.Dir(), Plain)
	must(t, err)
	begin(t, j)
	j = crash(t, j)
	if got := j.state.outcome(1); got != batch.Rotated {
		t.Errorf("opened: row 1 is %v", got)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"type":"header","format":2,"vault":"plain"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := loadBytes(text)
		if err != nil {
			return
		}
		s.endSession("", at)
		for row := 1; row <= s.rows(); row++ {
			s.outcome(row)
		}
	})
}

// FuzzRecords feeds intact lines of any content: what a faulty or hostile
// writer could make.
func FuzzRecords(f *testing.F) {
	f.Add(`{"type":"header","format":2,"vault":"plain"`, `{"type":"planned","rows":0`, `{"type":"session"`, `{"type":"send","row":1`)
	f.Add(`{"type":"header","format":2,"vault":"plain"`, `{"type":"row","row":1`, `{"type":"planned","rows":1`, `{"type":"result","row":1,"outcome":"rotated"`)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		var text []byte
		for _, object := range []string{a, b, c, d} {
			text = appendSummed(text, []byte(object))
		}
		s, err := loadBytes(text)
		if err != nil {
			return
		}
		s.endSession("", at)
		for row := 1; row <= s.rows(); row++ {
			s.outcome(row)
		}
	})
}

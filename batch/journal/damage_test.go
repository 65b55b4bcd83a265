package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
		s.endSession(s.loss(true), at)
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

// A byte that is not what was written is damage, or else, at the end, a loss of
// what stands there: it is never passed over.
func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	text := small(t)
	second := bytes.LastIndex(text, []byte(`{"type":"stop"`)) // a session begins behind it
	for i := range text {
		for _, flip := range []byte{0x01, 0x20, 0x80, 0xff, text[i], text[i] ^ '\n'} {
			if flip == 0 {
				continue
			}
			damaged := bytes.Clone(text)
			damaged[i] ^= flip
			s, err := loadBytes(damaged)
			var damage *DamageError
			switch {
			case errors.As(err, &damage) && damage.Offset > int64(i):
				t.Fatalf("byte %d flipped by %#x: found at %d", i, flip, damage.Offset)
			case err == nil && s.hole.from >= int64(second) && s.hole.from <= int64(i):
				s.endSession(s.loss(true), at)
				if s.outcome(2) != batch.Unknown || s.outcome(4) != batch.Unknown || s.outcome(1) != batch.Rotated {
					t.Fatalf("byte %d flipped by %#x: %v", i, flip, s.standing)
				}
			case damage == nil:
				t.Fatalf("byte %d flipped by %#x: %v", i, flip, err)
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
func underBoot(t *testing.T, text []byte, boot string) []byte {
	t.Helper()
	return onStorage(t, text, func(s *storage) { s.Boot = boot })
}

// onStorage changes the storage of each session in a journal.
func onStorage(t *testing.T, text []byte, change func(*storage)) (other []byte) {
	t.Helper()
	for line := range bytes.Lines(text) {
		if kindOf(line) != kindSession {
			other = append(other, line...)
			continue
		}
		var session sessionRecord
		must(t, json.Unmarshal(line, &session))
		change(&session.Storage)
		other = add(t, other, session)
	}
	return other
}

// zeroed zeroes what stands around a mark in the text.
func zeroed(t *testing.T, text []byte, around string) []byte {
	t.Helper()
	i := bytes.LastIndex(text, []byte(around))
	if i < 0 {
		t.Fatalf("no %s", around)
	}
	zeros := bytes.Clone(text)
	clear(zeros[i : i+40])
	return zeros
}

// After a power cut, what was not synced may read as zeros, with later records
// behind it.
func TestZerosEndTheJournalAfterAPowerCut(t *testing.T) {
	text := underBoot(t, small(t), "another boot")
	s, err := loadBytes(zeroed(t, text, `"send","row":2`))
	must(t, err)
	s.endSession(s.loss(true), at)
	if got := s.outcome(2); got != batch.Unknown {
		t.Errorf("row 2 is %v", got)
	}
}

// Damage in front of something that was written only once all before it was on
// disk is damage of what was on disk: to pass over it would lose passwords.
func TestDamageOfWhatWasOnDisk(t *testing.T) {
	text := underBoot(t, small(t), "another boot")
	end := text[bytes.LastIndex(text, []byte(`{"type":"mark"`)):] // the mark before it is the one that is needed
	for name, text := range map[string][]byte{
		"in the plan":            zeroed(t, text, `"row","row":3`),
		"in the end of the plan": zeroed(t, text, `"planned"`),
		"before a session":       zeroed(t, text, `"result","row":1`),
		"in a session":           zeroed(t, text, `"type":"session"`),
		"in a mark":              append(zeroed(t, text[:len(text)-len(end)], `"type":"mark"`), end...),
		"in a reissued password": zeroed(t, text, `"reissue"`),
	} {
		if _, err := loadBytes(text); !errors.As(err, new(*DamageError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// workedAt returns the bytes of a run of 90 rows whose mark allows 8 requests
// for the rows up to 8. Row 1 was rotated, row 2 failed.
func workedAt(t *testing.T) (text []byte) {
	t.Helper()
	text = add(t, text, headerRecord{Type: kindHeader, Format: format, Head: Head{Vault: "plain"}})
	for n := 1; n <= 90; n++ {
		text = add(t, text, toRowRecord(testRow(n), ""))
	}
	text = add(t, text, plannedRecord{Type: kindPlanned, Rows: 90})
	text = add(t, text, sessionRecord{Type: kindSession})
	text = add(t, text, markRecord{Type: kindMark, Row: 8, Sends: 8})
	for n, outcome := range []batch.Outcome{batch.Rotated, batch.Failed} {
		text = add(t, text, sendRecord{Type: kindSend, Row: n + 1})
		text = add(t, text, toResultRecord(kindResult, result(n+1, outcome)))
	}
	return text
}

// What stands behind a bad sector shows whether it was on disk once.
func TestProofsThatRecordsWereOnDisk(t *testing.T) {
	sends := func(rows ...int) (records []any) {
		for _, row := range rows {
			records = append(records, sendRecord{Type: kindSend, Row: row})
		}
		return records
	}
	stopped := stopRecord{Type: kindStop}
	for name, c := range map[string]struct {
		before any
		behind []any
		damage bool
	}{
		"nothing":                   {},
		"requests within the mark":  {behind: sends(3, 4, 5, 6, 7, 8)},
		"a result within the mark":  {behind: []any{toResultRecord(kindResult, result(8, batch.Rotated))}},
		"a mark":                    {behind: []any{markRecord{Type: kindMark, Row: 16, Sends: 16}}},
		"a stop":                    {behind: []any{stopped}},
		"a row beyond the mark":     {behind: sends(9), damage: true},
		"a result beyond the mark":  {behind: []any{toResultRecord(kindTried, result(9, batch.Unknown))}, damage: true},
		"requests beyond the mark":  {behind: sends(3, 4, 5, 6, 7, 8, 3), damage: true},
		"a row of a retry":          {behind: sends(2), damage: true},
		"a reissued password":       {behind: []any{reissueRecord{Type: kindReissue, Row: 3}}, damage: true},
		"another session":           {behind: []any{sessionRecord{Type: kindSession}}, damage: true},
		"a session that took note":  {behind: []any{sessionRecord{Type: kindSession, Lost: loss{Row: 8, From: int64(len(workedAt(t)))}}}},
		"a request without session": {before: stopped, behind: sends(3), damage: true},
		"a mark without session":    {before: stopped, behind: []any{markRecord{Type: kindMark, Row: 8, Sends: 8}}, damage: true},
		"nothing, between sessions": {before: stopped},
	} {
		text := workedAt(t)
		if c.before != nil {
			text = add(t, text, c.before)
		}
		text = append(text, "\x00\x00 bad \x00\n"...)
		for _, record := range c.behind {
			text = add(t, text, record)
		}
		_, err := loadBytes(text)
		if damage := (*DamageError)(nil); errors.As(err, &damage) != c.damage || damage == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A hole may have swallowed a mark, or a whole session, and requests beyond the
// mark before: as many as it has room for.
func TestAHoleDoubtsWhatItHasRoomFor(t *testing.T) {
	size := 40 * shortestSend
	for name, c := range map[string]struct {
		text  []byte
		doubt int // the last row in doubt
	}{
		"within a session":  {workedAt(t), 8 + 40 + firstBlock},
		"of scattered rows": {scattered(t, workedAt(t)), 90},
		"behind a session":  {add(t, workedAt(t), stopRecord{Type: kindStop}), 2 + 40 + firstBlock},
	} {
		s, err := loadBytes(append(c.text, make([]byte, size)...))
		must(t, err)
		s.endSession(s.loss(true), at)
		for row := 3; row <= 90; row++ {
			if got := s.outcome(row) == batch.Unknown; got != (row <= c.doubt) {
				t.Errorf("%s: row %d in doubt: %v", name, row, got)
			}
		}
		if got := len(s.recent.times); got < 2+40 {
			t.Errorf("%s: %d requests count against the allowance", name, got)
		}
	}
}

// scattered returns the bytes of a run whose rows leave in another order.
func scattered(t *testing.T, text []byte) []byte {
	t.Helper()
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	var header headerRecord
	must(t, json.Unmarshal(first, &header))
	header.Scattered = true
	return append(add(t, nil, header), rest...)
}

// rotated returns the bytes of a run at work on 90 rows, some with reissued
// passwords, and the passwords that were sent.
func rotated(t *testing.T) (text []byte, sent map[int]string) {
	t.Helper()
	j := planned(t, 90)
	begin(t, j)
	sent = map[int]string{}
	for n := 1; n <= 70; n++ {
		send(t, j, n, 1)
		row, end := testRow(n), result(n, batch.Rotated)
		if n%10 == 0 {
			must(t, j.Tried(result(n, batch.NotAttempted)))
			row.Attempts.Reissued, end.Attempts.Reissued = 1, 1
			row.Password = batch.NewSecret(fmt.Sprint("Another-one-", n))
			must(t, j.Reissue(&row))
			send(t, j, n, 2)
		}
		sent[n] = row.Password.Reveal()
		must(t, j.Finish(end))
	}
	must(t, j.Close())
	text, err := os.ReadFile(j.folder.journal())
	must(t, err)
	return text, sent
}

// Whichever sector of a journal goes bad, synced or not, and with zeros or
// garbage: no row that was sent counts as never sent, and none loses its password,
// unless the sector held the only copy; then the row is in doubt. What is refused
// can be salvaged.
func TestNoBadSectorLosesARow(t *testing.T) {
	t.Parallel()
	text, sent := rotated(t)
	events := bytes.Index(text, []byte(`{"type":"session"`))
	chance := rand.New(rand.NewPCG(1, 2))
	resumed := 0
	for _, size := range []int{512, 4096} {
		for from := bytes.IndexByte(text, '\n') + 1; from < len(text); from += 521 {
			for name, garbage := range map[string]func() byte{
				"zeros":    func() byte { return 0 },
				"garbage":  func() byte { return byte(chance.Uint32()) },
				"one line": func() byte { return byte(' ' + chance.IntN(200)) },
			} {
				bad := bytes.Clone(text)
				for i := from; i < min(from+size, len(bad)); i++ {
					bad[i] = garbage()
				}
				where := fmt.Sprintf("%d bytes of %s at %d of %d", size, name, from, len(text))
				if checkSent(t, where, bad, sent, load) && from >= events {
					resumed++
				}
				if !checkSent(t, "salvaged, "+where, bad, sent, salvage) {
					t.Errorf("%s: nothing can be salvaged", where)
				}
			}
		}
	}
	if resumed == 0 {
		t.Error("no bad sector leaves a run that can be resumed")
	}
}

// reissueOf returns the line that gives a row of that run another password.
func reissueOf(row int) []byte {
	line, _ := appendLine(nil, reissueRecord{Type: kindReissue, Row: row, Reissued: 1, Password: fmt.Sprint("Another-one-", row)})
	return line
}

// checkSent checks what a damaged journal says of the rows that were sent. It
// returns false if the journal was refused.
func checkSent(t *testing.T, where string, text []byte, sent map[int]string, load func(string, io.Reader) (*state, int64, error)) bool {
	t.Helper()
	s, _, err := load("journal.jsonl", bytes.NewReader(text))
	if errors.As(err, new(*DamageError)) {
		return false
	}
	must(t, err)
	s.endSession(s.loss(true), at)
	v := &View{folder: &folder{}, at: bytes.NewReader(text), vault: Plain, state: s, mu: new(sync.Mutex)}
	left := maps.Clone(sent)
	for entry, err := range v.Entries() {
		must(t, err)
		delete(left, entry.Row.Number)
		n, outcome, password := entry.Row.Number, entry.Result.Outcome, entry.Row.Password.Reveal()
		if sent[n] == "" {
			continue
		}
		gone := !bytes.Contains(text, reissueOf(n))
		if outcome == batch.NotAttempted || password != sent[n] && !(gone && outcome == batch.Unknown) {
			t.Fatalf("%s: row %d is %v, its password is the one that was sent: %v", where, n, outcome, password == sent[n])
		}
	}
	for n := range left {
		if line, _ := appendLine(nil, toRowRecord(testRow(n), testRow(n).Password.Reveal())); bytes.Contains(text, line) {
			t.Fatalf("%s: row %d is lost", where, n)
		}
	}
	return true
}

// A rotation counts as one only where its password is on record: not where a
// record that is gone may have given the row another one.
func TestSalvageDoubtsAPasswordThatMayBeGone(t *testing.T) {
	const hole, joined = "bad\n", "bad" // the line end is gone, too
	reissue := reissueRecord{Type: kindReissue, Row: 1, Reissued: 1, Password: "Another-one-1"}
	end := func(o batch.Outcome, attempts, reissued int) resultRecord {
		r := result(1, o)
		r.Attempts.Count, r.Attempts.Reissued = attempts, reissued
		return toResultRecord(kindResult, r)
	}
	j := planned(t, 1)
	begin(t, j)
	must(t, j.Close())
	plan, err := os.ReadFile(j.folder.journal())
	must(t, err)
	for name, c := range map[string]struct {
		records []any
		want    batch.Outcome
	}{
		"nothing is gone":              {[]any{reissue, end(batch.Rotated, 2, 1)}, batch.Rotated},
		"before":                       {[]any{hole, reissue, end(batch.Rotated, 2, 1)}, batch.Rotated},
		"sent once":                    {[]any{hole, end(batch.Rotated, 1, 0)}, batch.Rotated},
		"sent once, with another one":  {[]any{reissue, hole, end(batch.Rotated, 1, 1)}, batch.Rotated},
		"the one that was drawn":       {[]any{hole, end(batch.Rotated, 1, 1)}, batch.Unknown},
		"perhaps a failure, and one":   {[]any{hole, end(batch.Rotated, 2, 0)}, batch.Unknown},
		"its line end as well":         {[]any{reissue, joined, end(batch.Rotated, 3, 1)}, batch.Unknown},
		"perhaps one more":             {[]any{reissue, hole, end(batch.Rotated, 3, 1)}, batch.Unknown},
		"after a failure, none":        {[]any{reissue, end(batch.Failed, 2, 1), end(batch.Rotated, 3, 0)}, batch.Rotated},
		"after a failure, one":         {[]any{reissue, end(batch.Failed, 2, 1), hole, end(batch.Rotated, 3, 1)}, batch.Unknown},
		"after a failure, perhaps one": {[]any{reissue, end(batch.Failed, 2, 1), hole, end(batch.Rotated, 3, 0)}, batch.Unknown},
		"after a failure, not the one": {[]any{reissue, end(batch.Failed, 2, 1), end(batch.Rotated, 3, 1)}, batch.Unknown},
		"its end":                      {[]any{reissue, hole}, batch.Unknown},
		"after a failure, its end":     {[]any{reissue, end(batch.Failed, 2, 1), hole}, batch.Unknown},
	} {
		text := bytes.Clone(plan)
		for _, r := range c.records {
			if damage, ok := r.(string); ok {
				text = append(text, damage...)
				continue
			}
			text = add(t, text, r)
		}
		s, _, err := salvage("journal.jsonl", bytes.NewReader(text))
		must(t, err)
		if got := s.outcome(1); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}

	// A sealed password that nobody could open is replaced without a count.
	header, rest, _ := bytes.Cut(plan, []byte("\n"))
	var h headerRecord
	must(t, json.Unmarshal(header, &h))
	h.Vault = "age"
	text := append(append(add(t, nil, h), rest...), hole...)
	s, _, err := salvage("journal.jsonl", bytes.NewReader(add(t, text, end(batch.Rotated, 1, 0))))
	must(t, err)
	if got := s.outcome(1); got != batch.Unknown {
		t.Errorf("sealed: %v", got)
	}
	for _, text := range [][]byte{nil, rest, append([]byte("x"), plan...)} {
		if _, _, err := salvage("journal.jsonl", bytes.NewReader(text)); !errors.As(err, new(*DamageError)) {
			t.Errorf("without a header: %v", err)
		}
	}
}

// A hostile journal of a damaged run costs no more than its bytes, and tells no row
// twice; rows of which only an event is left count as rows that cannot be read.
func TestSalvageOfOddRows(t *testing.T) {
	j := planned(t, 4)
	begin(t, j)
	must(t, j.Close())
	text, err := os.ReadFile(j.folder.journal())
	must(t, err)
	text = zeroed(t, text, `"type":"planned"`)
	for _, row := range []int{-1, 0, 1, 2, 200_000_000} {
		text = add(t, text, rowRecord{Type: kindRow, Row: row, Password: "Not-the-one"})
	}
	text = add(t, text, sendRecord{Type: kindSend, Row: 6, Attempts: 1})
	must(t, os.WriteFile(j.folder.journal(), text, 0o600))
	v, err := Salvage(j.Dir(), Plain)
	must(t, err)
	defer v.Close()
	var got []string
	for entry, err := range v.Entries() {
		must(t, err)
		got = append(got, entry.Row.Password.Reveal())
	}
	if want := []string{"Pass-word-1", "Pass-word-2", "Pass-word-3", "Pass-word-4"}; !slices.Equal(got, want) || v.Info().Unread != 2 || !v.Info().EndUnread {
		t.Errorf("got %q, %d unread", got, v.Info().Unread)
	}
}

// A journal whose unsynced end is garbage can be resumed. The rows concerned are
// in doubt until they are sent again, and nothing of the file is cut.
func TestGarbageAtTheEnd(t *testing.T) {
	for name, garbage := range map[string]string{
		"zeros": strings.Repeat("\x00", 600), "lines": "what\nis\x01this\n\n", "no end": "\xff\xfe garbage" + sumMember + strings.Repeat("x", 90),
		"a record": `{"type":"result","row":3,"outcome":"failed","crc":"00000000"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			j := planned(t, 400)
			begin(t, j)
			send(t, j, 1, 1)
			must(t, j.Finish(result(1, batch.Rotated)))
			allowed := j.state.mark.Row
			must(t, j.Close())
			must(t, appendTo(j.folder.journal(), garbage))
			damaged, err := os.ReadFile(j.folder.journal())
			must(t, err)

			for _, work := range []bool{false, true, false} {
				j, err = Open(j.Dir(), Plain)
				must(t, err)
				got := outcomes(t, &j.View)
				if got[0] != batch.Rotated || got[1] != batch.Unknown || got[allowed] != batch.Unknown || got[399] != batch.NotAttempted {
					t.Fatalf("%v", got)
				}
				if work {
					begin(t, j)
				}
				must(t, j.Close())
			}
			kept, err := os.ReadFile(j.folder.journal())
			must(t, err)
			if !bytes.HasPrefix(kept, damaged) {
				t.Error("something was cut")
			}

			j, err = Open(j.Dir(), Plain)
			must(t, err)
			_, confirmed := rotateAll(j)
			j = crash(t, j)
			if got := j.Counts()[batch.Rotated]; got != 400 || len(confirmed) != 400 {
				t.Errorf("%d of %d rows are rotated", got, len(confirmed))
			}
		})
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
		s.endSession(s.loss(false), at)
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
			text = appendObject(text, object)
		}
		s, err := loadBytes(text)
		if err != nil {
			return
		}
		s.endSession(s.loss(false), at)
		for row := 1; row <= s.rows(); row++ {
			s.outcome(row)
		}
	})
}

// appendObject appends an object that lacks its closing brace as an intact line.
func appendObject(text []byte, object string) []byte {
	return append(appendSum(append(text, object...), []byte(object)), '\n')
}

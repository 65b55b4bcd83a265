package journal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"siprotate/batch"
)

// A safe is a Vault whose sealed passwords are bound to their row, and which
// may lack its key.
type safe struct{ locked bool }

func (safe) Name() string { return "safe" }

func (safe) Seal(run string, row int, password batch.Secret) (string, error) {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s/%d/%s", run, row, password.Reveal())), nil
}

func (s safe) Open(run string, row int, sealed string) (batch.Secret, error) {
	if s.locked {
		return batch.NewSecret("half"), fmt.Errorf("row %d: %w", row, ErrSealed)
	}
	text, err := base64.StdEncoding.DecodeString(sealed)
	password, ok := strings.CutPrefix(string(text), fmt.Sprintf("%s/%d/", run, row))
	if err != nil || !ok {
		return batch.Secret{}, errors.New("sealed for another row")
	}
	return batch.NewSecret(password), nil
}

// sealedRun returns a stopped run of two rows in a safe, whose second row has
// got another password.
func sealedRun(t *testing.T) (dir string) {
	t.Helper()
	j := plannedRows(t, safe{}, testRow(1), testRow(2))
	begin(t, j)
	row := testRow(2)
	row.Password = batch.NewSecret("Pass-word-again")
	must(t, j.Reissue(&row))
	must(t, j.Close())
	return j.Dir()
}

func passwords(t *testing.T, v *View) (opened, sealed []string) {
	t.Helper()
	for entry, err := range v.Entries() {
		must(t, err)
		opened, sealed = append(opened, entry.Row.Password.Reveal()), append(sealed, entry.Row.Sealed)
	}
	return opened, sealed
}

func TestPasswordsAreSealedInTheJournal(t *testing.T) {
	dir := sealedRun(t)
	text, err := os.ReadFile(filepath.Join(dir, Name))
	must(t, err)
	if strings.Contains(string(text), "Pass-word") {
		t.Error("a password stands open in the journal")
	}
	j, err := Open(dir, safe{})
	must(t, err)
	defer j.Close()
	opened, sealed := passwords(t, &j.View)
	if strings.Join(opened, " ") != "Pass-word-1 Pass-word-again" || strings.Join(sealed, "") != "" {
		t.Errorf("opened %q, sealed %q", opened, sealed)
	}
}

// Without a key a run can still be looked at and resumed; whoever resumes it learns
// which passwords are out of reach.
func TestPasswordsWithoutAKey(t *testing.T) {
	j, err := Open(sealedRun(t), safe{locked: true})
	must(t, err)
	defer j.Close()
	opened, sealed := passwords(t, &j.View)
	if strings.Join(opened, "") != "" || len(sealed) != 2 || sealed[0] == "" {
		t.Errorf("opened %q, sealed %q", opened, sealed)
	}
	if got, err := (safe{}).Open("r", 2, sealed[1]); err != nil || got.Reveal() != "Pass-word-again" {
		t.Errorf("row 2 has %q: %v", got.Reveal(), err)
	}
	_, rows := j.Pending(false)
	for row, err := range rows {
		must(t, err)
		if !row.Password.Empty() || row.Sealed == "" {
			t.Errorf("row %d is pending as if its password were known", row.Number)
		}
	}
}

func TestWithoutAVaultNoPasswordIsOpened(t *testing.T) {
	j := planned(t, 2)
	v, err := Read(j.Dir(), nil)
	must(t, err)
	defer v.Close()
	if opened, sealed := passwords(t, v); strings.Join(append(opened, sealed...), "") != "" {
		t.Error("a password came out")
	}
}

func TestAPasswordThatCannotBeOpenedIsAnError(t *testing.T) {
	dir := sealedRun(t)
	path := filepath.Join(dir, Name)
	text, err := os.ReadFile(path)
	must(t, err)
	// Row 1 gets the text that was sealed for row 2.
	one, _ := safe{}.Seal("r", 1, testRow(1).Password)
	two, _ := safe{}.Seal("r", 2, testRow(2).Password)
	lines := strings.SplitAfter(string(text), "\n")
	object, _, _ := strings.Cut(strings.Replace(lines[1], one, two, 1), sumMember)
	lines[1] = string(appendObject(nil, object))
	must(t, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
	v, err := Read(dir, safe{})
	must(t, err)
	defer v.Close()
	for _, err := range v.Entries() {
		if err == nil || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("row 1: %v", err)
		}
		break
	}
}

func TestAnotherVaultIsRefused(t *testing.T) {
	dir := sealedRun(t)
	if _, err := Open(dir, Plain); !errors.Is(err, ErrVault) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Read(dir, Plain); !errors.Is(err, ErrVault) {
		t.Errorf("Read: %v", err)
	}
	if head, err := ReadHead(dir); err != nil || head.Vault != "safe" {
		t.Errorf("ReadHead: %+v: %v", head, err)
	}
	j, err := Open(dir, safe{})
	must(t, err) // the refused ones left no lock behind
	must(t, j.Close())
}

func TestAnotherFormatIsRefused(t *testing.T) {
	for _, version := range []int{0, format - 1, format + 1} {
		text := add(t, nil, headerRecord{Type: kindHeader, Format: version, Head: Head{Vault: "plain"}})
		if _, err := loadBytes(text); !errors.Is(err, ErrNotAJournal) {
			t.Errorf("format %d: %v", version, err)
		}
	}
}

func TestAPasswordThatJSONCannotHoldIsRefused(t *testing.T) {
	p, err := Create(filepath.Join(t.TempDir(), "x.run"), Head{}, Plain)
	must(t, err)
	defer p.Discard()
	row := testRow(1)
	row.Password = batch.NewSecret("Sample-\xff-Only")
	if err := p.Add(row); err == nil || strings.Contains(err.Error(), "Sample") {
		t.Errorf("%v", err)
	}
}

// A password that nobody can open stays beside the one that was drawn in its
// place while it may be in force, and not longer.
func TestPasswordsThatMayBeInForceStayBeside(t *testing.T) {
	j := planned(t, 1)
	replace := func(password string) {
		row := onlyPending(t, j)
		row.Password = batch.NewSecret(password)
		must(t, j.Replace(&row))
	}
	want := func(password, beside string) {
		t.Helper()
		j = crash(t, j)
		begin(t, j)
		for entry, err := range j.Entries() {
			must(t, err)
			var got []string
			for _, kept := range entry.Beside {
				got = append(got, kept.Password.Reveal())
			}
			if entry.Row.Password.Reveal() != password || strings.Join(got, " ") != beside || entry.Row.PasswordSource != batch.Generated {
				t.Errorf("%s beside %q, want %s beside %q", entry.Row.Password.Reveal(), got, password, beside)
			}
		}
	}
	begin(t, j)
	replace("Pass-word-A")
	want("Pass-word-A", "") // the plan's was never sent
	send(t, j, 1, 1)
	want("Pass-word-A", "")
	replace("Pass-word-B")
	want("Pass-word-B", "Pass-word-A")
	send(t, j, 1, 2)
	replaced := result(1, batch.Unknown)
	must(t, j.Finish(replaced))
	replace("Pass-word-C")
	want("Pass-word-C", "Pass-word-A Pass-word-B")

	// The API refused C, and said so: A and B still may be in force.
	row := onlyPending(t, j)
	row.Password = batch.NewSecret("Pass-word-D")
	must(t, j.Reissue(&row))
	want("Pass-word-D", "Pass-word-A Pass-word-B")

	path, err := j.Rescue("")
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	for _, kept := range []string{"A", "B", "D"} {
		if !strings.Contains(string(text), "Pass-word-"+kept) {
			t.Errorf("%s was not rescued", kept)
		}
	}
	must(t, j.Finish(result(1, batch.Rotated)))
	want("Pass-word-D", "")
}

// An addressed is a vault that seals to somebody.
type addressed struct {
	safe
	members []string
}

func (c addressed) Recipients() []string { return c.members }

func TestOtherRecipientsAreRefused(t *testing.T) {
	j := plannedRows(t, addressed{members: []string{"b", "a"}})
	must(t, j.Close())
	head, err := ReadHead(j.Dir())
	if err != nil || strings.Join(head.Recipients, "") != "ba" {
		t.Errorf("%+v: %v", head, err)
	}
	for _, other := range [][]string{nil, {"a"}, {"a", "b", "c"}, {"a", "c"}} {
		if _, err := Open(j.Dir(), addressed{members: other}); !errors.Is(err, ErrVault) {
			t.Errorf("to %q: %v", other, err)
		}
	}
	j, err = Open(j.Dir(), addressed{members: []string{"a", "b"}})
	must(t, err)
	must(t, j.Close())
}

package journal

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"siprotate/batch"
)

// A Vault seals passwords for a journal and opens them again. What it needs for
// that, such as a key, is its own business. It must be safe for concurrent use.
type Vault interface {
	// Name says how passwords stand in a journal. The journal's header holds
	// it, and a vault of another name is refused with ErrVault. So is one whose
	// method Recipients() []string, if it has it, names others than the header.
	Name() string
	// Seal returns the text that stands in the journal for the password of a
	// run's row. The text is UTF-8.
	Seal(run string, row int, password batch.Secret) (string, error)
	// Open returns the password that was sealed for the row of the run. Without
	// the key for it the error is ErrSealed.
	Open(run string, row int, sealed string) (batch.Secret, error)
}

// recipientsOf returns to whom a vault seals, if it seals to somebody. That is
// public, and stands in the journal's header, so that whoever resumes the run
// seals to the same.
func recipientsOf(v Vault) []string {
	if r, ok := v.(interface{ Recipients() []string }); ok {
		return r.Recipients()
	}
	return nil
}

// sameSet reports whether two lists without repetitions hold the same.
func sameSet(x, y []string) bool {
	x, y = slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y))
	return slices.Equal(x, y)
}

// The errors of a vault.
var (
	// ErrVault says that a journal's passwords were sealed by another vault, or to
	// others.
	ErrVault = errors.New("the passwords of the journal are sealed in another way")
	// ErrSealed is what a Vault's Open returns where it has no key. A row whose
	// password it meets is read all the same: see [View.Entries].
	ErrSealed = errors.New("there is no key that opens the password")
)

// Plain is the Vault that leaves passwords as they are.
var Plain Vault = plain{}

type plain struct{}

func (plain) Name() string { return "plain" }

// Seal refuses what JSON cannot hold byte for byte.
func (plain) Seal(_ string, row int, password batch.Secret) (string, error) {
	if !utf8.ValidString(password.Reveal()) {
		return "", fmt.Errorf("the password of row %d is not UTF-8", row)
	}
	return password.Reveal(), nil
}

func (plain) Open(_ string, _ int, sealed string) (batch.Secret, error) {
	return batch.NewSecret(sealed), nil
}

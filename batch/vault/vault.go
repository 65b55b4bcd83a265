// Package vault seals passwords to people: each one becomes an age message to
// the recipients of a run, which only their identities open. It is a
// [siprotate/batch/journal.Vault]. All cryptography is that of filippo.io/age.
//
// A sealed password names its run and its row inside the message, so that it
// cannot be put in another's place. It is not signed: whoever can write in a journal
// can also seal to its recipients, which are public.
//
// The package knows no run directory, no file format and no terminal.
package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"filippo.io/age"

	"siprotate/batch"
	"siprotate/batch/journal"
)

// Name is the name of the vault in a journal's header.
const Name = "age"

// The errors of a vault.
var (
	// ErrIdentity says that none of the identities is one of a recipient.
	ErrIdentity = errors.New("the identity is of none of the recipients")
	// ErrMoved says that a sealed password is not that of the row where it stands.
	ErrMoved = errors.New("the sealed password is not this row's")
	// ErrMixed says that some recipients are post-quantum ones, and others are not:
	// age takes one kind alone.
	ErrMixed = errors.New("post-quantum recipients and others do not go together")
)

// A Sealer is a vault that seals to recipients. Without identities it opens only
// what it sealed or opened itself before. It is safe for concurrent use.
type Sealer struct {
	lines      []string
	recipients []age.Recipient
	identities []age.Identity

	known sync.Map // passwords in plain, by their place
}

// New returns a vault for the recipients, which are those of [Recipients]. It
// seals a text to see that they go together.
func New(recipients []string) (*Sealer, error) {
	s := &Sealer{lines: slices.Clone(recipients)}
	for _, line := range recipients {
		r, err := parseRecipient(line)
		if err != nil {
			return nil, err
		}
		s.recipients = append(s.recipients, r)
	}
	if len(s.recipients) == 0 {
		return nil, errors.New("no recipient to seal to")
	}
	if _, err := s.encrypt(nil); err != nil {
		return nil, err
	}
	return s, nil
}

// Unlock lets the vault open what is sealed to the identities. They must be
// those of a recipient of the vault (ErrIdentity). A passphrase that an identity
// needs is asked for now. It is called before anything else.
func (s *Sealer) Unlock(identities ...age.Identity) error {
	probe, err := s.encrypt(nil)
	if err != nil {
		return err
	}
	if _, err := decrypt(probe, identities); err != nil {
		return err
	}
	s.identities = identities
	return nil
}

// Name returns [Name].
func (*Sealer) Name() string { return Name }

// Recipients returns the recipients as New took them, for the journal's header.
func (s *Sealer) Recipients() []string { return slices.Clone(s.lines) }

// A message is what is sealed. It is filled up with blanks, so that its length
// says little about that of the password.
type message struct {
	Run      string `json:"run"`
	Row      int    `json:"row"`
	Password string `json:"password"`
}

const padTo = 128

// Seal returns the password as an age message in unpadded base64: `base64 -d`
// and `age -d -i KEY-FILE` open it, too, into a JSON object.
func (s *Sealer) Seal(run string, row int, password batch.Secret) (string, error) {
	if !utf8.ValidString(password.Reveal()) {
		return "", fmt.Errorf("the password of row %d is not UTF-8", row)
	}
	plain, err := json.Marshal(message{run, row, password.Reveal()})
	if err != nil {
		return "", fmt.Errorf("seal the password of row %d", row) // the error may quote it
	}
	if rest := len(plain) % padTo; rest > 0 {
		plain = append(plain, bytes.Repeat([]byte(" "), padTo-rest)...)
	}
	text, err := s.encrypt(plain)
	if err != nil {
		return "", fmt.Errorf("seal the password of row %d: %w", row, err)
	}
	sealed := base64.RawStdEncoding.EncodeToString(text)
	s.Learn(run, row, sealed, password)
	return sealed, nil
}

// Open returns a sealed password. Without an identity, and for what it does not
// know, the error is [journal.ErrSealed].
func (s *Sealer) Open(run string, row int, sealed string) (batch.Secret, error) {
	if password, known := s.known.Load(place(run, row, sealed)); known {
		return password.(batch.Secret), nil
	}
	if len(s.identities) == 0 {
		return batch.Secret{}, journal.ErrSealed
	}
	text, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return batch.Secret{}, errors.New("the sealed password is not base64")
	}
	plain, err := decrypt(text, s.identities)
	if err != nil {
		return batch.Secret{}, err
	}
	var m message
	if json.Unmarshal(plain, &m) != nil || m.Run != run || m.Row != row {
		return batch.Secret{}, ErrMoved
	}
	password := batch.NewSecret(m.Password)
	s.Learn(run, row, sealed, password)
	return password, nil
}

// Learn tells the password that was sealed for a row of a run, from now on
// known. Whoever calls it knows better: without an identity nothing tells whether
// it is the right one.
func (s *Sealer) Learn(run string, row int, sealed string, password batch.Secret) {
	s.known.Store(place(run, row, sealed), password)
}

// Encrypt returns a writer that writes one age message to the recipients to w.
// The message is whole once the writer is closed.
func (s *Sealer) Encrypt(w io.Writer) (io.WriteCloser, error) { return age.Encrypt(w, s.recipients...) }

func (s *Sealer) encrypt(plain []byte) ([]byte, error) {
	var text bytes.Buffer
	w, err := s.Encrypt(&text)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	return text.Bytes(), err
}

func decrypt(text []byte, identities []age.Identity) ([]byte, error) {
	if len(identities) == 0 {
		return nil, ErrIdentity
	}
	r, err := age.Decrypt(bytes.NewReader(text), identities...)
	if errors.As(err, new(*age.NoIdentityMatchError)) {
		return nil, ErrIdentity
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// place is what a known password is kept by: short, and bound to its place as the
// message is.
func place(run string, row int, sealed string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %d %s", run, row, sealed))
}

package cli_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"
)

// A key is an age key that a run is sealed to, and opens what was, without the
// program's own code.
type key struct {
	identity *age.X25519Identity
	file     string // with the identity
	opened   map[string]string
}

func newKey(t *testing.T) *key {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	k := &key{identity, filepath.Join(t.TempDir(), "key.txt"), map[string]string{}}
	must(t, os.WriteFile(k.file, []byte(identity.String()+"\n"), 0o600))
	return k
}

func (k *key) recipient() string { return k.identity.Recipient().String() }

// decrypt returns what an age message holds.
func (k *key) decrypt(tb testing.TB, text []byte) []byte {
	tb.Helper()
	r, err := age.Decrypt(bytes.NewReader(text), k.identity)
	must(tb, err)
	plain, err := io.ReadAll(r)
	must(tb, err)
	return plain
}

// open returns a sealed password, which must be that of the row.
func (k *key) open(tb testing.TB, row int, sealed string) string {
	tb.Helper()
	if password, known := k.opened[sealed]; known {
		return password
	}
	text, err := base64.RawStdEncoding.DecodeString(sealed)
	must(tb, err)
	var message struct {
		Row      int
		Password string
	}
	must(tb, json.Unmarshal(k.decrypt(tb, text), &message))
	if message.Row != row {
		tb.Errorf("the password of row %d stands at row %d", message.Row, row)
	}
	k.opened[sealed] = message.Password
	return message.Password
}

// seal has the run sealed. Every other session gets the identity.
func (r *rotation) seal() { r.key = newKey(r.t) }

// sealArgs are the further arguments of a session, and whether it is a resume.
func (r *rotation) sealArgs(resumes, planned bool) []string {
	switch {
	case r.key == nil:
		return nil
	case !resumes:
		r.renewed = r.renewed || planned
	case r.sessions%2 == 0:
		return []string{"--identity", r.key.file}
	default:
		r.renewed = true
	}
	// A request that outlives its session may take effect after that of a new password.
	r.api.waitIdle()
	if resumes {
		return nil
	}
	return []string{"--seal-to", r.key.recipient()}
}

// checkHidden wants no file of the run to hold a password that was sent or
// written down, where it is sealed.
func (r *rotation) checkHidden() {
	r.t.Helper()
	if r.key == nil {
		return
	}
	secrets := slices.Collect(maps.Values(r.key.opened))
	r.api.mu.Lock()
	for _, passwords := range r.api.sent {
		secrets = slices.AppendSeq(secrets, maps.Keys(passwords))
	}
	r.api.mu.Unlock()
	err := filepath.WalkDir(r.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if slices.ContainsFunc(secrets, func(secret string) bool { return bytes.Contains(text, []byte(secret)) }) {
			r.t.Errorf("%s holds a password", entry.Name())
		}
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) { // it was killed before it made the folder
		must(r.t, err)
	}
}

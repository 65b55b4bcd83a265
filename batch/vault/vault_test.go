package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"

	"siprotate/batch"
	"siprotate/batch/journal"
)

var _ journal.Vault = (*Sealer)(nil)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A pair is a recipient, and a file with its identity.
type pair struct {
	name, recipient string
	identity        []byte
	passphrase      string
}

// pairs returns one fresh pair of each kind.
func pairs(t testing.TB) []pair {
	t.Helper()
	x, err := age.GenerateX25519Identity()
	must(t, err)
	pq, err := age.GenerateHybridIdentity()
	must(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	edPublic, err := ssh.NewPublicKey(ed.Public())
	must(t, err)
	rsaPublic, err := ssh.NewPublicKey(&rsaKey.PublicKey)
	must(t, err)
	edFile, err := ssh.MarshalPrivateKey(ed, "")
	must(t, err)
	rsaFile, err := ssh.MarshalPrivateKey(rsaKey, "")
	must(t, err)
	edSealed, err := ssh.MarshalPrivateKeyWithPassphrase(ed, "", []byte("sample passphrase"))
	must(t, err)
	authorized := func(k ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) }
	return []pair{
		{"x25519", x.Recipient().String(), []byte("# sample\n" + x.String() + "\n"), ""},
		{"post-quantum", pq.Recipient().String(), []byte(pq.String() + "\n"), ""},
		{"ssh-ed25519", authorized(edPublic) + " somebody@sample", pem.EncodeToMemory(edFile), ""},
		{"ssh-rsa", authorized(rsaPublic), pem.EncodeToMemory(rsaFile), ""},
		{"ssh with a passphrase", authorized(edPublic), pem.EncodeToMemory(edSealed), "sample passphrase"},
		{"age with a passphrase", x.Recipient().String(), withPassphrase(t, x.String(), "sample passphrase"), "sample passphrase"},
	}
}

func withPassphrase(t testing.TB, text, passphrase string) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient(passphrase)
	must(t, err)
	r.SetWorkFactor(10)
	var sealed bytes.Buffer
	a := armor.NewWriter(&sealed)
	w, err := age.Encrypt(a, r)
	must(t, err)
	_, err = io.WriteString(w, text)
	must(t, errors.Join(err, w.Close(), a.Close()))
	return sealed.Bytes()
}

func write(t testing.TB, text []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

func sealer(t testing.TB, args ...string) *Sealer {
	t.Helper()
	lines, err := Recipients(args)
	must(t, err)
	s, err := New(lines)
	must(t, err)
	return s
}

var sample = batch.NewSecret("Sample-Only-1 <&> \u2028\n\"é")

func TestEveryKindOfRecipient(t *testing.T) {
	for _, p := range pairs(t) {
		t.Run(p.name, func(t *testing.T) {
			s := sealer(t, p.recipient)
			sealed, err := s.Seal("run", 3, sample)
			must(t, err)
			if strings.Contains(sealed, "=") || strings.Contains(sealed, "Sample") {
				t.Errorf("sealed as %s", sealed)
			}

			asked := 0
			ids, err := Identities(write(t, p.identity), func(string) ([]byte, error) { asked++; return []byte(p.passphrase), nil })
			must(t, err)
			other := sealer(t, s.Recipients()...) // as another process has it, from the journal's header
			if _, err := other.Open("run", 3, sealed); !errors.Is(err, journal.ErrSealed) {
				t.Errorf("without an identity: %v", err)
			}
			must(t, other.Unlock(ids...))
			for range 2 {
				got, err := other.Open("run", 3, sealed)
				if err != nil || got.Reveal() != sample.Reveal() {
					t.Errorf("opened %q: %v", got.Reveal(), err)
				}
			}
			if want := min(1, len(p.passphrase)); asked != want {
				t.Errorf("asked %d times for a passphrase, want %d", asked, want)
			}
		})
	}
}

// What a process sealed it can read, and nothing else: not in another row's
// place either.
func TestASealerKnowsWhatItSealed(t *testing.T) {
	ps := pairs(t)
	s := sealer(t, ps[0].recipient)
	sealed, err := s.Seal("run", 3, sample)
	must(t, err)
	if got, err := s.Open("run", 3, sealed); err != nil || got.Reveal() != sample.Reveal() {
		t.Errorf("%q: %v", got.Reveal(), err)
	}
	if _, err := s.Open("run", 4, sealed); !errors.Is(err, journal.ErrSealed) {
		t.Errorf("as row 4: %v", err)
	}
	ids, err := Identities(write(t, ps[0].identity), nil)
	must(t, err)
	must(t, s.Unlock(ids...))
	for _, place := range []struct {
		run string
		row int
	}{{"run", 4}, {"other", 3}, {"", 0}} {
		if got, err := s.Open(place.run, place.row, sealed); !errors.Is(err, ErrMoved) || !got.Empty() {
			t.Errorf("as %v: %v", place, err)
		}
	}
}

func TestChangedMessagesAreRefused(t *testing.T) {
	p := pairs(t)[0]
	sealed, err := sealer(t, p.recipient).Seal("run", 1, sample)
	must(t, err)
	s := sealer(t, p.recipient)
	ids, err := Identities(write(t, p.identity), nil)
	must(t, err)
	must(t, s.Unlock(ids...))
	text, err := base64.RawStdEncoding.DecodeString(sealed)
	must(t, err)
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if _, err := s.Open("run", 1, base64.RawStdEncoding.EncodeToString(changed)); err == nil || errors.Is(err, journal.ErrSealed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for _, bad := range []string{"", "no base64!", "Sample-Only-1", sealed[:len(sealed)/2]} {
		if _, err := s.Open("run", 1, bad); err == nil {
			t.Errorf("%q opened", bad)
		}
	}
}

func TestLengthsAreHidden(t *testing.T) {
	s := sealer(t, pairs(t)[0].recipient)
	short, err := s.Seal("run", 1, batch.NewSecret("Sample-1"))
	must(t, err)
	long, err := s.Seal("run", 2, batch.NewSecret(strings.Repeat("Sample-2", 5)))
	must(t, err)
	if len(short) != len(long) {
		t.Errorf("8 characters make %d bytes, 40 make %d", len(short), len(long))
	}
}

func TestPasswordsComeBackByteForByte(t *testing.T) {
	p := pairs(t)[0]
	s := sealer(t, p.recipient)
	ids, err := Identities(write(t, p.identity), nil)
	must(t, err)
	other := sealer(t, s.Recipients()...)
	must(t, other.Unlock(ids...))
	rapid.Check(t, func(rt *rapid.T) {
		run, row := rapid.String().Draw(rt, "run"), rapid.Int().Draw(rt, "row")
		password := rapid.String().Draw(rt, "password")
		sealed, err := s.Seal(run, row, batch.NewSecret(password))
		must(t, err)
		if got, err := other.Open(run, row, sealed); err != nil || got.Reveal() != password {
			rt.Fatalf("%q came back as %q: %v", password, got.Reveal(), err)
		}
	})
	if _, err := s.Seal("run", 1, batch.NewSecret("Sample-\xff-Only")); err == nil || strings.Contains(err.Error(), "Sample") {
		t.Errorf("not UTF-8: %v", err)
	}
}

func TestSomebodyElsesIdentity(t *testing.T) {
	s := sealer(t, pairs(t)[0].recipient)
	for _, p := range pairs(t)[:4] {
		ids, err := Identities(write(t, p.identity), nil)
		must(t, err)
		if err := s.Unlock(ids...); !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	if err := s.Unlock(); !errors.Is(err, ErrIdentity) {
		t.Errorf("none: %v", err)
	}
}

func TestFilesOfRecipients(t *testing.T) {
	ps := pairs(t)
	file := write(t, []byte("# ours\r\n\r\n"+ps[0].recipient+"\r\n  "+ps[2].recipient+"\n"))
	got, err := Recipients([]string{file, ps[0].recipient})
	must(t, err)
	if len(got) != 2 || got[0] != ps[0].recipient || got[1]+" somebody@sample" != ps[2].recipient {
		t.Errorf("%q", got)
	}
}

func TestRecipientsThatAreRefused(t *testing.T) {
	ps := pairs(t)
	ecdsa := "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= sample"
	for name, c := range map[string]struct{ arg, want string }{
		"a plugin's":            {"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "plugins are not used"},
		"a tag":                 {"age1tag1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5ywdwxyza", "plugins are not used"},
		"a damaged one":         {ps[0].recipient[:len(ps[0].recipient)-1] + "b", "damaged"},
		"age1 alone":            {"age1", "damaged"},
		"a damaged SSH key":     {"ssh-ed25519 AAAA", "not an SSH public key"},
		"a DSA key":             {"ssh-dss AAAAB3NzaC1kc3M=", "not an SSH public key"},
		"no file":               {filepath.Join(t.TempDir(), "none"), "neither a recipient"},
		"an empty file":         {write(t, []byte("# nothing\n")), "holds no recipient"},
		"a file of identities":  {write(t, ps[0].identity), "key:2: this is a secret key"},
		"an SSH private key":    {write(t, ps[2].identity), "key:1: this is a secret key"},
		"a file of other lines": {write(t, []byte(ecdsa)), "key:1: not a recipient"},
		"a folder":              {t.TempDir(), "directory"},
		"a huge file":           {write(t, bytes.Repeat([]byte("#\n"), maxKeyFile)), "too large"},
	} {
		_, err := Recipients([]string{c.arg})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	secret := strings.TrimSpace(strings.Split(string(ps[0].identity), "\n")[1])
	if _, err := Recipients([]string{secret}); err == nil || strings.Contains(err.Error(), secret[:30]) {
		t.Errorf("a secret key as an argument: %v", err)
	}
	if _, err := New([]string{ps[0].recipient, ps[1].recipient}); err == nil {
		t.Error("post-quantum and other recipients are mixed")
	}
	if _, err := New(nil); err == nil {
		t.Error("sealed to nobody")
	}
}

func TestIdentitiesThatAreRefused(t *testing.T) {
	ps := pairs(t)
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"a recipient":             {[]byte(ps[0].recipient), "not a file of identities"},
		"nothing":                 {nil, "not a file of identities"},
		"a plugin's":              {[]byte("AGE-PLUGIN-SAMPLE-1QQQ"), "plugins are not used"},
		"a damaged one":           {bytes.Replace(ps[0].identity, []byte("KEY-1"), []byte("KEY-1Q"), 1), "not a file of identities"},
		"a certificate":           {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "not a private key"},
		"a wrong passphrase":      {withPassphrase(t, string(ps[0].identity), "another"), "does not open"},
		"a passphrase in another": {withPassphrase(t, string(withPassphrase(t, "x", "no")), "no"), "sealed twice"},
	} {
		_, err := Identities(write(t, c.text), func(string) ([]byte, error) { return []byte("no"), nil })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET-KEY-1") {
			t.Errorf("%s: a secret key in %q", name, err)
		}
	}
	noTerminal := errors.New("no terminal")
	if _, err := Identities(write(t, ps[5].identity), func(string) ([]byte, error) { return nil, noTerminal }); !errors.Is(err, noTerminal) {
		t.Errorf("nobody to ask: %v", err)
	}
}

func TestAWholeMessage(t *testing.T) {
	p := pairs(t)[0]
	s := sealer(t, p.recipient)
	var text bytes.Buffer
	w, err := s.Encrypt(&text)
	must(t, err)
	_, err = io.WriteString(w, "sample")
	must(t, errors.Join(err, w.Close()))
	ids, err := Identities(write(t, p.identity), nil)
	must(t, err)
	if got, err := decrypt(text.Bytes(), ids); err != nil || string(got) != "sample" {
		t.Errorf("%q: %v", got, err)
	}
}

// The aim: at most 0.3 ms of CPU a row and recipient.
func BenchmarkSeal(b *testing.B) {
	for _, p := range pairs(b)[:4] {
		b.Run(p.name, func(b *testing.B) {
			s := sealer(b, p.recipient)
			for i := range b.N {
				if _, err := s.Seal("20060102T150405Z-00000000", i, sample); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

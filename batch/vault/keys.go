package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds a file of recipients or identities, in bytes.
const maxKeyFile = 1 << 20

// Recipients returns the recipients that the arguments name, each once and in one
// spelling. An argument is a recipient itself or a file with one a line, where
// empty lines and those that begin with # count for nothing.
//
// A recipient is an age1… or age1pq1… key, or an SSH public key of the type
// ssh-ed25519 or ssh-rsa. Any other is an error, and so is one that needs a
// plugin, or a mixture ([ErrMixed]). No error quotes a line of a file, which might
// be a secret key.
func Recipients(args []string) ([]string, error) {
	var all []string
	for _, arg := range args {
		lines, err := recipientsOf(arg)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if !slices.Contains(all, line) {
				all = append(all, line)
			}
		}
	}
	postQuantum := func(line string) bool { return strings.HasPrefix(line, postQuantumRecipient) }
	if slices.ContainsFunc(all, func(line string) bool { return postQuantum(line) != postQuantum(all[0]) }) {
		return nil, ErrMixed
	}
	return all, nil
}

func recipientsOf(arg string) ([]string, error) {
	if isRecipient(arg) || isSecretKey(arg) {
		line, err := canonical(arg)
		if err != nil {
			return nil, err
		}
		return []string{line}, nil
	}
	text, err := readKeyFile(arg)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q is neither a recipient (age1…, ssh-ed25519 …, ssh-rsa …) nor a file", arg)
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		recipient, err := canonical(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", arg, i+1, err)
		}
		lines = append(lines, recipient)
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s holds no recipient", arg)
	}
	return lines, nil
}

func isRecipient(text string) bool {
	return strings.HasPrefix(text, "age1") || strings.HasPrefix(text, "ssh-")
}

func isSecretKey(text string) bool {
	upper := strings.ToUpper(text)
	return strings.HasPrefix(upper, "AGE-SECRET-KEY-") || strings.HasPrefix(upper, "AGE-PLUGIN-") || strings.HasPrefix(upper, "-----BEGIN ")
}

// canonical returns a recipient as it stands in a journal: an SSH key without its
// comment.
func canonical(line string) (string, error) {
	line = strings.TrimSpace(line)
	if _, err := parseRecipient(line); err != nil {
		return "", err
	}
	if fields := strings.Fields(line); strings.HasPrefix(line, "ssh-") {
		return fields[0] + " " + fields[1], nil
	}
	return line, nil
}

// The human-readable parts of age's own recipients. Any other one that begins
// with age1 is a plugin's.
const (
	nativeRecipient      = "age"
	postQuantumRecipient = "age1pq"
)

func parseRecipient(line string) (age.Recipient, error) {
	kind, _, _ := strings.Cut(line, " ")
	switch {
	case isSecretKey(line):
		return nil, errors.New("this is a secret key, where the recipient that belongs to it is wanted (age-keygen -y prints it)")
	case strings.HasPrefix(line, "ssh-"):
		r, err := agessh.ParseRecipient(line)
		if err != nil {
			err = fmt.Errorf("not an SSH public key that can be sealed to (ssh-ed25519, or ssh-rsa with 2048 bits or more): %.20s…", kind)
		}
		return r, err
	case !strings.HasPrefix(line, "age1"):
		return nil, errors.New("not a recipient: want age1…, ssh-ed25519 … or ssh-rsa …")
	}
	var r age.Recipient
	var err error
	switch line[:strings.LastIndexByte(line, '1')] {
	case nativeRecipient:
		r, err = age.ParseX25519Recipient(line)
	case postQuantumRecipient:
		r, err = age.ParseHybridRecipient(line)
	default:
		return nil, fmt.Errorf("%.20s… is a plugin's recipient: plugins are not used here", line)
	}
	if err != nil {
		return nil, fmt.Errorf("%.20s… is damaged: a recipient has its own checksum, and this one's is wrong", line)
	}
	return r, nil
}

// Identities reads the secret keys in a file: age identities, one a line, an SSH
// private key, or an age file with identities that a passphrase protects. ask
// returns the passphrase of what the prompt names; it is called only if there is one,
// for an SSH key when [Sealer.Unlock] needs it. A plugin's identity is an error.
func Identities(path string, ask func(prompt string) ([]byte, error)) ([]age.Identity, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	ids, err := parseIdentities(path, text, ask)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return ids, err
}

func parseIdentities(path string, text []byte, ask func(string) ([]byte, error)) ([]age.Identity, error) {
	switch trimmed := bytes.TrimSpace(text); {
	case bytes.HasPrefix(trimmed, []byte(armor.Header)):
		return protected(path, armor.NewReader(bytes.NewReader(trimmed)), ask)
	case bytes.HasPrefix(text, []byte("age-encryption.org/")):
		return protected(path, bytes.NewReader(text), ask)
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
		return sshIdentity(path, text, ask)
	case bytes.Contains(text, []byte("AGE-PLUGIN-")):
		return nil, errors.New("a plugin's identity: plugins are not used here")
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, errors.New("not a file of identities: want AGE-SECRET-KEY-… lines, or an SSH private key") // the error may quote one
	}
	return ids, nil
}

// protected reads identities that are themselves sealed with a passphrase.
func protected(path string, sealed io.Reader, ask func(string) ([]byte, error)) ([]age.Identity, error) {
	passphrase, err := ask("passphrase of " + path)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(sealed, id)
	if err != nil {
		return nil, errors.New("the passphrase does not open it")
	}
	text, err := io.ReadAll(io.LimitReader(r, maxKeyFile))
	if err != nil {
		return nil, err
	}
	return parseIdentities(path, text, func(string) ([]byte, error) { return nil, errors.New("sealed twice") })
}

func sshIdentity(path string, text []byte, ask func(string) ([]byte, error)) ([]age.Identity, error) {
	id, err := agessh.ParseIdentity(text)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		public := missing.PublicKey
		if public == nil {
			if public, err = publicKeyBeside(path); err != nil {
				return nil, err
			}
		}
		id, err = agessh.NewEncryptedSSHIdentity(public, text, func() ([]byte, error) { return ask("passphrase of " + path) })
	}
	if err != nil {
		return nil, errors.New("not a private key that can be used: want ssh-ed25519 or ssh-rsa")
	}
	return []age.Identity{id}, nil
}

// publicKeyBeside reads the public key of an encrypted private key of an old
// format, which does not hold it.
func publicKeyBeside(path string) (ssh.PublicKey, error) {
	text, err := readKeyFile(path + ".pub")
	if err != nil {
		return nil, fmt.Errorf("its public key is needed beside it: %w", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s.pub is not a public key", path)
	}
	return public, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%s: too large for a file of keys", path)
	}
	return text, err
}

package batch

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// A Secret holds text that must not be seen, such as a password. It prints,
// logs and marshals as "[redacted]", also deep inside another value; only
// [Secret.Reveal] gives the text. The zero value is the empty secret. A Secret
// is immutable and safe for concurrent use.
type Secret struct {
	// A pointer, because fmt cannot call methods on unexported fields of an
	// enclosing struct: it would print a string there, and prints an address here.
	text *string
}

// NewSecret returns a Secret that holds text, byte for byte.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether the secret holds no text.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Format writes "[redacted]", whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

package exotel

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// spellings are the ways in which a secret may show.
func spellings(secrets ...string) []string {
	var all []string
	for _, s := range secrets {
		all = append(all, s, url.QueryEscape(s), url.PathEscape(s), fmt.Sprintf("%x", s), base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return all
}

// reveals returns the first spelling of a secret that shows in any print of the values.
func reveals(values ...any) string {
	secrets := spellings(testToken, testPassword, testKey+":"+testToken)
	for _, value := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x"} {
			shown := fmt.Sprintf(format, value)
			for _, secret := range secrets {
				if strings.Contains(shown, secret) {
					return fmt.Sprintf("%s with %s: %s", secret, format, shown)
				}
			}
		}
	}
	return ""
}

func TestNothingPrintsSecrets(t *testing.T) {
	config := Config{BaseURL: "https://api.example.com", AccountSID: "sid1", Credentials: testCredentials}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	type owner struct {
		Config  Config
		client  Client
		Pointer *Client
	}
	if shown := reveals(config, &config, c, *c, owner{config, *c, c}, []any{c}, map[string]any{"client": c}); shown != "" {
		t.Errorf("shows %s", shown)
	}
}

// A server that sends back what it was sent, wherever it can.
func TestEchoedSecretsAreRedacted(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte(testKey + ":" + testToken))
	echo := fmt.Sprintf("you said '%s' with %s and %s", testPassword, testToken, basic)
	bodies := map[string]string{
		"refusal":   fmt.Sprintf(`{"request_id":%[1]q,"response":{"code":%[1]q,"status":%[1]q,"error_data":{"code":%[1]q,"message":%[1]q,"description":%[1]q}}}`, echo),
		"exception": fmt.Sprintf(`{"RestException":{"Status":%[1]q,"Message":%[1]q,"Code":%[1]q}}`, echo),
		"success":   fmt.Sprintf(`{"request_id":%q,"response":{"code":200,"status":"success"}}`, echo),
		"no JSON":   echo,
		"deep":      fmt.Sprintf(`{"response":{"code":400,"status":"failure","error_data":{"message":{"said":%q}}}}`, echo),
	}
	for name, body := range bodies {
		for _, status := range []int{200, 302, 400, 401, 429, 500} {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/?"+url.QueryEscape(testPassword))
				w.Header().Set("Retry-After", testPassword)
				w.WriteHeader(status)
				io.WriteString(w, body)
			})
			answer, err := c.SetPassword(t.Context(), "u", "1", testPassword)
			if shown := reveals(answer, err, errors.Unwrap(err)); shown != "" {
				t.Errorf("%s, status %d: shows %s", name, status, shown)
			}
			if e, ok := errors.AsType[*Error](err); ok {
				if shown := reveals(*e, e.Answer, e.Reason(), e.Hint()); shown != "" {
					t.Errorf("%s, status %d: shows %s", name, status, shown)
				}
			}
		}
	}
}

func TestNetworkErrorsAreRedacted(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"echo as a head":  cutOff(testPassword+" "+testToken+"\r\n\r\n", false),
		"echo as a field": cutOff("HTTP/1.1 200 OK\r\n"+testPassword+" "+testToken+"\r\n\r\n", false),
		"echo as a size":  cutOff("HTTP/1.1 200 OK\r\nContent-Length: "+testPassword+"\r\n\r\n", false),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, handler).SetPassword(t.Context(), "u", "1", testPassword)
			e := fails(t, err)
			if shown := reveals(err, *e, e.Reason(), e.Hint()); shown != "" {
				t.Errorf("shows %s", shown)
			}
		})
	}
}

func TestFailuresPrintNoSecrets(t *testing.T) {
	c := newClient(t, "https://api.example.com", roundTrip(func(r *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Put", URL: r.URL.String(), Err: io.EOF}
	}))
	_, reset := c.SetPassword(t.Context(), "u", "1", testPassword)
	_, badID := c.SetPassword(t.Context(), testPassword, "1", testPassword)
	_, badPassword := c.SetPassword(t.Context(), "u", "1", testPassword+"\xff")
	if shown := reveals(reset, badID, badPassword, CheckPassword(testPassword+"\n")); shown != "" {
		t.Errorf("shows %s", shown)
	}
}

func TestTextsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "n")
		got := cut(text, n)
		if len(got) > n+len("…") || !utf8.ValidString(got) || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) {
			t.Errorf("%q cut at %d is %q", text, n, got)
		}
		if len(text) <= n && got != text {
			t.Errorf("%q cut at %d is %q, want it whole", text, n, got)
		}
	})
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		io.WriteString(w, failure("404", `{"message":"`+strings.Repeat("ä", 100000)+`"}`))
	})
	_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
	if n := len(fails(t, err).Answer.ErrorMessage); n < maxText || n > maxText+3 {
		t.Errorf("a message of %d bytes, want about %d", n, maxText)
	}
}

// The ways in which a text may repeat a secret, at random where there is a choice.
var encoders = map[string]func(r *rand.Rand, s string) string{
	"plain":             func(_ *rand.Rand, s string) string { return s },
	"HTML":              func(_ *rand.Rand, s string) string { return html.EscapeString(s) },
	"HTML by number":    func(_ *rand.Rand, s string) string { return eachRune(s, "&#%d;") },
	"HTML by hex":       func(_ *rand.Rand, s string) string { return eachRune(s, "&#x%X;") },
	"query":             func(_ *rand.Rand, s string) string { return url.QueryEscape(s) },
	"path":              func(_ *rand.Rand, s string) string { return url.PathEscape(s) },
	"percent":           func(_ *rand.Rand, s string) string { return eachByte(s, "%%%02x") },
	"JSON":              func(_ *rand.Rand, s string) string { b, _ := json.Marshal(s); return string(b) },
	"JSON with slashes": func(_ *rand.Rand, s string) string { return strings.ReplaceAll(strconv.Quote(s), "/", `\/`) },
	"JSON by number":    func(_ *rand.Rand, s string) string { return utf16Escapes(s) },
	"Go":                func(_ *rand.Rand, s string) string { return strconv.QuoteToASCII(s) },
	"Go bytes":          func(_ *rand.Rand, s string) string { return eachByte(s, `\x%02x`) },
	"octal":             func(_ *rand.Rand, s string) string { return eachByte(s, `\%03o`) },
	"CSV":               func(_ *rand.Rand, s string) string { return strings.ReplaceAll(s, `"`, `""`) },
	"hex":               func(_ *rand.Rand, s string) string { return hex.EncodeToString([]byte(s)) },
	"HEX":               func(_ *rand.Rand, s string) string { return fmt.Sprintf("%X", s) },
	"hex with spaces":   func(_ *rand.Rand, s string) string { return fmt.Sprintf("% x", s) },
	"base64": func(r *rand.Rand, s string) string {
		return base64.StdEncoding.EncodeToString([]byte("xyz"[:r.IntN(4)] + s + "tail"[:r.IntN(5)]))
	},
	"base64 for URLs": func(r *rand.Rand, s string) string {
		return base64.RawURLEncoding.EncodeToString([]byte("\xff\xfe\xfd"[:r.IntN(4)] + s))
	},
	"reversed": func(_ *rand.Rand, s string) string { return reverse(s) },
	"upper":    func(_ *rand.Rand, s string) string { return strings.ToUpper(s) },
}

func eachRune(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

func eachByte(s, format string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, format, c)
	}
	return b.String()
}

func utf16Escapes(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, u)
	}
	return b.String()
}

// Made up, like all of them here.
var sampleSecrets = []string{
	`Sample"Only<&/+ 01!`, "Sample0!", "sample-token-0=?", `a\b\\c\u0041%41&lt;Z`, "passwort-ä-ö-ü-Ä1", "Zeichen😀😀😀😀😀1a", "sandbox",
}

// Every pair of encodings, and a piece of eight characters in each.
func TestEncodedSecretsAreWithheld(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, secret := range sampleSecrets {
		runes := []rune(secret)
		parts := []string{secret}
		if len(runes) >= window && isASCII(secret) {
			parts = append(parts, secret[:window], secret[len(secret)-window:])
		}
		s := newSecretSet(secret)
		for first, encode := range encoders {
			for second, again := range encoders {
				if second == "upper" && strings.HasPrefix(first, "base64") {
					continue // its case is a part of it: nobody can decode the result
				}
				for _, part := range parts {
					text := "you said (" + again(r, encode(r, part)) + ") to us"
					if got := s.safe(text); got != withheld {
						t.Errorf("%q as %s, then as %s: shows %s", part, first, second, got)
					}
				}
			}
		}
	}
}

// Ways that are less common, each by itself.
func TestRareEncodingsAreWithheld(t *testing.T) {
	std := base64.StdEncoding.EncodeToString
	utf16Bytes := func(s string) []byte { return []byte(strings.Join(strings.Split(s, ""), "\x00") + "\x00") }
	between := func(separator string) func(string) string {
		return func(s string) string { return strings.Join(strings.Split(s, ""), separator) }
	}
	for name, encode := range map[string]func(s string) string{
		"BitConverter":       func(s string) string { return strings.ReplaceAll(fmt.Sprintf("% X", s), " ", "-") },
		"hex with commas":    func(s string) string { return eachByte(s, "0x%02x, ") },
		"hex with prefixes":  func(s string) string { return eachByte(s, "0x%02X ") },
		"hex in quotes":      func(s string) string { return eachByte(s, `"0x%02x",`) },
		"JSON bytes":         func(s string) string { return "[" + eachByte(s, "%d, ") + "0]" },
		"compact JSON bytes": func(s string) string { return "[" + eachByte(s, "%d,") + "0]" },
		"printed bytes":      func(s string) string { return fmt.Sprint([]byte(s)) },
		"binary":             func(s string) string { return eachByte(s, "%08b ") },
		"base64 of UTF-16":   func(s string) string { return std(utf16Bytes(s)) },
		"hex of UTF-16":      func(s string) string { return hex.EncodeToString(utf16Bytes(s)) },
		"braces":             func(s string) string { return eachRune(s, `\u{%x}`) },
		"old JavaScript":     func(s string) string { return eachRune(s, "%%u%04X") },
		"code points":        func(s string) string { return eachRune(s, "U+%04X ") },
		"quoted-printable":   func(s string) string { return eachByte(s, "=%02X") },
		"folded":             func(s string) string { return s[:5] + "=\r\n" + s[5:] },
		"base64 with spaces": func(s string) string { e := std([]byte(s)); return e[:5] + " " + e[5:9] + "\t" + e[9:] },
		"base64 thrice":      func(s string) string { return std([]byte(std([]byte(std([]byte("a " + s)))))) },
		"base32":             func(s string) string { return base32.StdEncoding.EncodeToString([]byte("ab" + s)) },
		"base32 in lower":    func(s string) string { return strings.ToLower(base32.StdEncoding.EncodeToString([]byte(s))) },
		"spaced":             between(" "),
		"dashed":             between("-"),
		"a letter a line":    between("\n"),
		"zero-width":         between("\u200b"),
		"joined":             between("\u2060"),
		"underlined":         between("\u0332"),
		"dotted":             between(" · "),
		"in halves":          func(s string) string { return s[:5] + " " + s[5:] },
		"HTML between":       between("&#8203;"),
		"full width":         func(s string) string { return strings.Map(func(r rune) rune { return r + 0xfee0 }, s) },
		"decomposed":         func(s string) string { return norm.NFD.String(s) },
	} {
		for _, secret := range []string{"Sample0!", "Sample-0nly-1x", "xQ7!mZ2#kT9@"} {
			text := "you said (" + encode(secret) + ") to us"
			if got := newSecretSet(secret).safe(text); got != withheld {
				t.Errorf("%q %s: shows %s", secret, name, got)
			}
		}
	}
	if got := newSecretSet("pässwörd-Ä1").safe(norm.NFD.String("pässwörd-Ä1")); got != withheld {
		t.Errorf("decomposed: shows %s", got)
	}
}

func FuzzEncodedSecretsAreWithheld(f *testing.F) {
	names := slices.Sorted(maps.Keys(encoders))
	f.Add(uint64(1), "Sample-0nly", "before ", " after")
	f.Add(uint64(2), `a"b\c<d>&e%f+g`, "{", "}")
	for seed := range uint64(len(names) * len(names)) {
		f.Add(seed, "0š000000", "", " 0") // another case, next to what is no UTF-8
	}
	f.Fuzz(func(t *testing.T, seed uint64, secret, before, after string) {
		if !utf8.ValidString(secret) || utf8.RuneCountInString(secret) < window || strings.ContainsFunc(secret, unicode.IsControl) {
			return
		}
		if lower, back := strings.ToLower(secret), strings.ToLower(strings.ToUpper(secret)); lower != back {
			return // a letter without an upper case of its own
		}
		r := rand.New(rand.NewPCG(seed, 0))
		first, second := names[r.IntN(len(names))], names[r.IntN(len(names))]
		if second == "upper" && strings.HasPrefix(first, "base64") {
			return
		}
		text := encoders[second](r, encoders[first](r, secret))
		if before, after = strings.ToValidUTF8(before, ""), strings.ToValidUTF8(after, ""); len(before)+len(text) > maxText {
			return
		}
		if got := newSecretSet(secret).safe(before + " (" + text + ") " + after); got != withheld {
			t.Errorf("%q as %s, then as %s: shows %s", secret, first, second, got)
		}
	})
}

// Half an escape is left alone: what follows a backslash may be cut off.
func TestHalfEscapesAreWithheld(t *testing.T) {
	secret := `Abc"123\`
	if got := newSecretSet(secret).safe(`refused: Abc\"123\`); got != withheld {
		t.Errorf("shows %s", got)
	}
}

func TestOtherTextsAreShown(t *testing.T) {
	s := newSecretSet(sampleSecrets...)
	s.begin("Password-01")
	for i := range keptPasswords {
		password, err := Generate(seeded(byte(i)), 20)
		if err != nil {
			t.Fatal(err)
		}
		s.begin(password)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		id := fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
		if got := s.safe(id); got != id {
			t.Errorf("request id %s is withheld", id)
		}
	}
	for _, text := range []string{
		"", "success", "Password policy not met", "Rate limit exceeded. Try again in 30 seconds.", "no such user", "Sample", "ä",
		"Mandatory parameter missing", "Authorization failed", "Invalid parameter: password must have 8 characters, e.g. 1 digit", "KYC incomplete",
		"Password 0 of 1", "[1, 2, 3]", "sample only", "User 0f3c9a1e-77d2-4c1b-9b1e-2f6f3b6c9a10 has no device 490039 (see U+0041)", "näher: ungültig",
		"dial tcp 127.0.0.1:443: connect: connection refused", "0f3c9a1e-77d2-4c1b-9b1e-2f6f3b6c9a10",
	} {
		if got := s.safe(text); got != text {
			t.Errorf("%q is withheld", text)
		}
	}
}

// A password stays known while its request is under way, and for a while.
func TestRecentPasswordsAreWithheld(t *testing.T) {
	s := newSecretSet()
	s.begin("Sample-0nly-slow")
	for i := range 2 * keptPasswords {
		password := fmt.Sprintf("Sample-%06d-done", i)
		s.begin(password)
		s.end(password)
	}
	for text, want := range map[string]bool{
		"Sample-0nly-slow": true, fmt.Sprintf("Sample-%06d-done", keptPasswords): true, fmt.Sprintf("%06d-d", keptPasswords-1): false,
	} {
		if got := s.safe(text) == withheld; got != want {
			t.Errorf("%s: withheld %v, want %v", text, got, want)
		}
	}
	if len(s.ended) != keptPasswords || len(s.windows) > 20*keptPasswords {
		t.Errorf("%d passwords and %d windows are kept", len(s.ended), len(s.windows))
	}
}

// Another row's password, in an answer to this one.
func TestPasswordsOfOtherRequestsAreWithheld(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		io.WriteString(w, failure("404", `{"message":"Sample-0nly-first"}`))
	})
	for _, password := range []string{"Sample-0nly-first", "other-0nly-2"} {
		_, err := c.SetPassword(t.Context(), "u", "1", password)
		if e := fails(t, err); e.Answer.ErrorMessage != withheld {
			t.Errorf("%v shows a password", err)
		}
	}
}

// The worst text: it decodes to much, in many ways.
func BenchmarkSafe(b *testing.B) {
	s := newSecretSet(sampleSecrets...)
	for name, text := range map[string]string{"request id": "affd93c2e3674424993e4d70c012156e", "worst": strings.Repeat(`41&lt;%41\x`, maxText/11)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.safe(text)
			}
		})
	}
}

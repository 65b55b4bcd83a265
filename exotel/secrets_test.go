package exotel

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

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

// A server, or net/http where it quotes what it cannot read, may tell a secret
// back in any spelling.
func TestEverySpellingIsRedacted(t *testing.T) {
	const secret = `Sample"Only<&/+ 01!`
	c := credentials{token: "sample-token-0"}
	for _, spelt := range spellingsOf(secret) {
		if text := c.redactAll("say "+spelt+" again", secret); strings.Contains(text, spelt) {
			t.Errorf("%q stays", spelt)
		}
	}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte("xyz"[:shift] + secret + "tail"))
		if safe := c.redactAll(text, secret); !strings.Contains(safe, redacted) {
			t.Errorf("%q is not found in base64 behind %d bytes", safe, shift)
		}
	}
}

package exotel

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBaseURLs(t *testing.T) {
	const faulty = "base URL"
	tests := []struct{ baseURL, want string }{
		{"https://ccm-api.exotel.com", "https://ccm-api.exotel.com/v2/accounts/sid1/users"},
		{"https://ccm-api.exotel.com/", "https://ccm-api.exotel.com/v2/accounts/sid1/users"},
		{"HTTPS://proxy.example.com:8443/exotel/", "https://proxy.example.com:8443/exotel/v2/accounts/sid1/users"},
		{"https://proxy.example.com/a%2Fb", "https://proxy.example.com/a%2Fb/v2/accounts/sid1/users"},
		{"http://localhost:8080", "http://localhost:8080/v2/accounts/sid1/users"},
		{"http://LOCALHOST", "http://LOCALHOST/v2/accounts/sid1/users"},
		{"http://127.8.9.10", "http://127.8.9.10/v2/accounts/sid1/users"},
		{"http://[::1]:80", "http://[::1]:80/v2/accounts/sid1/users"},
		{"http://ccm-api.exotel.com", faulty},
		{"http://localhost.example.com", faulty},
		{"http://127.0.0.1.example.com", faulty},
		{"http://10.0.0.1", faulty},
		{"http://0.0.0.0", faulty},
		{"http://[::]", faulty},
		{"ftp://localhost", faulty},
		{"ccm-api.exotel.com", faulty},
		{"https:ccm-api.exotel.com", faulty},
		{"https://", faulty},
		{"https://:443", faulty},
		{"//ccm-api.exotel.com", faulty},
		{"", faulty},
		{"https://api.example.com?x=y", faulty},
		{"https://api.example.com?", faulty},
		{"https://api.example.com#top", faulty},
		{"https://api.example.com#", faulty},
		{"https://canary-key:canary-token@api.example.com", faulty},
		{"https://canary-token@api.example.com", faulty},
		{"https://canary-key:canary-/token@api.example.com", faulty},
		{"https://canary-key:canary to%ken@api.example.com", faulty},
		{"https://api.example.com/\x7fcanary", faulty},
	}
	for _, test := range tests {
		t.Run(test.baseURL, func(t *testing.T) {
			e, err := newEndpoint(test.baseURL, "sid1")
			if err == nil {
				if got := e.usersURL("", "").String(); got != test.want {
					t.Errorf("users are at %q, want %q", got, test.want)
				}
				return
			}
			if test.want != faulty || !strings.HasPrefix(err.Error(), faulty) {
				t.Errorf("error %q, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error %q shows the URL", err)
			}
		})
	}
}

func TestCheckID(t *testing.T) {
	for id, want := range map[string]string{
		"490039": "", "0f3c9a": "", "a-b_c.d~e": "", "...": "", "affd93c2-e367-4424-993e-4d70c012156e": "",
		"": "is empty", ".": "is a step in a path", "..": "is a step in a path",
		"a/b": `holds one of / \ ? # %`, "../x": `holds one of / \ ? # %`, `a\b`: `holds one of / \ ? # %`, "a?b": `holds one of / \ ? # %`,
		"a#b": `holds one of / \ ? # %`, "%2e%2e": `holds one of / \ ? # %`,
		"a\nb": "holds a control character", "a\x00": "holds a control character", "a\x7f": "holds a control character", "a\u0085": "holds a control character",
		"a b": "holds a space", "ä": "holds a character that is not ASCII", "a\xff": "holds a character that is not ASCII",
		"Kx7!mQ4z": "holds punctuation that no id has", "a@b.example": "holds punctuation that no id has", "4.9E+05": "holds punctuation that no id has",
	} {
		err := checkID("user id", id)
		if want == "" {
			if err != nil || CheckID(id) != nil {
				t.Errorf("%q: error %v, want none", id, err)
			}
			continue
		}
		if e, ok := errors.AsType[*IDError](err); !ok || e.Name != "user id" || e.Reason != want || CheckID(id).Error() != want {
			t.Errorf("%q: error %v, want an IDError that says %q", id, err, want)
		}
		if _, err := newEndpoint("https://api.example.com", id); err == nil {
			t.Errorf("%q is accepted as an account SID", id)
		}
	}
}

// Whatever ids are accepted, the path keeps its shape, and a server that takes it
// apart finds the very same ids.
func TestPasswordURLKeepsIDs(t *testing.T) {
	ids := rapid.OneOf(rapid.StringN(1, 20, 60), rapid.StringMatching(`[-.~_a-z0-9:@]{1,8}`)).
		Filter(func(id string) bool { return CheckID(id) == nil })
	e, err := newEndpoint("https://proxy.example.com/a%2Fb", "s-id")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		user, device := ids.Draw(t, "user"), ids.Draw(t, "device")
		target := e.passwordURL(user, device).RequestURI()
		if want := "/a%2Fb/v2/accounts/s-id/users/" + user + "/devices/" + device + "/password"; target != want {
			t.Errorf("request of %q, want %q", target, want)
		}
		if _, err := http.NewRequest(http.MethodPut, e.passwordURL(user, device).String(), nil); err != nil {
			t.Errorf("not a URL: %v", err)
		}
	})
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.example.com": false, "127.0.0.1:80": false,
	} {
		if IsLoopback(host) != want {
			t.Errorf("%q: %v, want %v", host, !want, want)
		}
	}
}

func TestRegions(t *testing.T) {
	for name, want := range map[string]string{
		"singapore": "https://ccm-api.exotel.com",
		"Mumbai":    "https://ccm-api.in.exotel.com",
	} {
		region, err := ParseRegion(name)
		if err != nil || region.BaseURL() != want {
			t.Errorf("%s: %q and error %v, want %q", name, region.BaseURL(), err, want)
		}
	}
	for _, name := range []string{"", "delhi", "singapore "} {
		if region, err := ParseRegion(name); err == nil || region.BaseURL() != "" {
			t.Errorf("%q is accepted as region %q", name, region)
		}
	}
}

package exotel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// proxyFor returns the proxy that the environment names for requests to base, nil
// for none. Its errors do not show the setting, which may hold a password.
func proxyFor(base *url.URL) (*url.URL, error) {
	if base.Scheme == "https" {
		// net/http goes without a proxy where it cannot read the setting.
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			if setting := os.Getenv(name); setting != "" && !isProxyURL(setting) {
				return nil, &proxyError{name}
			}
		}
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if err != nil {
		return nil, &proxyError{"HTTP_PROXY"} // for https all is in order by now
	}
	return proxy, nil
}

// A proxyError says that a variable of the environment is not the URL of a proxy.
type proxyError struct{ name string }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the environment's %s is not the URL of a proxy, such as http://proxy.example.com:3128", e.name)
}

// Hint says what to do about it.
func (e *proxyError) Hint() string {
	return fmt.Sprintf("set %s to the URL of the proxy, or unset it to go without one; nothing was sent", e.name)
}

// isProxyURL reports whether net/http can use the setting, a URL or host:port.
func isProxyURL(setting string) bool {
	if !strings.Contains(setting, "://") {
		setting = "http://" + setting
	}
	proxy, err := url.Parse(setting)
	if err != nil || proxy.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) {
		return false
	}
	if port := proxy.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	// Anything behind the port: a slip such as http//proxy:3128, whose host is http.
	return (proxy.Path == "" || proxy.Path == "/") && proxy.RawQuery == "" && proxy.Fragment == ""
}

// proxySecrets returns what no text may show of a proxy's URL.
func proxySecrets(proxy *url.URL) []string {
	if proxy == nil || proxy.User == nil {
		return nil
	}
	password, _ := proxy.User.Password()
	return []string{password, basicAuth(proxy.User.Username(), password)}
}

// A connectError is a proxy's refusal to open a tunnel. It does not show the
// proxy's words.
type connectError struct{ status int }

func (e *connectError) Error() string {
	return fmt.Sprintf("the proxy answered CONNECT with HTTP %d", e.status)
}

func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &connectError{answer.StatusCode}
	}
	return nil
}

func wantsProxyCredentials(err error) bool {
	connect, ok := errors.AsType[*connectError](err)
	return ok && connect.status == http.StatusProxyAuthRequired
}

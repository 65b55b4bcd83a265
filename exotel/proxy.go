package exotel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// proxyFor returns the proxy that the environment names for requests to base, nil
// for none. Its errors do not show the setting, which may hold a password.
func proxyFor(base *url.URL) (*url.URL, error) {
	if base.Scheme == "https" {
		// net/http goes without a proxy where it cannot read the setting.
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			if setting := os.Getenv(name); setting != "" && !isProxyURL(setting) {
				return nil, fmt.Errorf("the environment's %s is not the URL of a proxy, such as http://proxy.example.com:3128", name)
			}
		}
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if err != nil {
		return nil, errors.New("the environment's proxy setting is not the URL of a proxy")
	}
	return proxy, nil
}

// isProxyURL reports whether net/http can use the setting, a URL or host:port.
func isProxyURL(setting string) bool {
	if !strings.Contains(setting, "://") {
		setting = "http://" + setting
	}
	proxy, err := url.Parse(setting)
	return err == nil && proxy.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme)
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

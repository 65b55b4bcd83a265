package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"siprotate/exotel"
)

// An account is where requests go, and for whom.
type endpoint struct {
	sid     string
	baseURL string
}

// The account of a run against the in-process stand-in.
const (
	sandboxAccount = "sandbox"
	sandboxHost    = "sandbox.invalid"
)

// host returns the host of the account's API in one spelling, with its port
// unless it is the usual one.
func (acc endpoint) host() string {
	u, err := url.Parse(acc.baseURL)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return host
}

// account finds the account that the flags and the environment name.
func (a *app) account(o *options) (endpoint, error) {
	if o.sandbox {
		return endpoint{sandboxAccount, "https://" + sandboxHost}, nil
	}
	acc := endpoint{sid: a.setting(o.accountSID, "EXOTEL_ACCOUNT_SID"), baseURL: o.baseURL}
	if o.region == "" {
		acc.baseURL = a.setting(o.baseURL, "EXOTEL_BASE_URL")
	}
	if acc.sid == "" {
		return acc, usagef("set EXOTEL_ACCOUNT_SID, or give --account-sid; it stands in the dashboard's API settings",
			"no account: its SID is not set")
	}
	if acc.baseURL == "" {
		region, err := exotel.ParseRegion(a.setting(o.region, "EXOTEL_REGION", string(exotel.Singapore)))
		if err != nil {
			return acc, usage(err, "set EXOTEL_REGION or --region to the region of the account: singapore or mumbai")
		}
		acc.baseURL = region.BaseURL()
	}
	return acc, nil
}

// setting returns the first of a flag's value, a variable of the environment,
// and the defaults that is not empty.
func (a *app) setting(flag, variable string, defaults ...string) string {
	for _, value := range append([]string{flag, a.getenv(variable)}, defaults...) {
		if value != "" {
			return value
		}
	}
	return ""
}

// client returns a client for the account, with the credentials of the
// environment.
func (a *app) client(acc endpoint, connections int) (*exotel.Client, error) {
	client, err := exotel.New(exotel.Config{
		BaseURL: acc.baseURL, AccountSID: acc.sid, Credentials: a.credentials,
		Connections: connections, UserAgent: "siprotate/" + version(),
	})
	if err == nil {
		return client, nil
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return nil, exit
	}
	return nil, usage(err, "--base-url or EXOTEL_BASE_URL, --account-sid or EXOTEL_ACCOUNT_SID, EXOTEL_API_KEY and EXOTEL_API_TOKEN say where and who")
}

func (a *app) credentials() (key, token string, err error) {
	if key, err = a.secret("EXOTEL_API_KEY"); err != nil {
		return "", "", err
	}
	token, err = a.secret("EXOTEL_API_TOKEN")
	return key, token, err
}

// secret reads a credential from the variable, or from the file that the
// variable with _FILE behind it names. A file's line end is no part of it.
func (a *app) secret(variable string) (string, error) {
	value, path := a.getenv(variable), a.getenv(variable+"_FILE")
	switch {
	case value != "" && path != "":
		return "", usagef("unset one of the two", "both %s and %s_FILE are set", variable, variable)
	case value != "":
		return value, nil
	case path == "":
		return "", usagef(fmt.Sprintf("set %s, or %s_FILE to the path of a file that holds it; --sandbox needs neither", variable, variable),
			"no credentials: %s is not set", variable)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", usage(fmt.Errorf("%s_FILE: %w", variable, err), "")
	}
	value = strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", usagef("", "%s_FILE: %s is empty", variable, path)
	}
	return value, nil
}

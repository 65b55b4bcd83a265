package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/rotation"
	"siprotate/exotel"
)

// An endpoint is an account, and the URL of its API.
type endpoint struct {
	rotation.Account
	baseURL string
}

// The account of a run against the in-process stand-in.
const (
	sandboxAccount = "sandbox"
	sandboxHost    = "sandbox.invalid"
)

var sandboxEndpoint = newEndpoint(sandboxAccount, "https://"+sandboxHost)

// newEndpoint returns the endpoint with its host in one spelling, with a port
// unless it is the usual one.
func newEndpoint(sid, baseURL string) endpoint {
	e := endpoint{rotation.Account{SID: sid}, baseURL}
	if u, err := url.Parse(baseURL); err == nil {
		e.Host = strings.ToLower(u.Host)
		if u.Scheme == "https" {
			e.Host = strings.TrimSuffix(e.Host, ":443")
		}
	}
	return e
}

// endpoint finds the account that the flags and the environment name. A variable
// for the region counts only where nothing says more.
func (a *app) endpoint(o accountFlags) (endpoint, error) {
	sid, baseURL := a.setting(o.sid, "EXOTEL_ACCOUNT_SID"), o.baseURL
	if o.region == "" {
		baseURL = a.setting(o.baseURL, "EXOTEL_BASE_URL")
	}
	region, err := a.region(o.region)
	if err != nil { // also where a URL says more: the next command may come without it
		return endpoint{}, err
	}
	baseURL = cmp.Or(baseURL, region.BaseURL())
	if sid == "" {
		return endpoint{}, usagef("set EXOTEL_ACCOUNT_SID, or give --account-sid; it stands in the dashboard's API settings",
			"no account: its SID is not set")
	}
	return newEndpoint(sid, baseURL), nil
}

func (a *app) region(flag string) (exotel.Region, error) {
	region, err := exotel.ParseRegion(a.setting(flag, "EXOTEL_REGION", string(exotel.Singapore)))
	if err != nil {
		return "", usage(err, "set EXOTEL_REGION or --region to the region of the account: singapore or mumbai")
	}
	return region, nil
}

// on returns the endpoint that flags name, and a rotation on its account.
func (o *paceFlags) on(a *app, acc accountFlags) (e endpoint, r rotation.Rotation, err error) {
	if e, err = a.endpoint(acc); err == nil {
		err = o.apply(a, e, &r)
	}
	return e, r, err
}

// endpointOf returns the endpoint of a run. Where flags or the environment name
// another account, the rotation refuses it.
func (a *app) endpointOf(run journal.Head, o accountFlags) (endpoint, error) {
	if run.Host == sandboxHost {
		return sandboxEndpoint, nil
	}
	o.sid = a.setting(o.sid, "EXOTEL_ACCOUNT_SID", run.Account)
	if o.region == "" {
		o.baseURL = a.setting(o.baseURL, "EXOTEL_BASE_URL", readSettings(run).BaseURL)
	}
	return a.endpoint(o)
}

// setting returns the first of a flag's value, a variable of the environment,
// and the defaults that is not empty.
func (a *app) setting(flag, variable string, defaults ...string) string {
	return cmp.Or(flag, a.getenv(variable), cmp.Or(defaults...))
}

// client returns a client for the endpoint, with the credentials of the
// environment. Connections are the requests under way at once; 0: as many as
// there are workers at most.
func (a *app) client(e endpoint, connections int) (*exotel.Client, error) {
	client, err := exotel.New(exotel.Config{
		BaseURL: e.baseURL, AccountSID: e.SID, Credentials: a.credentials,
		Connections: cmp.Or(connections, batch.MaxAutoWorkers), UserAgent: "siprotate/" + version(),
	})
	if err == nil {
		return client, nil
	}
	if told, ok := errors.AsType[*commandError](err); ok {
		return nil, told
	}
	return nil, usage(err, cmp.Or(adviceOf(err),
		"--base-url or EXOTEL_BASE_URL, --account-sid or EXOTEL_ACCOUNT_SID, EXOTEL_API_KEY and EXOTEL_API_TOKEN say where and who"))
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

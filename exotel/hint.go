package exotel

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
)

// Hint returns what a person can do about the error, in a sentence without a
// full stop; "" if there is nothing to say.
func (e *Error) Hint() string {
	if e.Answer.HTTPCode != 0 {
		return e.Answer.hint()
	}
	var (
		certificate *tls.CertificateVerificationError
		plain       tls.RecordHeaderError
		lookup      *net.DNSError
	)
	switch {
	case errors.As(e.err, &certificate):
		return "the far side's certificate is not valid for it: check the base URL, this machine's clock, and whether a proxy opens TLS connections"
	case errors.As(e.err, &plain):
		return "the far side does not speak TLS there: check the base URL"
	case errors.As(e.err, &lookup):
		return "check the base URL's host and this machine's name lookup"
	}
	return ""
}

func (a Answer) hint() string {
	switch {
	case a.saysCode("401"):
		return "check the API key, the API token and the account SID; the wrong region answers 401 too (" +
			"Singapore is " + Singapore.BaseURL() + ", Mumbai is " + Mumbai.BaseURL() + ")"
	case a.HTTPCode == http.StatusProxyAuthRequired:
		return "the proxy on the way wants credentials of its own"
	case a.ErrorCode == "1003", a.saysCode("403") && a.ErrorCode == "":
		return "the API key may lack the right to manage users, or this machine's address is not on the account's IP allow-list"
	case isRedirect(a.HTTPCode):
		return "check the base URL: redirects are not followed, since the credentials would go along"
	case a.HTTPCode == http.StatusOK && a.Code == "":
		return "something on the way may have answered in the API's place, such as a captive portal or a proxy"
	}
	return ""
}

// saysCode reports whether the HTTP status, or the inner code of a 200, is code.
func (a Answer) saysCode(code string) bool {
	if a.HTTPCode == http.StatusOK {
		return a.Code == code
	}
	return strconv.Itoa(a.HTTPCode) == code
}

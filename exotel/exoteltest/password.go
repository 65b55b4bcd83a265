package exoteltest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"
)

// password handles a password call with whatever fault it meets.
func (s *Server) password(c *call) answer {
	fault := c.chance.fault
	if fault != "" {
		s.stats.Faults[fault]++
	}
	var a answer
	if fault.setsPassword(c.chance.coin) {
		a = s.setPassword(c)
	}
	return s.withFault(a, fault, c)
}

// withFault turns the answer of a call without a fault into that of the fault.
func (s *Server) withFault(a answer, fault Fault, c *call) answer {
	switch fault {
	case ResetBefore, ResetAfter:
		return answer{delivery: reset}
	case HTTP500, HTTP500After:
		return c.refuse(errInternal)
	case HTTP502HTML:
		return page(http.StatusBadGateway, htmlBadGateway)
	case HTTP503:
		return exception(http.StatusServiceUnavailable, "Service unavailable", "SERVICE_UNAVAILABLE", faultRetryAfter)
	case Inner409:
		return c.refuseAs(http.StatusOK, errDuplicate)
	case HTML200:
		return page(http.StatusOK, htmlPortal)
	case Throttle429:
		return throttled(faultRetryAfter)
	case CutBody:
		a.delivery = cut
	case Slow:
		a.hold = s.opt.SlowBy
	}
	return a
}

// setPassword does what a password call asks for, if nothing speaks against it.
// Setting the password that is set already succeeds like any other.
func (s *Server) setPassword(c *call) answer {
	if objection := cmp.Or(s.objection(c), c.objection); objection != nil {
		return c.refuse(objection)
	}
	s.account.passwords[[2]string{c.user, c.device}] = c.password
	s.stats.Applied++
	return c.confirm(nil)
}

// objection returns what speaks against the device that a password call is for.
func (s *Server) objection(c *call) *refusal {
	if !c.json {
		return errContentType
	}
	u := s.account.byID[c.user]
	if u == nil {
		return errNoUser
	}
	d := u.device(c.device)
	switch {
	case d == nil:
		return errNotFound
	case !d.SIP():
		return errNotSIP
	}
	return nil
}

// readPassword returns the password that a body asks for, or what speaks against
// it. A map keeps encoding/json from taking another spelling of the name for it.
func (s *Server) readPassword(body []byte) (string, *refusal) {
	var fields map[string]any
	if len(body) > maxBody || !utf8.Valid(body) || json.Unmarshal(body, &fields) != nil || fields == nil {
		return "", errUnparsable
	}
	switch password := fields["password"].(type) {
	case string:
		if err := s.opt.Policy(password); err != nil {
			return "", invalidParameter(policyText(err))
		}
		return password, nil
	case nil:
		return "", errMissing
	}
	return "", invalidParameter("password must be a string")
}

// policyText begins with the parameter's name, as the vendor's texts do.
func policyText(err error) string {
	if strings.HasPrefix(err.Error(), "password") {
		return err.Error()
	}
	return "password: " + err.Error()
}

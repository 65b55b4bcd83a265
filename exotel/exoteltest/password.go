package exoteltest

import (
	"bytes"
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
	return s.spoil(a, fault, c)
}

// spoil turns the answer that a sound server would give into that of the fault.
func (s *Server) spoil(a answer, fault Fault, c *call) answer {
	switch fault {
	case ResetBefore, ResetAfter:
		return answer{delivery: reset}
	case HTTP500, HTTP500After:
		return c.refuse(&errInternal)
	case HTTP502HTML:
		return page(http.StatusBadGateway, htmlBadGateway)
	case HTTP503:
		return unavailable()
	case Inner409:
		return c.refuseAs(http.StatusOK, &errDuplicate)
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
	d, objection := s.target(c)
	if objection != nil {
		return c.refuse(objection)
	}
	if c.objection != nil {
		return c.refuse(c.objection)
	}
	d.password = c.password
	s.stats.Applied++
	return s.confirm(c, d)
}

// target finds the device that a password call is for.
func (s *Server) target(c *call) (*deviceRecord, *refusal) {
	if !c.json {
		return nil, &errContentType
	}
	u, d := s.store.find(c.user, c.device)
	switch {
	case u == nil:
		return nil, &errNoUser
	case d == nil:
		return nil, &errNotFound
	case d.is(isTel):
		return nil, &errNotSIP
	}
	return d, nil
}

func (s *Server) confirm(c *call, d *deviceRecord) answer {
	b := c.appendHead(make([]byte, 0, 256), http.StatusOK)
	b = append(b, `"response":`+successHead...)
	if s.opt.DeviceRecord {
		b = s.appendDevice(b, d)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, "}}"...)
	return answer{status: http.StatusOK, media: mediaJSON, body: b}
}

// readPassword returns the password that a body asks for, or what speaks against
// it.
func (s *Server) readPassword(body []byte) (string, *refusal) {
	password, objection := passwordIn(body)
	if objection != nil {
		return "", objection
	}
	if err := s.opt.Policy(password); err != nil {
		return "", invalidParameter(policyText(err))
	}
	return password, nil
}

// policyText begins with the parameter's name, as the vendor's texts do.
func policyText(err error) string {
	const parameter = "password"
	if strings.HasPrefix(err.Error(), parameter) {
		return err.Error()
	}
	return parameter + ": " + err.Error()
}

func passwordIn(body []byte) (string, *refusal) {
	if len(body) > maxBody || !utf8.Valid(body) {
		return "", &errUnparsable
	}
	if password, ok := plainPassword(body); ok {
		return password, nil
	}
	return parsePassword(body)
}

// plainPassword reads the body that nearly every client sends, without the cost
// of a JSON decoder. It reports false for all else, sound or not.
func plainPassword(body []byte) (string, bool) {
	rest, ok := bytes.CutPrefix(body, []byte(`{"password":"`))
	if !ok {
		return "", false
	}
	text, ok := bytes.CutSuffix(rest, []byte(`"}`))
	if !ok {
		return "", false
	}
	for _, b := range text {
		if b < ' ' || b == '"' || b == '\\' {
			return "", false
		}
	}
	return string(text), true
}

// parsePassword reads any body. The raw values keep encoding/json from taking
// another spelling of the name for it.
func parsePassword(body []byte) (string, *refusal) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return "", &errUnparsable
	}
	var password *string
	value, ok := fields["password"]
	if !ok {
		return "", &errMissing
	}
	if err := json.Unmarshal(value, &password); err != nil {
		return "", invalidParameter("password must be a string")
	}
	if password == nil {
		return "", &errMissing
	}
	return *password, nil
}

package exoteltest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is the largest request body that is looked at, in bytes.
const maxBody = 1 << 20

// A route is what a call is for.
type route uint8

const (
	noRoute       route = iota
	passwordRoute       // PUT /v2/accounts/<sid>/users/<user>/devices/<device>/password
	listRoute           // GET /v2/accounts/<sid>/users
	userRoute           // GET /v2/accounts/<sid>/users/<user>
)

// A call is a request as far as the API looks at it.
type call struct {
	route        route
	method       string
	user, device string // ids, unescaped
	query        url.Values
	json         bool     // the content type says so
	password     string   // what the body asks for
	objection    *refusal // to the body or the password; nil: none
	authorized   bool     // account, key and token are right
	chance       chance
}

// newCall reads a request. An error means that its body did not arrive whole, so
// that there is no call.
func (s *Server) newCall(r *http.Request) (*call, error) {
	c := &call{method: r.Method}
	sid := c.readPath(r)
	c.authorized = sid == s.opt.AccountSID && s.authentic(r)
	if c.route != passwordRoute {
		c.query = r.URL.Query()
		return c, nil
	}
	c.json = isJSON(r.Header.Get("Content-Type"))
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	c.password, c.objection = s.readPassword(body)
	return c, nil
}

func (s *Server) authentic(r *http.Request) bool {
	key, token, ok := r.BasicAuth()
	return ok && key == s.opt.Key && token == s.opt.Token
}

// readPath sets the call's route and ids, and returns the account's.
func (c *call) readPath(r *http.Request) (sid string) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v2/accounts/")
	if !ok {
		return ""
	}
	part := strings.Split(rest, "/")
	for i := range part {
		text, err := url.PathUnescape(part[i])
		if err != nil {
			return ""
		}
		part[i] = text
	}
	c.route = routeOf(r.Method, part)
	if c.route == userRoute || c.route == passwordRoute {
		c.user = part[2]
	}
	if c.route == passwordRoute {
		c.device = part[4]
	}
	return part[0]
}

// routeOf knows a path by its parts from the account's id on.
func routeOf(method string, part []string) route {
	if len(part) < 2 || part[1] != "users" {
		return noRoute
	}
	switch {
	case method == http.MethodGet && len(part) == 2:
		return listRoute
	case method == http.MethodGet && len(part) == 3:
		return userRoute
	case method == http.MethodPut && len(part) == 6 && part[3] == "devices" && part[5] == "password":
		return passwordRoute
	}
	return noRoute
}

func isJSON(contentType string) bool {
	if contentType == mediaJSON {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == mediaJSON
}

// readBody reads a body, or a little more than maxBody bytes of a larger one. A
// length that was announced is read into as many bytes.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
}

// offset returns where the list that is asked for begins; 0 if that makes no
// sense.
func (c *call) offset() int {
	n, err := number(c.query, "offset", 0)
	if err != nil {
		return 0
	}
	return n
}

var errNumber = errors.New("not a whole number")

// number returns a query parameter, or byDefault if it is not there.
func number(query url.Values, name string, byDefault int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errNumber
	}
	return n, nil
}

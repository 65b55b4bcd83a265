package exoteltest

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxBody is the largest request body that is looked at, in bytes.
const maxBody = 1 << 20

// A call is a request as far as the API looks at it.
type call struct {
	method       string
	route        string // listUsers, getUser, putPassword, or whatever else was asked for
	user, device string // ids, unescaped
	query        url.Values
	json         bool     // the content type says so
	password     string   // what the body asks for
	objection    *refusal // to the body or the password; nil: none
	authorized   bool     // account, key and token are right
	chance       chance
}

// The routes: method and path with the ids left out.
const (
	listUsers   = "GET /v2/accounts//users"
	getUser     = "GET /v2/accounts//users/"
	putPassword = "PUT /v2/accounts//users//devices//password"
)

// newCall reads a request. An error means that its body did not arrive whole, so
// that there is no call.
func (s *Server) newCall(r *http.Request) (*call, error) {
	c := &call{method: r.Method, query: r.URL.Query()}
	key, token, _ := r.BasicAuth()
	sid := c.readPath(r.URL)
	c.authorized = sid == s.opt.AccountSID && key == s.opt.Key && token == s.opt.Token
	if c.route != putPassword {
		return c, nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	c.json = err == nil && media == mediaJSON
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	c.password, c.objection = s.readPassword(body)
	return c, nil
}

// readPath sets the route and the ids, and returns that of the account.
func (c *call) readPath(u *url.URL) string {
	part := strings.Split(u.EscapedPath(), "/")
	id := func(i int) (id string) {
		if i < len(part) {
			id, _ = url.PathUnescape(part[i]) // what EscapedPath returns is escaped well
			part[i] = ""
		}
		return id
	}
	sid := id(3)
	c.user, c.device = id(5), id(7)
	c.route = c.method + " " + strings.Join(part, "/")
	return sid
}

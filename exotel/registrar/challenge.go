package registrar

import (
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// What is read of a server's challenges. Real ones are a few dozen bytes, and one
// for each of two or three algorithms.
const (
	maxChallenges = 8
	maxChallenge  = 2048
)

// strength ranks the algorithms that are known (RFC 7616, RFC 8760). An answer in
// a stronger one tells less to who listens.
var strength = map[string]int{"": 1, "MD5": 1, "SHA-256": 2, "SHA-512-256": 3}

// A challenge is what a server wants answered.
type challenge struct {
	digest.Challenge
	status int // 401 or 407
}

// readChallenge returns the strongest of the challenges that can be answered, nil
// if there is none. It is stale if any of them says so.
func readChallenge(res *sip.Response) *challenge {
	name := "WWW-Authenticate"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		name = "Proxy-Authenticate"
	}
	var best *challenge
	stale := false
	for i, h := range res.GetHeaders(name) {
		if i == maxChallenges {
			break
		}
		c := parseChallenge(h.Value())
		if c == nil {
			continue
		}
		stale = stale || c.Stale
		if best == nil || strength[c.Algorithm] > strength[best.Algorithm] {
			best = &challenge{*c, res.StatusCode}
		}
	}
	if best != nil {
		best.Stale = stale
	}
	return best
}

// parseChallenge returns a challenge that can be answered, or nil. What it lets
// through comes back in our answer, so it holds nothing that ends a header.
func parseChallenge(value string) *digest.Challenge {
	if len(value) > maxChallenge || strings.ContainsFunc(value, isUnprintable) {
		return nil
	}
	c, err := digest.ParseChallenge(value)
	if err != nil || c.Nonce == "" {
		return nil
	}
	c.Algorithm = strings.ToUpper(c.Algorithm)
	for i, qop := range c.QOP { // the library does not trim "auth, auth-int"
		c.QOP[i] = strings.ToLower(strings.TrimSpace(qop))
	}
	c.QOP = slices.DeleteFunc(c.QOP, func(qop string) bool { return qop == "" })
	if strength[c.Algorithm] == 0 || !digest.CanDigest(c) {
		return nil
	}
	return c
}

// sameParty reports whether two challenges come from the same server on the way.
func (c *challenge) sameParty(other *challenge) bool {
	return c.status == other.status && c.Realm == other.Realm
}

// answer returns the header that answers the challenge.
func (c *challenge) answer(req *sip.Request, sipID, password string) (sip.Header, error) {
	credentials, err := digest.Digest(&c.Challenge, digest.Options{
		Method: string(req.Method), URI: req.Recipient.String(), Username: sipID, Password: password,
	})
	if err != nil {
		return nil, err
	}
	name := "Authorization"
	if c.status == sip.StatusProxyAuthRequired {
		name = "Proxy-Authorization"
	}
	return sip.NewHeader(name, credentials.String()), nil
}

package exotel

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"unicode/utf8"
)

// SetPassword sets the SIP password of one device of one user:
//
//	PUT /v2/accounts/<account SID>/users/<user id>/devices/<device id>/password
//
// The device is the user's SIP device, and must exist. The password goes out
// byte for byte, and is checked for nothing but being valid UTF-8, without which
// JSON cannot carry it; see [CheckPassword] for the vendor's policy. Setting the
// same password again is not documented to fail.
//
// The password was set if the HTTP status is 200, the body's code is 200 and its
// status is "success": then the Answer is returned, and no error. An answer that
// contradicts itself, or may be that of another request, is neither a success nor
// a refusal, and so ambiguous. Anything but a success is an [*Error], which holds
// what answer there was, and a nil Answer. An id that cannot stand in a path is a
// wrapped [*IDError], and a password that cannot be sent a wrapped [*PolicyError];
// nothing was sent then.
//
// The context bounds the whole call; there is no other timeout.
func (c *Client) SetPassword(ctx context.Context, userID, deviceID, password string) (*Answer, error) {
	if err := checkSetPassword(userID, deviceID, password); err != nil {
		return nil, &Error{Op: opSetPassword, class: faulty, reason: err.Error(), err: err}
	}
	c.secrets.begin(password)
	defer c.secrets.end(password)
	put := call{opSetPassword, c.passwordRequest(userID, deviceID, password), maxChangeBody}
	r, err := c.do(ctx, put)
	if err != nil {
		return nil, err
	}
	if how, doubt := r.classify(); how != accepted {
		return nil, c.answered(put, r, how, doubt)
	}
	answer := r.answer // a copy, so that who keeps it does not keep the body
	answer.redact(c.secrets)
	return &answer, nil
}

func checkSetPassword(userID, deviceID, password string) error {
	if err := cmp.Or(checkID("user id", userID), checkID("device id", deviceID)); err != nil {
		return err
	}
	switch {
	case password == "":
		return &PolicyError{Faults: []string{"is empty"}}
	case !utf8.ValidString(password):
		return &PolicyError{Faults: []string{notUTF8}}
	}
	return nil
}

// passwordRequest shares no buffer with another request: the transport may still
// be sending one when its call has long returned.
func (c *Client) passwordRequest(userID, deviceID, password string) http.Request {
	body := passwordBody(password)
	return http.Request{
		Method:        http.MethodPut,
		URL:           c.endpoint.passwordURL(userID, deviceID),
		Header:        c.credentials().putHeader,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		// With it, the transport takes another connection where it finds an idle
		// one closed before the first byte.
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
}

// passwordBody returns the request's body. A string in valid UTF-8 always
// encodes, and a buffer takes every write.
func passwordBody(password string) []byte {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // < > & stay readable; no decoder needs more
	_ = encoder.Encode(struct {
		Password string `json:"password"`
	}{password})
	return bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}

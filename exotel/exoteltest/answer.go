package exoteltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"siprotate/exotel"
)

// A delivery is how an answer reaches the client.
type delivery uint8

const (
	whole delivery = iota
	cut            // its body breaks off in the middle
	reset          // not at all: the connection is reset
)

// An answer is what the server says to one call.
type answer struct {
	status   int // HTTP's
	media    string
	body     []byte
	delivery delivery
	hold     time.Duration // how long it is held back
	wait     time.Duration // for Retry-After, more than zero; 0: none

	// What the limiter said.
	remaining int
	reset     time.Time // zero: there is no limiter, or it was not asked
}

const (
	mediaJSON = "application/json"
	mediaHTML = "text/html"
)

const (
	htmlBadGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
		"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
	htmlPortal = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head>" +
		"<body><p>Sign in to use this network.</p></body></html>\n"
)

// The bodies, field by field as the vendor's pages and captures show them.
type (
	envelope struct {
		RequestID string    `json:"request_id"`
		Method    string    `json:"method"`
		HTTPCode  int       `json:"http_code"`
		Metadata  *metadata `json:"metadata,omitempty"`
		Response  any       `json:"response"` // an outcome, or a list of them
	}
	metadata struct {
		Total  int `json:"total"`
		Count  int `json:"count"`
		Offset int `json:"offset"`
		Limit  int `json:"limit"`
	}
	outcome struct {
		Code      int      `json:"code"`
		ErrorData *refusal `json:"error_data"`
		Status    string   `json:"status"`
		Data      any      `json:"data"`
	}
	userData struct {
		ID            string       `json:"id"`
		FirstName     string       `json:"first_name"`
		LastName      string       `json:"last_name"`
		Email         string       `json:"email,omitempty"`
		EmailVerified bool         `json:"email_verified,omitempty"`
		Role          string       `json:"role"`
		Devices       []deviceData `json:"devices,omitzero"` // nil unless asked for
	}
	deviceData struct {
		ID         any    `json:"id"` // a number or a string
		Name       string `json:"name"`
		ContactURI string `json:"contact_uri,omitempty"`
		Type       string `json:"type"`
		Available  bool   `json:"available"`
		Verified   bool   `json:"verified"`
		Status     string `json:"status"`
	}
)

// A refusal is an error of the vendor's own kind.
type refusal struct {
	status      int    // HTTP's, and that inside the body
	Code        int    `json:"code"`
	Message     string `json:"message"`
	Description string `json:"description"`
}

// The refusals, as the vendor's table of error codes has them.
var (
	errNotFound     = &refusal{http.StatusNotFound, 1000, "Not found", "Not found"}
	errMissing      = &refusal{http.StatusBadRequest, 1001, "Mandatory parameter missing", "password is mandatory"}
	errUnparsable   = &refusal{http.StatusBadRequest, 1007, "Invalid request body", "Request body could not be parsed"}
	errDuplicate    = &refusal{http.StatusConflict, 1008, "Duplicate resource", "Duplicate resource"}
	errUnauthorized = &refusal{http.StatusUnauthorized, 1010, "Authorization failed", "Authorization failed"}
	errContentType  = &refusal{http.StatusUnsupportedMediaType, 1011, "Unsupported content type", "Content-Type must be application/json"}
	errInternal     = &refusal{http.StatusInternalServerError, 1100, "Internal error", "Internal server error"}
	errNoUser       = &refusal{http.StatusNotFound, 10801, "User not found", "User not found"}
	errNotSIP       = &refusal{http.StatusForbidden, 10817, "Device cannot be updated", "Device is not a SIP device"}
)

func invalidParameter(description string) *refusal {
	return &refusal{http.StatusBadRequest, 1002, "Invalid parameter", description}
}

// refuse answers with the vendor's usual error body.
func (c *call) refuse(r *refusal) answer { return c.refuseAs(r.status, r) }

// refuseAs does so with an HTTP status that is not the refusal's.
func (c *call) refuseAs(httpStatus int, r *refusal) answer {
	return c.reply(httpStatus, nil, outcome{r.status, r, "failure", nil})
}

// confirm answers with a success.
func (c *call) confirm(data any) answer { return c.reply(http.StatusOK, nil, success(data)) }

func success(data any) outcome { return outcome{http.StatusOK, nil, "success", data} }

func (c *call) reply(httpStatus int, m *metadata, response any) answer {
	id := fmt.Sprintf("%016x%016x", c.chance.id[0], c.chance.id[1])
	return jsonAnswer(httpStatus, envelope{id, c.method, httpStatus, m, response})
}

func jsonAnswer(status int, body any) answer {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // every body here has a JSON form
	}
	return answer{status: status, media: mediaJSON, body: text}
}

// exception answers with the vendor's other error body, that of its gateway.
func exception(status int, message, code string, wait time.Duration) answer {
	type restException struct {
		Status        int
		Message, Code string
	}
	a := jsonAnswer(status, map[string]restException{"RestException": {status, message, code}})
	a.wait = wait
	return a
}

func throttled(wait time.Duration) answer {
	message := fmt.Sprintf("Rate limit exceeded. Try again in %d seconds.", wholeSeconds(wait))
	return exception(http.StatusTooManyRequests, message, "RATE_LIMIT_EXCEEDED", wait)
}

func page(status int, html string) answer {
	return answer{status: status, media: mediaHTML, body: []byte(html)}
}

// wholeSeconds rounds up, so that waiting as long as asked is long enough.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (s *Server) userData(u *user, devices bool) userData {
	data := userData{
		ID: u.ID, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, EmailVerified: u.Email != "", Role: u.Role,
	}
	if devices {
		data.Devices = make([]deviceData, len(u.Devices))
		for i, d := range u.Devices {
			data.Devices[i] = s.deviceData(d)
		}
	}
	return data
}

func (s *Server) deviceData(d exotel.Device) deviceData {
	data := deviceData{d.ID, d.Name, d.ContactURI, d.Type, d.Available, d.Verified, d.Status}
	n, err := strconv.ParseUint(d.ID, 10, 64)
	if err == nil && strconv.FormatUint(n, 10) == d.ID && !s.opt.TextIDs {
		data.ID = n
	}
	return data
}

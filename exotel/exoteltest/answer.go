package exoteltest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// A delivery is how an answer reaches the client.
type delivery uint8

const (
	whole delivery = iota
	cut            // its body breaks off in the middle
	reset          // not at all: the connection is reset
)

// An answer is what the account says to one call.
type answer struct {
	status   int // HTTP's
	media    string
	body     []byte
	delivery delivery
	hold     time.Duration // how long it is held back
	verdict  verdict
	wait     time.Duration // for Retry-After, more than zero; 0: none
}

// A verdict is what the limiter said of a call.
type verdict struct {
	limited   bool // there is a limiter, and it was asked
	ok        bool
	remaining int
	reset     time.Time
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

// A refusal is an error of the vendor's own kind.
type refusal struct {
	status      int // HTTP's, and that inside the body
	code        int
	message     string
	description string
}

// The refusals, as the vendor's table of error codes has them.
var (
	errNotFound     = refusal{http.StatusNotFound, 1000, "Not found", "Not found"}
	errMissing      = refusal{http.StatusBadRequest, 1001, "Mandatory parameter missing", "password is mandatory"}
	errUnparsable   = refusal{http.StatusBadRequest, 1007, "Invalid request body", "Request body could not be parsed"}
	errDuplicate    = refusal{http.StatusConflict, 1008, "Duplicate resource", "Duplicate resource"}
	errUnauthorized = refusal{http.StatusUnauthorized, 1010, "Authorization failed", "Authorization failed"}
	errContentType  = refusal{http.StatusUnsupportedMediaType, 1011, "Unsupported content type", "Content-Type must be application/json"}
	errInternal     = refusal{http.StatusInternalServerError, 1100, "Internal error", "Internal server error"}
	errNoUser       = refusal{http.StatusNotFound, 10801, "User not found", "User not found"}
	errNotSIP       = refusal{http.StatusForbidden, 10817, "Device cannot be updated", "Device is not a SIP device"}
)

func invalidParameter(description string) *refusal {
	return &refusal{http.StatusBadRequest, 1002, "Invalid parameter", description}
}

// refuse answers with the vendor's usual error body.
func (c *call) refuse(r *refusal) answer { return c.refuseAs(r.status, r) }

// refuseAs does so with an HTTP status that is not the refusal's.
func (c *call) refuseAs(httpStatus int, r *refusal) answer {
	b := c.appendHead(make([]byte, 0, 320), httpStatus)
	b = append(b, `"response":{"code":`...)
	b = strconv.AppendInt(b, int64(r.status), 10)
	b = append(b, `,"error_data":{"code":`...)
	b = strconv.AppendInt(b, int64(r.code), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, r.message)
	b = append(b, `,"description":`...)
	b = appendString(b, r.description)
	b = append(b, `},"status":"failure","data":null}}`...)
	return answer{status: httpStatus, media: mediaJSON, body: b}
}

// appendHead appends the fields that every usual body begins with.
func (c *call) appendHead(b []byte, httpStatus int) []byte {
	b = append(b, `{"request_id":"`...)
	b = appendHex(appendHex(b, c.chance.id[0]), c.chance.id[1])
	b = append(b, `","method":`...)
	b = appendString(b, c.method)
	b = append(b, `,"http_code":`...)
	b = strconv.AppendInt(b, int64(httpStatus), 10)
	return append(b, ',')
}

const successHead = `{"code":200,"error_data":null,"status":"success","data":`

// exception answers with the vendor's other error body, that of its gateway.
func exception(status int, message, code string, wait time.Duration) answer {
	b := append(make([]byte, 0, 160), `{"RestException":{"Status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"Message":`...)
	b = appendString(b, message)
	b = append(b, `,"Code":`...)
	b = appendString(b, code)
	b = append(b, `}}`...)
	return answer{status: status, media: mediaJSON, body: b, wait: wait}
}

func throttled(wait time.Duration) answer {
	message := "Rate limit exceeded. Try again in " + strconv.FormatInt(wholeSeconds(wait), 10) + " seconds."
	return exception(http.StatusTooManyRequests, message, "RATE_LIMIT_EXCEEDED", wait)
}

func unavailable() answer {
	return exception(http.StatusServiceUnavailable, "Service unavailable", "SERVICE_UNAVAILABLE", faultRetryAfter)
}

func page(status int, html string) answer {
	return answer{status: status, media: mediaHTML, body: []byte(html)}
}

// wholeSeconds rounds up, so that waiting as long as told is long enough.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func appendHex(b []byte, x uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[x>>shift&15])
	}
	return b
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			return appendEscaped(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendEscaped(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return append(b, text...)
}

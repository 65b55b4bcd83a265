package exotel

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What an error says of itself, as the first letters of its methods: retryable,
// ambiguous, fatal, throttled, password refused.
func behaviour(e *Error) string {
	var s strings.Builder
	for _, b := range []struct {
		is   bool
		name string
	}{{e.Retryable(), "R"}, {e.Ambiguous(), "A"}, {e.Fatal(), "F"}, {e.Throttled(), "T"}, {e.RefusesPassword(), "P"}} {
		if b.is {
			s.WriteString(b.name)
		}
	}
	return s.String()
}

func failure(code, errorData string) string {
	return fmt.Sprintf(`{"request_id":"r1","method":"PUT","http_code":%s,"response":{"code":%s,"error_data":%s,"status":"failure","data":null}}`, code, code, errorData)
}

// inner is a failure within an HTTP 200.
func inner(code, errorData string) string {
	return strings.Replace(failure(code, errorData), `"http_code":`+code, `"http_code":200`, 1)
}

func response200(fields string) string { return `{"request_id":"r1","response":{` + fields + `}}` }

func TestSetPasswordAnswers(t *testing.T) {
	const ok = "ok"
	tests := []struct {
		name   string
		status int
		body   string
		want   string // ok, or the behaviour
	}{
		{"success", 200, accepting, ok},
		{"success with a record", 200, response200(`"code":200,"status":"success","data":{"id":490039}`), ok},
		{"success with a code in quotes", 200, response200(`"code":"200","status":"success"`), ok},
		{"success with empty error data", 200, response200(`"code":200,"status":"success","error_data":[]`), ok},
		{"success within spaces", 200, "\r\n " + accepting + "\n", ok},

		{"inner 409", 200, inner("409", `{"code":1008,"message":"Duplicate resource"}`), ""},
		{"inner 404", 200, inner("404", "null"), ""},
		{"inner 400 about the password", 200, inner("400", `{"code":1002,"message":"Invalid parameter"}`), "P"},
		{"inner 401", 200, inner("401", "null"), "F"},
		{"inner 408", 200, inner("408", "null"), "RA"},
		{"inner 425", 200, inner("425", "null"), "R"},
		{"inner 429", 200, inner("429", "null"), "RT"},
		{"inner 500", 200, inner("500", "null"), "RA"},
		{"inner 302", 200, inner("302", "null"), "RA"},
		{"inner 202", 200, inner("202", "null"), "RA"},
		{"inner 429 as an exception", 200, `{"RestException":{"Status":429,"Message":"Slow down","Code":"RATE_LIMIT_EXCEEDED"}}`, "RT"},
		{"inner code that is no status", 200, inner("1008", "null"), "RA"},
		{"inner code that is no number", 200, inner(`"bad"`, "null"), "RA"},
		{"inner code with a fraction", 200, response200(`"code":200.0,"status":"success"`), "RA"},

		{"empty", 200, "", "RA"},
		{"HTML", 200, "<html>Please log in</html>", "RA"},
		{"cut JSON", 200, accepting[:80], "RA"},
		{"more than JSON", 200, accepting + "x", "RA"},
		{"null", 200, "null", "RA"},
		{"array", 200, "[" + accepting + "]", "RA"},
		{"empty object", 200, "{}", "RA"},
		{"response null", 200, `{"response":null}`, "RA"},
		{"response array", 200, `{"response":[{"code":200,"status":"success"}]}`, "RA"},
		{"no code", 200, response200(`"status":"success"`), "RA"},
		{"no status", 200, response200(`"code":200`), "RA"},
		{"refusal without a status", 200, response200(`"code":409`), "RA"},
		{"code 200 but failure", 200, response200(`"code":200,"status":"failure"`), "RA"},
		{"code 409 but success", 200, response200(`"code":409,"status":"success"`), "RA"},
		{"success in capitals", 200, response200(`"code":200,"status":"SUCCESS"`), "RA"},
		{"success and an exception", 200, `{"RestException":{"Status":429},"response":{"code":200,"status":"success"}}`, "RA"},
		{"success in an exception", 200, `{"RestException":{"Status":200,"Message":"success"}}`, "RA"},

		{"201", 201, accepting, "RA"},
		{"202", 202, accepting, "RA"},
		{"204", 204, "", "RA"},
		{"206", 206, accepting, "RA"},
		{"301", 301, "", "RA"},
		{"302", 302, accepting, "RA"},
		{"307", 307, "", "RA"},
		{"304", 304, "", "RA"},
		{"400", 400, failure("400", `{"code":1001,"message":"Mandatory parameter missing"}`), ""},
		{"400 about the password by code", 400, failure("400", `{"code":"1002","message":"Invalid parameter"}`), "P"},
		{"400 about the password by message", 400, failure("400", `{"code":7,"message":"PassWord too weak"}`), "P"},
		{"422 about the password by description", 422, failure("422", `{"code":7,"message":"no","description":"the password was used before"}`), "P"},
		{"422", 422, "", ""},
		{"400 as HTML", 400, "<html>password</html>", ""},
		{"401", 401, failure("401", `{"code":1010,"message":"Authorization failed","description":"Authorization failed"}`), "F"},
		{"401 without a body", 401, "", "F"},
		{"403", 403, failure("403", `{"code":1003,"message":"password rights missing"}`), ""},
		{"404", 404, failure("404", `{"code":10801,"message":"User not found"}`), ""},
		{"404 as plain text", 404, "404 page not found\n", ""},
		{"404 without a status", 404, response200(`"code":404`), ""},
		{"404 with other JSON", 404, `{"message":"no route"}`, ""},
		{"404 with null", 404, "null", ""},
		{"405", 405, "", ""},
		{"407", 407, "", "F"},
		{"408", 408, "", "RA"},
		{"409", 409, failure("409", "null"), ""},
		{"415", 415, "", ""},
		{"425", 425, "", "R"},
		{"429", 429, `{"RestException":{"Status":429,"Message":"Slow down","Code":"RATE_LIMIT_EXCEEDED"}}`, "RT"},
		{"429 without a body", 429, "", "RT"},
		{"451", 451, "", ""},
		{"500", 500, failure("500", `{"code":1004,"message":"Internal error"}`), "RA"},
		{"500 with a success", 500, accepting, "RA"},
		{"500 with an inner 404", 500, failure("404", "null"), "RA"},
		{"502", 502, "<html>Bad gateway</html>", "RA"},
		{"503", 503, "", "RA"},
		{"504", 504, "", "RA"},
		{"599", 599, "", "RA"},
		{"600", 600, "", "RA"},
		{"999", 999, "", "RA"},

		// What contradicts itself proves nothing, neither a success nor a refusal.
		{"499 with a success", 499, accepting, "RA"},
		{"460 with a success", 460, accepting, "RA"},
		{"400 with a success", 400, accepting, "RA"},
		{"401 with a success", 401, accepting, "RA"},
		{"407 with a success", 407, accepting, "RA"},
		{"425 with a success", 425, accepting, "RA"},
		{"429 with a success", 429, accepting, "RA"},
		{"404 with a success", 404, strings.Replace(accepting, `"http_code":200,`, "", 1), "RA"},
		{"404 with a success in a list", 404, `{"response":[{"code":200,"status":"success"}]}`, "RA"},
		{"404 with a success beside an exception", 404, `{"RestException":{"Status":404},"response":{"code":200,"status":"success"}}`, "RA"},
		{"404 with an inner 500", 404, failure("500", "null"), "RA"},
		{"404 with an inner 409", 404, failure("409", "null"), "RA"},
		{"404 with its own code and success", 404, response200(`"code":404,"status":"success"`), "RA"},
		{"404 with its own code and SUCCESS", 404, response200(`"code":404,"status":"SUCCESS"`), "RA"},
		{"404 with another http_code", 404, strings.Replace(failure("404", "null"), `"http_code":404`, `"http_code":200`, 1), "RA"},
		{"404 with another exception", 404, `{"RestException":{"Status":429}}`, "RA"},
		{"404 with two codes", 404, `{"response":{"code":200,"code":404,"status":"failure"}}`, "RA"},
		{"404 with a code in another case", 404, `{"response":{"Code":200,"status":"failure"}}`, "RA"},
		{"404 with a response in another case", 404, `{"Response":{"code":200,"status":"success"}}`, "RA"},
		{"404 with an exception in another case", 404, `{"restexception":{"Status":500}}`, "RA"},
		{"404 with a broken success", 404, accepting + "x", "RA"},
		{"404 with a cut success", 404, accepting[:100], "RA"},
		{"404 with a failure and a success", 404, failure("404", "null") + accepting, "RA"},
		{"400 with a success behind a mark", 400, "\ufeff" + accepting, "RA"},
		{"400 with a cut success behind a mark", 400, "\ufeff" + accepting[:20], "RA"},
		{"400 with a success behind a prefix", 400, ")]}',\n" + accepting, "RA"},
		{"400 with a success in a call", 400, "cb(" + accepting + ")", "RA"},
		{"400 with a success in an array", 400, "[" + accepting + "]", "RA"},
		{"400 with a success in data", 400, `{"request_id":"x","data":` + accepting + `}`, "RA"},
		{"400 with a success in UTF-16", 400, "\xff\xfe" + strings.Join(strings.Split(accepting, ""), "\x00") + "\x00", "RA"},
		{"400 with a success in text", 400, strconv.Quote(accepting), "RA"},
		{"400 with an escaped success", 400, `{"data":{"status":"\u0073uccess"}}`, "RA"},
		{"400 with a success in a failure", 400, strings.Replace(failure("400", "null"), `"data":null`, `"data":{"status":"success"}`, 1), "RA"},
		{"400 with a success beside a failure", 400, strings.Replace(failure("400", "null"), `{"request_id"`, `{"data":{"status":"success"},"request_id"`, 1), "RA"},
		{"400 with a success in an exception", 400, `{"RestException":{"Status":400,"data":{"status":"success"}}}`, "RA"},
		{"400 with a success in XML", 400, "<r><status>Success</status></r>", "RA"},
		{"404 with a flat success", 404, `{"status":"success","code":200}`, "RA"},
		{"404 with a flat code", 404, `{"status":"ok","code": "200"}`, "RA"},
		{"404 with a code in XML", 404, "<status>200</status>", "RA"},
		{"404 with other numbers", 404, `{"code":2004,"status":404,"total":200}`, ""},
		{"400 that speaks of success", 400, failure("400", `{"message":"unsuccessful: code 200"}`), ""},
		{"429 that speaks of success", 429, `{"RestException":{"Status":429,"Message":"no success yet"}}`, "RT"},
		{"success beside a failure", 200, `{"status":"failure","error_data":{"code":1002},"response":{"code":200,"status":"success"}}`, "RA"},
		{"success beside a status of failure", 200, `{"status":"Failure","response":{"code":200,"status":"success"}}`, "RA"},
		{"success beside error data", 200, `{"error_data":{"code":1002},"response":{"code":200,"status":"success"}}`, "RA"},
		{"success beside another code", 200, `{"code":409,"response":{"code":200,"status":"success"}}`, "RA"},
		{"success beside a failure in data", 200, `{"data":[{"Status":"failure"}],"response":{"code":200,"status":"success"}}`, "RA"},
		{"success with a failure in data", 200, response200(`"code":200,"status":"success","data":{"status":"failure","error_data":{"code":1002}}`), "RA"},
		{"success with error data in data", 200, response200(`"code":200,"status":"success","data":{"error_data":{"code":1002}}`), "RA"},
		{"success with another code in data", 200, response200(`"code":200,"status":"success","data":{"code":409}`), "RA"},
		{"success with the same beside it", 200, `{"status":"success","code":200,"error_data":null,"response":{"code":200,"status":"success"}}`, ok},
		{"success with a record's own code", 200, response200(`"code":200,"status":"success","data":{"id":490039,"code":7,"status":"free"}`), ok},
		{"inner failure with more of it", 200, response200(`"code":409,"status":"failure","data":{"status":"failure"}`), ""},
		{"inner failure beside a success", 200, `{"status":"success","response":{"code":409,"status":"failure"}}`, "RA"},
		{"inner failure with a success in data", 200, response200(`"code":409,"status":"failure","data":{"status":"success"}`), "RA"},
		{"success with another http_code", 200, strings.Replace(accepting, `"http_code":200`, `"http_code":500`, 1), "RA"},
		{"success with error data", 200, response200(`"code":200,"status":"success","error_data":{"code":1008}`), "RA"},
		{"success with error data in text", 200, response200(`"code":200,"status":"success","error_data":"refused"`), "RA"},
		{"success with two codes", 200, response200(`"code":409,"code":200,"status":"success"`), "RA"},
		{"success with the same code twice", 200, response200(`"code":200,"code":200,"status":"success"`), "RA"},
		{"success with an escaped key", 200, response200(`"code":409,"\u0063ode":200,"status":"success"`), "RA"},
		{"success with a second response", 200, `{"response":{"code":409,"status":"failure"},"response":{"code":200,"status":"success"}}`, "RA"},
		{"success with another case besides", 200, response200(`"code":200,"Code":409,"status":"success"`), "RA"},
		{"success with keys in another case", 200, response200(`"Code":200,"Status":"success"`), "RA"},
		{"success with an http_code in another case", 200, `{"HTTP_CODE":409,"response":{"code":200,"status":"success"}}`, "RA"},
		{"success with a record of two equal keys", 200, response200(`"code":200,"status":"success","data":{"a":{"id":1,"id":2}}`), "RA"},
		{"success with colons and quotes in texts", 200, response200(`"code":200,"status":"success","data":{"a\":b\\":"c:\"d\":","e":[":"]}`), ok},
		{"inner failure with another http_code", 200, failure("409", "null"), "RA"},
		{"inner failure with two codes", 200, response200(`"code":200,"code":409,"status":"failure"`), "RA"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			requests := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			answer, err := c.SetPassword(t.Context(), "u", "1", testPassword)
			if requests != 1 {
				t.Errorf("%d requests, want 1", requests)
			}
			if test.want == ok {
				if err != nil || answer.Code != "200" || answer.Status != "success" {
					t.Errorf("answer %+v and error %v, want a success", answer, err)
				}
				return
			}
			e := fails(t, err)
			if answer != nil {
				t.Errorf("an answer %+v beside the error", answer)
			}
			if got := behaviour(e); got != test.want {
				t.Errorf("%v: behaves as %q, want %q", err, got, test.want)
			}
			if e.Answer.HTTPCode != test.status || e.Answer.RateLimit.RetryAfter != 7*time.Second {
				t.Errorf("answer %+v, want status %d and the headers", e.Answer, test.status)
			}
			if given := e.Reason() != ""; given != e.Ambiguous() {
				t.Errorf("reason %q, want one only without a verdict", e.Reason())
			}
		})
	}
}

func TestErrorWords(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		body       string
		text, hint string // the whole text; a part of the hint, "" for none
		answer     Answer
	}{
		{
			name: "failure", status: 404, body: failure("404", `{"code":10801,"message":"User not found","description":"no such user"}`),
			text: "set password: HTTP 404, User not found, no such user (error 10801)",
			answer: Answer{
				HTTPCode: 404, Code: "404", Status: "failure", RequestID: "r1",
				ErrorCode: "10801", ErrorMessage: "User not found", ErrorDescription: "no such user",
			},
		},
		{
			name: "exception", status: 429, body: `{"RestException":{"Status":429,"Message":"Slow down","Code":"RATE_LIMIT_EXCEEDED"}}`,
			text:   "set password: HTTP 429, Slow down (error RATE_LIMIT_EXCEEDED)",
			answer: Answer{HTTPCode: 429, Code: "429", ErrorCode: "RATE_LIMIT_EXCEEDED", ErrorMessage: "Slow down"},
		},
		{
			name: "wrong region", status: 401, body: failure("401", `{"code":1010,"message":"Authorization failed","description":"Authorization failed"}`),
			text: "set password: HTTP 401, Authorization failed (error 1010)", hint: "wrong region",
			answer: Answer{
				HTTPCode: 401, Code: "401", Status: "failure", RequestID: "r1",
				ErrorCode: "1010", ErrorMessage: "Authorization failed", ErrorDescription: "Authorization failed",
			},
		},
		{
			name: "inner refusal of the credentials", status: 200, body: inner("401", "null"),
			text: "set password: HTTP 200, inner code 401", hint: "wrong region",
			answer: Answer{HTTPCode: 200, Code: "401", Status: "failure", RequestID: "r1"},
		},
		{
			name: "no right", status: 403, body: failure("403", `{"code":1003}`),
			text: "set password: HTTP 403 (error 1003)", hint: "allow-list",
			answer: Answer{HTTPCode: 403, Code: "403", Status: "failure", RequestID: "r1", ErrorCode: "1003"},
		},
		{
			name: "a 403 of a kind of its own", status: 403, body: failure("403", `{"code":10815}`),
			text:   "set password: HTTP 403 (error 10815)",
			answer: Answer{HTTPCode: 403, Code: "403", Status: "failure", RequestID: "r1", ErrorCode: "10815"},
		},
		{
			name: "proxy", status: 407,
			text: "set password: HTTP 407", hint: "proxy", answer: Answer{HTTPCode: 407},
		},
		{
			name: "redirect", status: 302,
			text: "set password: no verdict: the answer redirects elsewhere: HTTP 302", hint: "base URL",
			answer: Answer{HTTPCode: 302},
		},
		{
			name: "captive portal", status: 200, body: "<html>",
			text: "set password: no verdict: the answer is not the API's JSON: HTTP 200", hint: "captive portal",
			answer: Answer{HTTPCode: 200},
		},
		{
			name: "bad gateway", status: 502, body: "<html>",
			text:   "set password: no verdict: the answer's status is 502: HTTP 502",
			answer: Answer{HTTPCode: 502},
		},
		{
			name: "contradiction", status: 200, body: inner("200", "null"),
			text:   "set password: no verdict: the answer contradicts itself: HTTP 200",
			answer: Answer{HTTPCode: 200, Code: "200", Status: "failure", RequestID: "r1"},
		},
		{
			name: "inner error", status: 200, body: inner("500", "null"),
			text:   "set password: no verdict: the answer's inner status is 500: HTTP 200, inner code 500",
			answer: Answer{HTTPCode: 200, Code: "500", Status: "failure", RequestID: "r1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			_, err := c.SetPassword(t.Context(), "u", "1", testPassword)
			e := fails(t, err)
			if e.Error() != test.text {
				t.Errorf("text %q, want %q", e, test.text)
			}
			if !strings.Contains(e.Hint(), test.hint) || (e.Hint() == "") != (test.hint == "") {
				t.Errorf("hint %q, want %q", e.Hint(), test.hint)
			}
			if diff := cmp.Diff(test.answer, e.Answer); diff != "" {
				t.Errorf("answer: -want +got:\n%s", diff)
			}
		})
	}
}

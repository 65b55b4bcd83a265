package exotel

import "bytes"

// The body of a success as the vendor documents it, around the request id. A
// mass rotation reads hardly anything else.
const (
	plainSuccessHead = `{"request_id":"`
	plainSuccessTail = `","method":"PUT","http_code":200,"response":{"code":200,"error_data":null,"status":"success","data":null}}`
)

// readPlainSuccess fills the answer as readAnyBody does, at a hundredth of the
// cost, if the body is the documented success to the byte. It leaves every other
// body alone, a success in another spelling too, and returns false.
func (a *Answer) readPlainSuccess(body []byte) bool {
	rest, hasHead := bytes.CutPrefix(body, []byte(plainSuccessHead))
	id, hasTail := bytes.CutSuffix(rest, []byte(plainSuccessTail))
	if !hasHead || !hasTail || !plain(id) {
		return false
	}
	a.RequestID, a.Code, a.Status = string(id), "200", success
	return true
}

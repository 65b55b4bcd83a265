package report

import (
	"strings"

	"siprotate/batch"
)

// An Advice says in plain words what a reason means and what to do about it.
type Advice struct{ Meaning, Action string }

// What the API's own codes mean. Source: the vendor's list of error codes. None
// is documented for the password call itself, so an unknown one falls back on
// the HTTP status, and that on the outcome.
var adviceByCode = map[string]Advice{
	"1000":  {"The API knows no such user or device.", "Compare the ids with the account's listing. Whoever left needs no new password: take the row out."},
	"1001":  {"The API missed a value in the request.", "Report this as an error of the program, with a request id from the rows."},
	"1002":  {"The API refused a value in the request, most likely the password.", "Read the API's words, give the rows other passwords, and rotate them in a new run."},
	"1003":  {"The API key may not change this.", "Give the key the right to manage users, or put this machine's address on the account's IP allow-list. Then resume the run, failed rows included."},
	"1004":  {"The API failed on its own side.", "Resume the run later, failed rows included. If it stays so, give the vendor a request id from the rows."},
	"1007":  {"The API could not read the request.", "Check whether a proxy changes requests on their way. If none does, report this as an error of the program."},
	"1008":  {"The API says that this exists already.", "Look the device up in the dashboard, and try the rows again."},
	"1010":  {"The API refused the credentials. The wrong region answers like this too.", "Check the API key, the API token, the account and the region. Then resume the run."},
	"1011":  {"The API did not accept the kind of content that was sent.", "Check whether a proxy changes requests on their way."},
	"10801": {"The account has no such user.", "Compare the ids with the account's listing. Whoever left needs no new password: take the row out."},
	"10809": {"The device is not verified.", "Verify the device in the dashboard. Then resume the run, failed rows included."},
	"10811": {"The API says that the device exists already.", "Look the device up in the dashboard, and try the rows again."},
	"10814": {"The account's identity check (KYC) is not complete.", "Complete it in the dashboard. Then resume the run, failed rows included."},
	"10815": {"A trial account may not do this.", "Ask the vendor to lift the limit. Then resume the run, failed rows included."},
	"10817": {"The API does not let this kind of device be changed.", "Check that the row names the user's SIP device, and not a phone number."},
	"1100":  {"The API failed on its own side.", "Resume the run later, failed rows included. If it stays so, give the vendor a request id from the rows."},
}

var adviceByStatus = map[string]Advice{
	"400": {"The API refused the request as it was, most likely the password.", "Read the API's words, give the rows other passwords, and rotate them in a new run."},
	"401": adviceByCode["1010"],
	"403": adviceByCode["1003"],
	"404": adviceByCode["1000"],
	"407": {"The proxy on the way wants credentials of its own.", "Put them into HTTPS_PROXY. Then resume the run."},
	"409": {"The API says that the request conflicts with how things stand.", "Look the devices up in the dashboard, and try the rows again."},
	"415": adviceByCode["1011"],
	"422": {"The API refused a value in the request, most likely the password.", "Read the API's words, give the rows other passwords, and rotate them in a new run."},
	"429": {"The allowance was used up: others may draw on it too.", "Resume the run: it sends these rows within the allowance."},
}

var adviceByOutcome = map[batch.Outcome]Advice{
	batch.Failed:       {"The API refused the row: its old password stands.", "Read the API's words, put right what they name, and resume the run, failed rows included."},
	batch.Unknown:      {"A request was sent and no verdict came: the old or the new password is in force.", "Resume the run: it sends the same passwords again until the API confirms them."},
	batch.Invalid:      {"The row cannot be used as it stands in the input. It was not sent.", "Correct these lines of the input, and rotate them in a new run."},
	batch.NotAttempted: {"These rows were not sent, or turned away before the API looked at them: their old passwords stand.", "Resume the run: it sends them."},
}

// Advice returns what the group's reason means and what to do about it.
func (g Group) Advice() Advice {
	if g.Rest {
		return Advice{"Many different reasons.", "See the rows themselves."}
	}
	if g.Outcome == batch.Unknown || g.Outcome == batch.Invalid {
		return adviceByOutcome[g.Outcome]
	}
	status, code, _ := strings.Cut(g.Code, " ")
	for _, known := range []Advice{adviceByCode[code], adviceByStatus[code], adviceByStatus[status]} {
		if known != (Advice{}) {
			return known
		}
	}
	if strings.HasPrefix(status, "5") {
		return adviceByCode["1004"]
	}
	return adviceByOutcome[g.Outcome]
}

package batch

import (
	"fmt"
	"slices"
	"time"

	"siprotate/batch/pace"
)

// A PasswordSource says where a row's password comes from.
type PasswordSource string

const (
	Provided  PasswordSource = "provided"  // by the input
	Generated PasswordSource = "generated" // by this program
)

// A Row is one row of the input: a device, and the password it shall get.
type Row struct {
	Number         int    // the data row, counted from 1
	Line           int    // the line of the input at which the row starts, from 1
	UserID         string // the user's id in the API
	DeviceID       string // the device's id in the API, unique within the user
	SIPID          string // as the input or the account has it; may be empty
	Email          string // as the input or the account has it; may be empty
	Password       Secret // empty where it is sealed
	Sealed         string // the password as it was sealed for the journal, where there is no key to open it
	PasswordSource PasswordSource
	Extra          []string // the input's other columns, in the order of its header
	Faults         []Fault  // what is wrong with the row; one that has any is never sent

	Attempts Attempts // what earlier sessions of the run know of the row
}

// Attempts are what is known of the requests that a row has behind it, over all
// sessions of a run.
type Attempts struct {
	Count     int       // requests that left for the row
	Doubt     string    // why the first of them that ended without a verdict did: it may have taken effect; empty if all had one
	FirstSent time.Time // zero if none left
	Refused   int       // times that the API refused the present password by policy since there is doubt
	Reissued  int       // passwords drawn anew after a refusal of a generated one
}

// A Minute is the requests of one minute of a run.
type Minute struct {
	Start     time.Time     // in UTC
	First     int           // first requests of rows that left in it
	Again     int           // further ones
	Throttled int           // answers in it that refused a request for exceeding the allowance
	Waited    time.Duration // in it between two requests, where none left for a second or more
}

// A Receipt is what the API said in answer to one request, in its own
// words. Everything is empty where there was no answer.
type Receipt struct {
	HTTPCode         int    // the HTTP status; 0 without an answer
	Code             string // the code inside the answer
	Status           string // the status inside the answer, such as "success"
	RequestID        string
	ErrorCode        string
	ErrorMessage     string
	ErrorDescription string

	Feedback pace.Feedback // what the answer says of the allowance
}

// An Outcome is how a row stands.
type Outcome uint8

const (
	NotAttempted Outcome = iota // never sent, or turned away before the API looked at the row
	Rotated                     // the API confirmed the password
	Failed                      // the API refused it: the old password stands
	Unknown                     // sent, and no verdict: either password may stand
	Invalid                     // refused here, before sending
)

// Outcomes lists every outcome.
var Outcomes = []Outcome{NotAttempted, Rotated, Failed, Unknown, Invalid}

// MayBeInForce reports whether the row's new password is in force, or may be.
func (o Outcome) MayBeInForce() bool { return o == Rotated || o == Unknown }

var outcomeNames = [...]string{"not_attempted", "rotated", "failed", "unknown", "invalid"}

// String returns the outcome's name as reports and the journal spell it.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// MarshalText returns the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads an outcome's name.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomeNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("no outcome is called %q", text)
	}
	*o = Outcome(i)
	return nil
}

// A Result is how one row ended, at least for now.
type Result struct {
	Row      int // the row's number
	Outcome  Outcome
	Attempts Attempts
	Receipt  Receipt   // the last answer; zero if none came
	Note     string    // in our words, why there is no verdict, no answer, or no request; may be empty
	Finished time.Time // zero for a row that was never sent
	Proof    Proof     // the latest of the row's password
}

// An Entry is one line of a run's account: a row and how it stands.
type Entry struct {
	Row    Row
	Result Result
	Beside []Kept // of an Unknown row: passwords sent before its own that may be in force instead, the oldest first
}

// Kept is a password as it is known: in plain, or sealed where there is no key to
// open it.
type Kept struct {
	Password Secret
	Sealed   string
}

// DeviceKey returns what two spellings of one device's ids have in common.
func DeviceKey(userID, deviceID string) string {
	return string(append(append(AppendUserKey(nil, userID), 0), deviceID...))
}

// AppendUserKey appends to dst what two spellings of one user id have in
// common: a UUID is written in either case, with dashes or without.
func AppendUserKey(dst []byte, userID string) []byte {
	for i := range len(userID) {
		switch b := userID[i]; {
		case b == '-':
		case 'A' <= b && b <= 'Z':
			dst = append(dst, b+'a'-'A')
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

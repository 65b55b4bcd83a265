package rotation

import (
	"time"

	"siprotate/batch/directory"
	"siprotate/batch/pace"
)

// An Event is something that happens in a rotation, for whoever tells people of
// it: one of the types below.
type Event any

// Waiting: another process sends for the account; Err names it.
type Waiting struct{ Err error }

// Warning: the source may not be what it seems.
type Warning struct{ Text string }

// Opened: this is the run, by its id. It is told as soon as that is known.
type Opened struct{ Run string }

// Planned: this is what is about to be sent. An unfinished run that goes on says
// so.
type Planned struct{ Plan Plan }

// Working begins a stretch of work that takes its time. Progress says how far it
// is, at any time until Rested.
type Working struct{ Progress func() Progress }

// Rested ends what Working began.
type Rested struct{}

// Unanswered: no request has had an answer that counts since then. They are tried
// again.
type Unanswered struct {
	Since time.Time
	Why   string // what the latest of them ended with
}

// Answering: what Unanswered told of is over, after so long.
type Answering struct{ After time.Duration }

// Nameless: so many rows have no SIP id, and cannot be proved.
type Nameless struct{ Rows int }

// ProvingStopped: no more passwords are proved, for now at least. The rotation goes
// on, up to the next gate that wants proofs.
type ProvingStopped struct {
	Why   string
	Gated bool // gates want proofs
	Again bool // the next look of a gate, or of a verification, proves again
}

// Barred: so many rows were not asked about, since their accounts were given as
// many wrong answers of late as a registrar puts up with. From is when the first of
// them may be asked about again.
type Barred struct {
	Rows int
	From time.Time
}

// Gating: a gate between two waves is not open yet, and how it stands has changed.
// It waits, at most until then.
type Gating struct {
	Gate  int // counted from 1
	Rows  int // of the waves before it
	Why   string
	Until time.Time
}

// Gated: a gate between two waves opened, or stays closed.
type Gated struct {
	Gate   int // counted from 1
	Rows   int // of the waves before it
	Passed bool
	Why    string // how many rows are proved, or which shares are wanted
}

// Adoptions: so many of the rows that are verified have been taken up by a phone.
type Adoptions struct {
	Wanted, Adopted int
	Next            time.Time // when they are looked at again, zero for never
}

// A Progress is how far work is.
type Progress struct {
	Listing   bool // users of the account, not rows
	Proving   bool // passwords by SIP; Allowance is nil then
	Total     int
	Done      int
	Failed    int // of those done, the ones that failed, or have no verdict
	Pages     int // requests that a listing still takes, as far as known
	Allowance *pace.Pacer
}

// Listed: the account was listed.
type Listed struct {
	directory.Listing
	Requests int
}

// LookedUp: names were looked up.
type LookedUp struct {
	directory.Result
	Names, Requests int
}

// Selected: devices of the account are left out of a rotation of all of them.
type Selected struct {
	Excluded int           // by a file; -1 without one
	Young    int           // rotated of late; -1 where that does not matter
	Age      time.Duration // what is rotated less than this ago is young
}

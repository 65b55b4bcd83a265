package pace

import "time"

// A Feedback is what an answer says of the allowance. The zero Feedback says nothing.
// Nothing in it is trusted: a Pacer bounds every value before it acts on it.
type Feedback struct {
	Throttled bool // the request was refused for exceeding the allowance

	RetryAfter    time.Duration // how long to wait; meaningful if HasRetryAfter
	HasRetryAfter bool

	Limit        int // requests a window, as advertised; 0 if not said
	Remaining    int // requests left in the window; meaningful if HasRemaining
	HasRemaining bool

	Reset time.Time // when the window ends, on the far side's clock; zero if not said
	Date  time.Time // the far side's clock when it answered; zero if not said
}

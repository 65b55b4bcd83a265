package pace

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Rate is an allowance: N requests in any window of length Per. The zero
// Rate allows nothing and is refused by [New]; [Unlimited] has no bound.
type Rate struct {
	N   int           // 1 to MaxRequests
	Per time.Duration // 1 ms to MaxWindow
}

// Unlimited is the allowance without a bound.
var Unlimited = Rate{N: -1}

// The bounds of a Rate. They keep what a Pacer remembers small and its sums
// far from overflow: a Pacer remembers what was sent for MaxWindow, since the
// window of its successor may be that long.
const (
	MaxRequests = 1_000_000
	MinWindow   = time.Millisecond
	MaxWindow   = time.Hour
)

// ErrRate is the error for a text that is no rate, and for a Rate out of bounds.
var ErrRate = errors.New("not a rate: want N per window, such as 50/m, 5/s, 600/h or 50/5s")

var namedWindows = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// spelledWindows are other ways in which people write the named ones.
var spelledWindows = map[string]string{
	"sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h",
}

// ParseRate reads "50/m", "50/min", "50/minutes", "5/s", "600/h", "50/5s" (a window
// of any duration that [time.ParseDuration] knows) or "unlimited". Its errors are
// [ErrRate].
func ParseRate(text string) (Rate, error) {
	if text == "unlimited" {
		return Unlimited, nil
	}
	count, window, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if err != nil {
		return Rate{}, ErrRate
	}
	window = cmp.Or(spelledWindows[strings.TrimSuffix(strings.ToLower(window), "s")], window)
	per, named := namedWindows[window]
	if !named {
		if per, err = time.ParseDuration(window); err != nil {
			return Rate{}, ErrRate
		}
	}
	r := Rate{n, per}
	if r == Unlimited {
		return Rate{}, ErrRate
	}
	return r, r.check()
}

func (r Rate) check() error {
	switch {
	case r == Unlimited:
		return nil
	case r.N < 1 || r.N > MaxRequests:
		return fmt.Errorf("%w: the number of requests is from 1 to %d", ErrRate, MaxRequests)
	case r.Per < MinWindow || r.Per > MaxWindow:
		return fmt.Errorf("%w: the window is from %v to %v", ErrRate, MinWindow, MaxWindow)
	}
	return nil
}

// IsUnlimited reports whether r has no bound.
func (r Rate) IsUnlimited() bool { return r == Unlimited }

// String returns the rate as [ParseRate] reads it.
func (r Rate) String() string {
	if r.IsUnlimited() {
		return "unlimited"
	}
	for name, per := range namedWindows {
		if r.Per == per {
			return fmt.Sprintf("%d/%s", r.N, name)
		}
	}
	return fmt.Sprintf("%d/%v", r.N, r.Per)
}

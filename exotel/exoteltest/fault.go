package exoteltest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is one way in which a password call goes wrong. Every fault counts at
// the limiter like any other request; one that the limiter refuses meets none.
type Fault string

const (
	ResetBefore  Fault = "reset-before"  // the connection is reset; the password is not set
	ResetAfter   Fault = "reset-after"   // the connection is reset; the password is set
	HTTP500      Fault = "http500"       // an internal error; the password is not set
	HTTP500After Fault = "http500-after" // an internal error; the password is set
	HTTP502HTML  Fault = "http502"       // a proxy's HTML page; the password is set or not, at random
	HTTP503      Fault = "http503"       // unavailable, with Retry-After where headers allow; the password is not set
	Inner409     Fault = "inner409"      // HTTP 200, and inside it a failure with code 409; the password is not set
	CutBody      Fault = "cut-body"      // the answer breaks off in the middle of its body; the password is set
	HTML200      Fault = "html200"       // HTTP 200 with the HTML of a captive portal; the password is not set
	Slow         Fault = "slow"          // the answer is held back for Options.SlowBy; the password is set
	Throttle429  Fault = "throttle429"   // a 429 that the limiter has no part in; the password is not set
)

var faultNames = []Fault{
	ResetBefore, ResetAfter, HTTP500, HTTP500After, HTTP502HTML, HTTP503,
	Inner409, CutBody, HTML200, Slow, Throttle429,
}

// faultRetryAfter is what Retry-After says when a fault, not the limiter, is
// behind the answer.
const faultRetryAfter = 2 * time.Second

// FaultNames returns the names of all faults, in the order of their declaration.
func FaultNames() []string {
	names := make([]string, len(faultNames))
	for i, f := range faultNames {
		names[i] = string(f)
	}
	return names
}

// ParseFaults reads a list such as "reset-before=1%,http500=0.02" into
// probabilities between 0 and 1. Spaces around names and numbers do not matter.
// The empty string is the empty list. A name that is unknown or stands twice, a
// number outside its range, and a sum above 1 are errors.
func ParseFaults(list string) (map[Fault]float64, error) {
	faults := make(map[Fault]float64)
	if strings.TrimSpace(list) == "" {
		return faults, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		name, number, _ := strings.Cut(item, "=")
		fault := Fault(strings.TrimSpace(name))
		if _, twice := faults[fault]; twice {
			return nil, fmt.Errorf("fault %q stands twice", fault)
		}
		number, percent := strings.CutSuffix(strings.TrimSpace(number), "%")
		p, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("fault %q: want name=probability, such as %s=0.02 or %s=2%%", item, Slow, Slow)
		}
		if percent {
			p /= 100
		}
		faults[fault] = p
	}
	if err := checkFaults(faults); err != nil {
		return nil, err
	}
	return faults, nil
}

func checkFaults(faults map[Fault]float64) error {
	sum := 0.0
	for _, f := range slices.Sorted(maps.Keys(faults)) {
		if !slices.Contains(faultNames, f) {
			return fmt.Errorf("no fault is called %q: there are %s", f, strings.Join(FaultNames(), ", "))
		}
		p := faults[f]
		if !(p >= 0 && p <= 1) { // also true of NaN
			return fmt.Errorf("fault %q: a probability of %v is not between 0 and 1", f, p)
		}
		sum += p
	}
	const rounding = 1e-9 // ten times 0.1 is not quite 1
	if sum > 1+rounding {
		return fmt.Errorf("the faults' probabilities add up to %v, more than 1", sum)
	}
	return nil
}

// setsPassword reports whether a call that meets the fault, or none, still
// reaches the device.
func (f Fault) setsPassword(coin bool) bool {
	switch f {
	case "", ResetAfter, HTTP500After, CutBody, Slow:
		return true
	case HTTP502HTML:
		return coin
	}
	return false
}

// drawFault returns the fault that u, uniform in [0, 1), falls on; "" if on none.
// The faults stand in a fixed order, so that equal numbers draw equal faults.
func drawFault(faults map[Fault]float64, u float64) Fault {
	sum := 0.0
	for _, f := range faultNames {
		if sum += faults[f]; u < sum {
			return f
		}
	}
	return ""
}

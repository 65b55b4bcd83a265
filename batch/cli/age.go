package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// An age is a duration that may begin with days: 90d, 1d12h, 36h. It is the
// value of a flag; the zero age is none.
type age time.Duration

const day = 24 * time.Hour

// maxAge keeps ages clear of overflow.
const maxAge = 36500 * day

var errAge = errors.New("want an age above 0, such as 90d, 36h or 1d12h")

// Set reads an age.
func (a *age) Set(text string) error {
	var sum time.Duration
	days, rest, found := strings.Cut(text, "d")
	if !found {
		rest = text
	} else {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errAge
		}
		sum = time.Duration(n) * day
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return errAge
		}
		sum += d
	}
	if sum <= 0 || sum > maxAge {
		return errAge
	}
	*a = age(sum)
	return nil
}

// String returns the age as Set reads it.
func (a *age) String() string {
	d := time.Duration(*a)
	if d == 0 {
		return ""
	}
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

// Type is how help calls the value.
func (*age) Type() string { return "age" }

//go:build !linux && !darwin && !windows

package account

import "time"

// sinceBoot returns nothing: the time since boot is not known.
func sinceBoot() (boot string, up time.Duration) { return "", 0 }

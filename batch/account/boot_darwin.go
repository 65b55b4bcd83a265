package account

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot returns the time since boot, and what tells this boot from others.
// kern.boottime would not do: it moves with the wall clock.
func sinceBoot() (boot string, up time.Duration) {
	boot, err := unix.Sysctl("kern.bootsessionuuid")
	var t unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &t) != nil {
		return "", 0
	}
	return boot, time.Duration(t.Nano())
}

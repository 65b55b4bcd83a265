package account

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot returns the time since boot, and what tells this boot from others:
// that of a container with a clock of its own, too.
func sinceBoot() (boot string, up time.Duration) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	var t unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return "", 0
	}
	clock, _ := os.Readlink("/proc/self/ns/time") // not in old kernels, which have one clock
	return strings.TrimSpace(string(id)) + " " + clock, time.Duration(t.Nano())
}

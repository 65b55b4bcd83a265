package account

import (
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// sinceBoot returns the time since boot, and the machine's name: Windows has no
// name for a boot. A machine that was booted again and is up for longer than when
// the ledger was written makes that look more recent than it is, which is safe.
func sinceBoot() (boot string, up time.Duration) {
	name, err := os.Hostname()
	if err != nil {
		return "", 0
	}
	return name, windows.DurationSinceBoot()
}

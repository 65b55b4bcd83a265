package journal

import (
	"os"
	"strings"
)

// bootID names the current start of the machine, or is empty where the system
// does not tell. Two equal names mean that the machine did not go down between
// them: what was written was kept, synced or not.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

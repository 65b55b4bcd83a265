package cli

import (
	"os"
	"runtime/debug"
)

// The memory that the program may use before the garbage collector works for
// it: little enough for any machine, and so much that collecting takes next to
// no time in a fast run. A run of a million rows needs half of it.
const memoryBudget = 64 << 20

// budgetMemory makes the garbage collector keep to the budget instead of to a
// multiple of what is in use, unless the environment says otherwise.
func budgetMemory() {
	if os.Getenv("GOGC")+os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(1000)
	debug.SetMemoryLimit(memoryBudget)
}

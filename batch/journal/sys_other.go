//go:build !linux

package journal

// mountOf knows nothing; without a boot id nothing is asked of it.
func mountOf(string) (device, mount uint64) { return 0, 0 }

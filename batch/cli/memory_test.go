//go:build linux

package cli_test

import (
	"flag"
	"path/filepath"
	"syscall"
	"testing"
)

var memoryRows = flag.Int("memory.rows", 1_000_000, "rows of the larger run of BenchmarkMemory")

// BenchmarkMemory reports the program's peak resident memory for 100,000 rows and
// for 1,000,000. It takes some minutes:
//
//	go test -run '^$' -bench Memory -benchtime 1x ./batch/cli
func BenchmarkMemory(b *testing.B) {
	var small, large float64
	for b.Loop() {
		small = max(small, peak(b, 100_000))
		large = max(large, peak(b, *memoryRows))
	}
	b.ReportMetric(small, "MB_100k")
	b.ReportMetric(large, "MB_1M")
	b.ReportMetric(large/small, "ratio")
}

// peak rotates so many generated passwords, and returns the most memory that
// the program had resident, in MB.
func peak(b *testing.B, rows int) float64 {
	b.Helper()
	input := filepath.Join(b.TempDir(), "users.csv")
	must(b, writeInput(input, rows, func(int) string { return "" }))
	_, p := timeProgram(b, input, rows)
	most := maxRSS(b, p.cmd.ProcessState.SysUsage())

	// A child's figure begins with what its parent had at the fork.
	var own syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	if floor := maxRSS(b, &own); most <= floor {
		b.Fatalf("the benchmark itself takes %.0f MB, which hides the program's %.0f", floor, most)
	}
	return most
}

// maxRSS converts from the KiB that Linux counts in.
func maxRSS(b *testing.B, usage any) float64 {
	b.Helper()
	rusage, ok := usage.(*syscall.Rusage)
	if !ok {
		b.Fatalf("no resource usage but a %T", usage)
	}
	return float64(rusage.Maxrss) * 1024 / 1e6
}

package cli_test

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var benchRows = flag.Int("bench.rows", 200_000, "rows of BenchmarkRotate")

const benchWorkers = "32"

// BenchmarkRotate measures the program against a bare loop that sends the same
// requests, each a process of its own with a stand-in of its own. The program's
// time is all of it, from its start to its last report. One round is enough:
//
//	go test -run '^$' -bench Rotate -benchtime 1x ./batch/cli
func BenchmarkRotate(b *testing.B) {
	input := filepath.Join(b.TempDir(), "users.csv")
	must(b, writeInput(input, *benchRows, givenToAll))
	var bare, rotate, bareCPU, rotateCPU time.Duration
	for b.Loop() {
		took, p := timeBareLoop(b, input)
		bare, bareCPU = bare+took, bareCPU+cpu(p)
		took, p = timeProgram(b, input, *benchRows)
		rotate, rotateCPU = rotate+took, rotateCPU+cpu(p)
	}
	b.ReportMetric(rotate.Seconds()/bare.Seconds(), "ratio")
	b.ReportMetric(bare.Seconds()/float64(b.N), "bare_s")
	b.ReportMetric(rotate.Seconds()/float64(b.N), "rotate_s")
	b.ReportMetric(bareCPU.Seconds()/float64(b.N), "bare_cpu_s")
	b.ReportMetric(rotateCPU.Seconds()/float64(b.N), "rotate_cpu_s")
}

func timeBareLoop(b *testing.B, input string) (time.Duration, *process) {
	b.Helper()
	server, base := startStandIn(b, *benchRows)
	defer stop(server)
	var out bytes.Buffer
	p := launch{role: bareLoop, out: &out}.start(b, base, base, input, benchWorkers)
	exits(b, p, 0)
	took, err := time.ParseDuration(strings.TrimSpace(out.String()))
	must(b, err)
	return took, p
}

// timeProgram rotates an input, all of which has to succeed.
func timeProgram(b *testing.B, input string, rows int) (time.Duration, *process) {
	b.Helper()
	server, base := startStandIn(b, rows)
	defer stop(server)
	began := time.Now()
	p := launch{}.start(b, base, "run", input, "--yes", "--rate", "unlimited", "--workers", benchWorkers,
		"-o", filepath.Join(b.TempDir(), "users.run"))
	exits(b, p, 0)
	return time.Since(began), p
}

// startStandIn starts a stand-in in a process of its own and returns where it
// listens.
func startStandIn(b *testing.B, users int) (server *process, base string) {
	b.Helper()
	said, out := io.Pipe()
	server = launch{out: out}.start(b, "", "sandbox", "--users", strconv.Itoa(users), "--rate", "unlimited")
	base, err := bufio.NewReader(said).ReadString('\n')
	must(b, err)
	return server, strings.TrimSpace(base)
}

func stop(p *process) {
	p.kill()
	p.wait()
}

// cpu returns the processor time that a process took.
func cpu(p *process) time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

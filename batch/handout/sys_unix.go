//go:build unix

package handout

import (
	"os"
	"os/exec"
	"syscall"
)

// shell returns a command line for the system's shell, in a process group of its
// own: a signal to ours does not reach it, and the end of its time ends all of it.
func shell(line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

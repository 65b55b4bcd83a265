package handout

import (
	"os"
	"os/exec"
	"syscall"
)

func shell(line string) *exec.Cmd {
	cmd := exec.Command("cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		CmdLine: `cmd.exe /S /C "` + line + `"`, CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP,
	}
	return cmd
}

func kill(p *os.Process) { _ = p.Kill() }

//go:build !linux

package harness

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the child lead a process group.
func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

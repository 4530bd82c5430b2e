package harness

import "syscall"

// ownGroup makes the child lead a process group, and die with us even if we are killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

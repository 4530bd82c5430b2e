//go:build !linux

package harness

import "syscall"

// ownGroup makes the child lead a process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

package mesh

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolated is a variable that only the process inside the namespace has; it names the directory of the postern binary.
const isolated = "POSTERN_MESH_ISOLATED"

// isolate runs this program again, with the same arguments, in a network namespace of its own, and returns its exit code.
func isolate(dir string) (int, error) {
	// The kernel ends the child with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), isolated+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	}
	err := cmd.Run()
	if cmd.ProcessState == nil { // it did not start
		return 1, fmt.Errorf("a network namespace: %w; run this as root, or allow user namespaces", err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// connect makes the loopback interface work and gives it 192.0.2.0/24 as well: on a loopback interface all of a network
// is local.
func connect() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, up); err != nil {
		return err
	}
	pods, err := unix.NewIfreq("lo:pods")
	if err != nil {
		return err
	}
	if err := pods.SetInet4Addr([]byte{192, 0, 2, 1}); err != nil {
		return err
	}
	return unix.IoctlIfreq(socket, unix.SIOCSIFADDR, pods)
}

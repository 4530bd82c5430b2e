// Package listen opens the server's listeners, and serves TLS on them with certificates that may be replaced.
package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// socketMode lets the owner and the group of a Unix socket connect to it.
const socketMode fs.FileMode = 0o660

// On listens on a TCP address ("127.0.0.1:9001") or a Unix socket ("unix:///run/postern/authz.sock"). A socket file
// that a process which is gone left behind is replaced; one that somebody answers on is not.
func On(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix://")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	lis, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		lis, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		_ = lis.Close()
		return nil, err
	}
	return lis, nil
}

// removeStale removes the socket at path if nothing listens on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen on %s: the file there is not a socket; remove it or choose another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen on %s: another process listens there; stop it or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("listen on %s: cannot tell whether another process listens there: %w", path, err)
	}
	return os.Remove(path)
}

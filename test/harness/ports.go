package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// handed remembers the ports given out, so that none is given twice.
var handed sync.Map

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on: the wanted one if it is not 0 and free, else one
// chosen at random below the range that the kernel takes clients' ports from, so that no connection grabs it first.
func FreePort(wanted int) (int, error) {
	if wanted != 0 && take(wanted) {
		return wanted, nil
	}
	for range 200 {
		if port := 20000 + rand.IntN(12000); take(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port between 20000 and 32000 on 127.0.0.1")
}

func listen(port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", Loopback(port))
}

func take(port int) bool {
	l, err := listen(port)
	if err != nil {
		return false
	}
	_ = l.Close()
	_, taken := handed.LoadOrStore(port, true)
	return !taken
}

// FreePorts returns n free ports.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		var err error
		if ports[i], err = FreePort(0); err != nil {
			return nil, fmt.Errorf("port %d of %d: %w", i+1, n, err)
		}
	}
	return ports, nil
}

// Loopback returns the address of a port of 127.0.0.1.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

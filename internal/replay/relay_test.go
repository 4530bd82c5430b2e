package replay

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// relay listens on one address for another until the test ends.
func relay(t *testing.T, address, target string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, target)
}

// relayTLS is relay for clients that speak TLS; it returns its address.
func relayTLS(t *testing.T, config *tls.Config, target string) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, target)
	return l.Addr().String()
}

// serve passes connections on, until the test ends and drops them.
func serve(t *testing.T, l net.Listener, target string) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { pass(ctx, client, target) })
		}
	})
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		running.Wait()
	})
}

// pass carries bytes both ways until either side hangs up, or ctx ends.
func pass(ctx context.Context, client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	hangUp := func() {
		_ = client.Close()
		_ = server.Close()
	}
	defer context.AfterFunc(ctx, hangUp)()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		hangUp()
	})
	_, _ = io.Copy(server, client)
	hangUp()
	back.Wait()
}

package replay

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay passes connections on to another address, until the test ends and drops them.
type relay struct {
	address string
	target  string
	open    atomic.Int32 // connections
}

// relayOn relays from an address that is free.
func relayOn(t *testing.T, address, target string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	startRelay(t, l, target)
}

// relayTLS relays for clients that speak TLS.
func relayTLS(t *testing.T, config *tls.Config, target string) *relay {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	return startRelay(t, l, target)
}

func startRelay(t *testing.T, l net.Listener, target string) *relay {
	r := &relay{address: l.Addr().String(), target: target}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.pass(ctx, client) })
		}
	})
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		running.Wait()
	})
	return r
}

// pass carries bytes both ways until either side hangs up, or ctx ends.
func (r *relay) pass(ctx context.Context, client net.Conn) {
	r.open.Add(1)
	defer r.open.Add(-1)
	defer client.Close()
	server, err := net.Dial("tcp", r.target)
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

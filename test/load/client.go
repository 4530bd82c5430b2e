package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	connections = 2
	inFlight    = 16 // checks at a time, over all connections
	method      = "/envoy.service.auth.v3.Authorization/Check"
	timeout     = 10 * time.Second // of one check: Envoy announces one too, but a busy machine is no failure
)

// client asks one server.
type client struct{ conns [connections]*grpc.ClientConn }

func dial(address string) (*client, error) {
	c := &client{}
	for i := range c.conns {
		conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})), grpc.WithDisableRetry())
		if err != nil {
			return nil, err
		}
		c.conns[i] = conn
	}
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// workers makes what run takes.
func workers(t traffic) (list [inFlight]func() []byte, err error) {
	for i := range list {
		if list[i], err = t(i); err != nil {
			return list, err
		}
	}
	return list, nil
}

// run asks for as long as it is told to, and returns how many checks were answered. Every answer must be an allow.
func (c *client) run(ctx context.Context, workers *[inFlight]func() []byte, d time.Duration) (checks int, err error) {
	var (
		wg     sync.WaitGroup
		counts [inFlight]int
		errs   [inFlight]error
	)
	end := time.Now().Add(d)
	for i, next := range workers {
		wg.Go(func() {
			n := 0
			for errs[i] == nil && time.Now().Before(end) {
				errs[i] = c.check(ctx, i, next())
				n++
			}
			counts[i] = n
		})
	}
	wg.Wait()
	for i := range workers {
		checks += counts[i]
		err = cmp.Or(err, errs[i]) // one is enough: they say the same
	}
	return checks, err
}

func (c *client) check(ctx context.Context, worker int, request []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var answer []byte
	if err := c.conns[worker%connections].Invoke(ctx, method, request, &answer); err != nil {
		return err
	}
	if !allows(answer) {
		return fmt.Errorf("the server denied a good request: %q", answer)
	}
	return nil
}

// allows reports whether a CheckResponse has status 0 and an ok_response, as Envoy asks for. It looks at no more than
// that, to be quick.
func allows(response []byte) bool {
	const status, denied, ok = 1, 2, 3
	allowed := false
	for len(response) > 0 {
		number, kind, n := protowire.ConsumeTag(response)
		if n < 0 || kind != protowire.BytesType {
			return false
		}
		value, m := protowire.ConsumeBytes(response[n:])
		if m < 0 || number == denied || number == status && !isZeroStatus(value) {
			return false
		}
		allowed = allowed || number == ok
		response = response[n+m:]
	}
	return allowed
}

// isZeroStatus reports whether a google.rpc.Status has no code.
func isZeroStatus(status []byte) bool {
	for len(status) > 0 {
		number, kind, n := protowire.ConsumeTag(status)
		if n < 0 || number == 1 {
			return false
		}
		m := protowire.ConsumeFieldValue(number, kind, status[n:])
		if m < 0 {
			return false
		}
		status = status[n+m:]
	}
	return true
}

// rawCodec sends []byte as it is and receives into *[]byte.
type rawCodec struct{}

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2. It is empty, so that the content type is application/grpc, as Envoy's.
func (rawCodec) Name() string { return "" }

package extauthz

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rude is an HTTP/2 client that sends whatever frames a test likes.
type rude struct {
	*http2.Framer

	t    *testing.T
	conn net.Conn
}

func beRude(t *testing.T, addr net.Addr) *rude {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c := &rude{http2.NewFramer(conn, conn), t, conn}
	_, err = io.WriteString(conn, http2.ClientPreface)
	if err := errors.Join(err, c.WriteSettings()); err != nil {
		t.Fatal(err)
	}
	return c
}

// head is the header block of a call of Check.
func (c *rude) head() []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/" + ServiceName + "/Check"}, {":authority", "postern"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	return block.Bytes()
}

// ends reads until the server hangs up.
func (c *rude) ends() {
	c.t.Helper()
	for {
		if _, err := c.ReadFrame(); err != nil {
			if wait, ok := errors.AsType[net.Error](err); ok && wait.Timeout() {
				c.t.Error("the server does not hang up")
			}
			return
		}
	}
}

// TestLimits reads what the server tells every client of its limits.
func TestLimits(t *testing.T) {
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll})
	frame, err := beRude(t, addr).ReadFrame()
	settings, ok := frame.(*http2.SettingsFrame)
	if err != nil || !ok {
		t.Fatalf("%v, %v", frame, err)
	}
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingMaxConcurrentStreams: 1000, http2.SettingMaxHeaderListSize: 64 << 10,
	} {
		if got, _ := settings.Value(id); got != want {
			t.Errorf("%v is %d, want %d", id, got, want)
		}
	}
}

// TestRapidReset opens calls and takes each back at once (CVE-2023-44487). Others are answered, and nothing piles up.
func TestRapidReset(t *testing.T) {
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll})
	conn := dial(t, addr)
	check(t, conn, typicalRequest())
	before := runtime.NumGoroutine()
	c := beRude(t, addr)
	go func() { _, _ = io.Copy(io.Discard, c.conn) }()
	for stream := uint32(1); stream < 40_000; stream += 2 {
		err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.head(), EndHeaders: true})
		if errors.Join(err, c.WriteRSTStream(stream, http2.ErrCodeCancel)) != nil {
			break // it may have had enough
		}
		if stream%4001 == 0 && check(t, conn, typicalRequest()).GetOkResponse() == nil {
			t.Error("another client is denied")
		}
	}
	if grown := runtime.NumGoroutine() - before; grown > 2*maxStreams {
		t.Errorf("%d goroutines more than before", grown)
	}
}

// TestContinuationFlood never ends its header block (CVE-2024-27316): the server hangs up, and soon.
func TestContinuationFlood(t *testing.T) {
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll})
	c := beRude(t, addr)
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head()}); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	if err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("~", 8<<10)}); err != nil {
		t.Fatal(err)
	}
	const frames = 4096 // of more than 8 KiB
	sent := 0
	for ; sent < frames && c.WriteContinuation(1, false, block.Bytes()) == nil; sent++ {
	}
	if sent == frames {
		t.Errorf("the server took %d frames", sent)
	}
	c.ends()
	if check(t, dial(t, addr), typicalRequest()).GetOkResponse() == nil {
		t.Error("another client is denied")
	}
}

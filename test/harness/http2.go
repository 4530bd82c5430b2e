package harness

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Request2 is an HTTP/2 request whose fields, pseudo-fields too, go out as they stand and in order.
type Request2 struct {
	Fields [][2]string
	Body   string
}

// Send sends the request over a connection of its own, in clear text, and reads one answer. A stream that is reset is
// an error.
func (r Request2) Send(ctx context.Context, address string) (Answer, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return Answer{}, err
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		return Answer{}, err
	}
	if err := r.write(framer); err != nil {
		return Answer{}, err
	}
	return readAnswer(framer)
}

func (r Request2) write(framer *http2.Framer) error {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range r.Fields {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: r.Body == "",
	})
	if err == nil && r.Body != "" {
		err = framer.WriteData(1, true, []byte(r.Body))
	}
	return err
}

func readAnswer(framer *http2.Framer) (Answer, error) {
	a := Answer{Headers: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return a, fmt.Errorf("reading the answer: %w", err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if h.Name == ":status" {
					a.Status, _ = strconv.Atoi(h.Value)
				} else if !strings.HasPrefix(h.Name, ":") {
					a.Headers.Add(h.Name, h.Value)
				}
			}
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.DataFrame:
			a.Body += string(f.Data())
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.RSTStreamFrame:
			return a, fmt.Errorf("the stream was reset: %v", f.ErrCode)
		case *http2.GoAwayFrame:
			return a, fmt.Errorf("the connection is going away: %v", f.ErrCode)
		}
	}
}

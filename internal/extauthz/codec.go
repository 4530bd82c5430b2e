package extauthz

import (
	"errors"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/postern-auth/postern/internal/authz"
)

// codec hands the bytes of a Check to its exchange, and every other message to grpc's own protobuf codec.
type codec struct {
	encoding.CodecV2

	limit int // longest CheckRequest, in bytes
}

func newCodec(limit int) codec {
	return codec{CodecV2: encoding.GetCodecV2(proto.Name), limit: limit}
}

// Unmarshal implements [encoding.CodecV2]. grpc frees data when it returns, so the exchange takes a reference.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	x, ok := v.(*exchange)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	return x.receive(data, c.limit)
}

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	x, ok := v.(*exchange)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	return x.send()
}

// exchange is one call: the CheckRequest as received, what it was decoded to, and the encoded CheckResponse.
// It is both messages of the call to grpc.
type exchange struct {
	request  authz.Request
	received mem.Buffer // what request's strings alias; nil before anything was received
	tooLarge bool       // more was received than is decoded
	response mem.Buffer // owned by grpc once sent
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

var (
	errSecondMessage = errors.New("a call has one CheckRequest")
	errNoResponse    = errors.New("there is no answer to send")
	errTooLarge      = authz.Fail(authz.ReasonBodyTooLarge, errors.New("the CheckRequest is over the limit"))
)

// receive keeps the message. One over the limit is not kept, but no error either: it gets a decision, not an RPC error.
func (x *exchange) receive(data mem.BufferSlice, limit int) error {
	if x.received != nil || x.tooLarge {
		return errSecondMessage
	}
	if data.Len() > limit {
		x.tooLarge = true
		return nil
	}
	x.received = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

// decode reads the Request and makes sure that it has one reading.
func (x *exchange) decode() error {
	if x.tooLarge {
		return errTooLarge
	}
	if err := decode(x.received.ReadOnlyData(), &x.request); err != nil {
		return err
	}
	return x.request.Canonicalize()
}

// responseSize is the room that most responses fit into. grpc pools no buffer of less than 1 KiB.
const responseSize = 4 << 10

// encode writes the response to a decision into a pooled buffer.
func (x *exchange) encode(d *authz.Decision) error {
	pool := mem.DefaultBufferPool()
	buf := pool.Get(responseSize)
	b, err := appendResponse((*buf)[:0], &x.request, d)
	switch {
	case err != nil:
		pool.Put(buf)
		return err
	case len(b) > responseSize: // it has outgrown the buffer
		pool.Put(buf)
		x.response = mem.SliceBuffer(b)
	default:
		*buf = b
		x.response = mem.NewBuffer(buf, pool)
	}
	return nil
}

// send hands the response over to grpc.
func (x *exchange) send() (mem.BufferSlice, error) {
	if x.response == nil {
		return nil, errNoResponse
	}
	out := mem.BufferSlice{x.response}
	x.response = nil
	return out, nil
}

// release makes the exchange ready for another call.
func (x *exchange) release() {
	x.request.Reset()
	if x.received != nil {
		x.received.Free()
	}
	*x = exchange{request: x.request}
	exchanges.Put(x)
}

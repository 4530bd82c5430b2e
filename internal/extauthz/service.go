package extauthz

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"

	"github.com/postern-auth/postern/internal/authz"
)

// ServiceName is the gRPC service that Envoy calls.
const ServiceName = "envoy.service.auth.v3.Authorization"

// serviceDesc describes the service. Check is a unary method; it is described as a stream without streaming either
// way, which is the same on the wire, so that its handler spans the whole call and knows when its memory is free.
var serviceDesc = grpc.ServiceDesc{
	ServiceName: ServiceName,
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName: "Check",
		Handler: func(server any, stream grpc.ServerStream) error {
			return server.(*Server).serveCheck(stream)
		},
	}},
	Metadata: "envoy/service/auth/v3/external_auth.proto",
}

func (s *Server) serveCheck(stream grpc.ServerStream) error {
	x := exchanges.Get().(*exchange)
	defer x.release()
	if err := stream.RecvMsg(x); err != nil {
		return err
	}
	s.answer(stream.Context(), x)
	return stream.SendMsg(x)
}

// answer leaves an encoded response in x, whatever happens.
func (s *Server) answer(ctx context.Context, x *exchange) {
	defer func() {
		if v := recover(); v != nil {
			s.refuse(x, authz.Deny(authz.ReasonInternal, s.panicked(ctx, v)))
		}
	}()
	r := &x.request
	r.Now = time.Now()
	r.Deadline = r.Now.Add(s.deadline)
	if callers, ok := ctx.Deadline(); ok && callers.Before(r.Deadline) {
		r.Deadline = callers
	}
	if err := x.decode(); err != nil {
		s.refuse(x, authz.Deny(authz.ReasonOf(err), err))
		return
	}
	d := s.checker.Check(ctx, r)
	if err := x.encode(&d); err != nil {
		s.refuse(x, authz.Deny(authz.ReasonInternal, fmt.Errorf("the decision cannot be sent: %w", err)))
	}
}

// refuse answers with a denial that the Checker did not make. It holds nothing that could fail to be encoded.
func (s *Server) refuse(x *exchange, d authz.Decision) {
	_ = x.encode(&d)
	if s.refused == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			_ = s.panicked(context.Background(), v)
		}
	}()
	s.refused(&x.request, &d)
}

// panicked counts and logs a panic, with its stack and without its value, which may hold a part of the request.
func (s *Server) panicked(ctx context.Context, v any) error {
	s.panics.Add(1)
	err := fmt.Errorf("panic: %T", v)
	if fault, ok := v.(runtime.Error); ok {
		err = fmt.Errorf("panic: %w", fault)
	}
	s.log.LogAttrs(ctx, slog.LevelError, "a check panicked; the request was denied with 503",
		slog.Any("error", err), slog.String("stack", string(debug.Stack())))
	return err
}

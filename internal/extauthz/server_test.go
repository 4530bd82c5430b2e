package extauthz

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/listen"
)

// allowAll lets everybody through under one name.
var allowAll = checkFunc(func(context.Context, *authz.Request) authz.Decision {
	return authz.Allow(authz.ReasonAuthenticated, authz.Mutation{Set: []authz.Header{{Name: "x-auth-subject", Value: "somebody"}}})
})

// start serves on the address until the test ends and returns where.
func start(t *testing.T, address string, opts Options) (*Server, net.Addr) {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := listen.On(address)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(lis) }()
	t.Cleanup(func() {
		s.grpc.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, lis.Addr()
}

// dial connects to the address; without options in plaintext.
func dial(t *testing.T, addr net.Addr, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	if len(opts) == 0 {
		opts = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	target := "passthrough:" + addr.String()
	if addr.Network() == "unix" {
		target = "unix://" + addr.String()
	}
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func check(t *testing.T, conn *grpc.ClientConn, m *authv3.CheckRequest) *authv3.CheckResponse {
	t.Helper()
	out, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return newCodec(0).Unmarshal(data, v)
}

// checkRaw sends bytes that need not be a CheckRequest.
func checkRaw(t *testing.T, conn *grpc.ClientConn, message []byte) (*authv3.CheckResponse, error) {
	t.Helper()
	out := &authv3.CheckResponse{}
	err := conn.Invoke(t.Context(), "/"+ServiceName+"/Check", message, out, grpc.ForceCodecV2(rawCodec{}))
	return out, err
}

func TestServe(t *testing.T) {
	socket := "unix://" + filepath.Join(t.TempDir(), "authz.sock")
	for name, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": socket} {
		t.Run(name, func(t *testing.T) {
			var seen authz.Request
			_, addr := start(t, address, Options{Checker: checkFunc(func(ctx context.Context, r *authz.Request) authz.Decision {
				seen = authz.Request{Now: r.Now, Deadline: r.Deadline, Path: strings.Clone(r.Route.Path)}
				return allowAll(ctx, r)
			})})
			conn := dial(t, addr)
			got := check(t, conn, typicalRequest()).GetOkResponse().GetHeaders()
			if len(got) != 1 || got[0].GetHeader().GetValue() != "somebody" {
				t.Errorf("headers %v", got)
			}
			if seen.Path != "/v1/orders/42" || seen.Deadline.Sub(seen.Now) != DefaultDeadline || time.Since(seen.Now) > time.Minute {
				t.Errorf("the Checker saw %+v", seen)
			}
			const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
			err := conn.Invoke(t.Context(), reflection, &authv3.CheckRequest{}, &authv3.CheckResponse{})
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("reflection answers %v", err)
			}
		})
	}
}

// TestRefused sends what must be denied without the Checker, and listens to what telemetry is told.
func TestRefused(t *testing.T) {
	var told []authz.Reason
	_, addr := start(t, "127.0.0.1:0", Options{
		BodyLimit: 1 << 10,
		Refused:   func(_ *authz.Request, d *authz.Decision) { told = append(told, d.Reason) },
		Checker: checkFunc(func(_ context.Context, r *authz.Request) authz.Decision {
			if r.Path == "/unsendable" {
				return authz.Allow(authz.ReasonAuthenticated, authz.Mutation{Set: []authz.Header{{Name: "x-auth-subject", Value: "a\r\nb"}}})
			}
			t.Errorf("the Checker was asked about %q", r.Path)
			return authz.Decision{}
		}),
	})
	conn := dial(t, addr)
	path := func(p string) []byte {
		return marshal(t, httpRequest(func(h *httpAttributes) { h.Path = p }))
	}
	twoHosts := marshal(t, httpRequest(func(h *httpAttributes) { h.Host = "a.test,b.test" }))
	tests := []struct {
		name    string
		message []byte
		status  int
		reason  authz.Reason
	}{
		{"empty", nil, 400, authz.ReasonMalformedRequest},
		{"no protobuf", []byte("\xff\xff"), 400, authz.ReasonMalformedRequest},
		{"dot segment", path("/a/../b"), 400, authz.ReasonAmbiguousPath},
		{"two hosts", twoHosts, 400, authz.ReasonAmbiguousHost},
		{"too large", bytes.Repeat([]byte{0}, 1<<10+headroom+1), 413, authz.ReasonBodyTooLarge},
		{"unsendable answer", path("/unsendable"), 503, authz.ReasonInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told = nil
			out, err := checkRaw(t, conn, tt.message)
			if err != nil {
				t.Fatal(err)
			}
			if got := int(out.GetDeniedResponse().GetStatus().GetCode()); got != tt.status || out.GetStatus().GetCode() == 0 {
				t.Errorf("HTTP status %d, response %v; want %d", got, out, tt.status)
			}
			fact := out.GetDynamicMetadata().GetFields()["reason"].GetStringValue()
			if len(told) != 1 || told[0] != tt.reason || fact != tt.reason.String() {
				t.Errorf("Refused was told %v, metadata says %q; want %v", told, fact, tt.reason)
			}
		})
	}
	if _, err := checkRaw(t, conn, make([]byte, maxMessage+1)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message that grpc may not receive: %v", err)
	}
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	s, addr := start(t, "127.0.0.1:0", Options{
		Log:     slog.New(slog.NewJSONHandler(&log, nil)),
		Refused: func(*authz.Request, *authz.Decision) { panic("so is telemetry") },
		Checker: checkFunc(func(_ context.Context, r *authz.Request) authz.Decision {
			switch r.Path {
			case "/canary":
				panic("secret " + r.Path)
			case "/runtime":
				_ = r.Headers[len(r.Path)]
			}
			return allowAll(nil, r)
		}),
	})
	conn := dial(t, addr)
	for _, path := range []string{"/canary", "/runtime"} {
		out := check(t, conn, httpRequest(func(h *httpAttributes) { h.Path = path }))
		if got := out.GetDeniedResponse().GetStatus().GetCode(); got != 503 || out.GetStatus().GetCode() != int32(codes.Unavailable) {
			t.Errorf("%s: %v", path, out)
		}
	}
	if check(t, conn, httpRequest(nil)).GetOkResponse() == nil {
		t.Error("after a panic nobody is let through")
	}
	if got := s.Stats().Panics; got != 4 {
		t.Errorf("%d panics counted, want 2 and as many of Refused", got)
	}
	for _, want := range []string{"panic: string", "index out of range [8] with length 0", "TestPanic.func"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "canary") {
		t.Errorf("the log shows a part of the request:\n%s", &log)
	}
}

// TestCallerGone cancels a call while it is checked. The server goes on.
func TestCallerGone(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	_, addr := start(t, "127.0.0.1:0", Options{Checker: checkFunc(func(ctx context.Context, r *authz.Request) authz.Decision {
		if r.Path == "/slow" {
			close(entered)
			<-ctx.Done()
			left <- ctx.Err()
		}
		return allowAll(ctx, r)
	})})
	conn := dial(t, addr)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	slow := httpRequest(func(h *httpAttributes) { h.Path = "/slow" })
	_, err := authv3.NewAuthorizationClient(conn).Check(ctx, slow)
	if status.Code(err) != codes.Canceled {
		t.Errorf("the call ended with %v", err)
	}
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the Checker's context ended with %v", err)
	}
	if check(t, conn, httpRequest(nil)).GetOkResponse() == nil {
		t.Error("nobody is let through any more")
	}
}

// TestLate lets a check overrun its deadline, which is the caller's since that is earlier. It is answered all the same.
func TestLate(t *testing.T) {
	impatient := checkFunc(func(ctx context.Context, r *authz.Request) authz.Decision {
		if callers, ok := ctx.Deadline(); !ok || !r.Deadline.Equal(callers) {
			t.Errorf("deadline %v, the caller's is %v", r.Deadline, callers)
		}
		return authz.Deny(authz.ReasonDeadline, nil)
	})
	_, addr := start(t, "127.0.0.1:0", Options{Checker: impatient, Deadline: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := authv3.NewAuthorizationClient(dial(t, addr)).Check(ctx, httpRequest(nil))
	if err != nil || out.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("%v, %v", out, err)
	}

	late := checkFunc(func(ctx context.Context, r *authz.Request) authz.Decision {
		within, cancel := r.Within(ctx)
		defer cancel()
		<-within.Done()
		return authz.Deny(authz.ReasonDeadline, within.Err())
	})
	_, addr = start(t, "127.0.0.1:0", Options{Checker: late, Deadline: time.Millisecond})
	if out := check(t, dial(t, addr), httpRequest(nil)); out.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("%v", out)
	}
}

func TestSecondMessage(t *testing.T) {
	_, addr := start(t, "127.0.0.1:0", Options{Checker: checkFunc(func(context.Context, *authz.Request) authz.Decision {
		t.Error("the Checker was asked")
		return authz.Decision{}
	})})
	stream, err := dial(t, addr).NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/"+ServiceName+"/Check")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := stream.SendMsg(typicalRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.RecvMsg(&authv3.CheckResponse{}); status.Code(err) != codes.Internal {
		t.Errorf("a second message is answered with %v", err)
	}
}

func TestHealthAndShutdown(t *testing.T) {
	entered, proceed := make(chan struct{}), make(chan struct{})
	s, addr := start(t, "127.0.0.1:0", Options{Checker: checkFunc(func(ctx context.Context, r *authz.Request) authz.Decision {
		close(entered)
		<-proceed
		return allowAll(ctx, r)
	})})
	conn := dial(t, addr)
	health := healthgrpc.NewHealthClient(conn)
	expect := func(want healthgrpc.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", ServiceName} {
			got, err := health.Check(t.Context(), &healthgrpc.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("health of %q: %v, %v; want %v", service, got.GetStatus(), err, want)
			}
		}
	}
	expect(healthgrpc.HealthCheckResponse_NOT_SERVING)
	s.SetReady(true)
	expect(healthgrpc.HealthCheckResponse_SERVING)
	s.SetReady(false)
	expect(healthgrpc.HealthCheckResponse_NOT_SERVING)
	watch, err := health.Watch(t.Context(), &healthgrpc.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unimplemented {
		t.Errorf("Watch: %v", err)
	}

	answered := make(chan error, 1)
	go func() {
		_, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), httpRequest(nil))
		answered <- err
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	for { // until the listener is closed
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			break
		}
		_ = c.Close()
	}
	close(proceed)
	if err := <-answered; err != nil {
		t.Errorf("the check under way got %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	entered := make(chan struct{})
	s, addr := start(t, "127.0.0.1:0", Options{Checker: checkFunc(func(ctx context.Context, _ *authz.Request) authz.Decision {
		close(entered)
		<-ctx.Done()
		return authz.Deny(authz.ReasonDeadline, ctx.Err())
	})})
	conn := dial(t, addr)
	answered := make(chan error, 1)
	go func() {
		_, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), httpRequest(nil))
		answered <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the check that was cut off got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "extauthz: Options.Checker is not set" {
		t.Errorf("error %v", err)
	}
}

package installed

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/postern-auth/postern/test/harness"
)

// replica is a running `postern serve`, asked as Envoy asks.
type replica struct {
	*harness.Process
	name string // of the Pod that it plays
	ops  string

	conn  *grpc.ClientConn
	authz authv3.AuthorizationClient
}

// start starts a replica without waiting until it is ready.
func (in *installation) start(pod string) (*replica, error) {
	ports, err := harness.FreePorts(2)
	if err != nil {
		return nil, err
	}
	authz, ops := harness.Loopback(ports[0]), harness.Loopback(ports[1])
	r := &replica{name: pod, ops: "http://" + ops}
	if r.conn, err = grpc.NewClient("passthrough:///"+authz, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, err
	}
	r.authz = authv3.NewAuthorizationClient(r.conn)
	r.Process, err = harness.StartCommand("postern "+pod, in.command(pod, authz, ops))
	return r, err
}

// serve starts a replica for the test and waits until it is ready.
func (in *installation) serve(ctx context.Context, t *testing.T, pod string) *replica {
	t.Helper()
	r, err := in.start(pod)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.stop()
		if line := r.logged("panic"); line != "" {
			t.Error(line)
		}
		if t.Failed() {
			t.Log(r.Tail())
		}
	})
	if err := r.awaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) awaitReady(ctx context.Context) error {
	return r.AwaitReady(ctx, func() bool { return harness.OK(ctx, r.ops+"/readyz") })
}

func (r *replica) stop() {
	r.Kill()
	_ = r.conn.Close()
}

// logged returns the first line of the replica's log that contains the text, "" if there is none.
func (r *replica) logged(text string) string {
	for line := range strings.Lines(r.Stdout() + r.Stderr()) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// get is a request, with a key unless it is empty.
func get(host, path, key string) harness.Request {
	r := harness.Request{Method: "GET", Target: path}.With("Host: " + host)
	if key != "" {
		r = r.With("X-API-Key: " + key)
	}
	return r
}

// ask has the replica check a request and returns the status that the client would see, 200 if the request may pass.
func (r *replica) ask(ctx context.Context, q harness.Request) (int, error) {
	host := q.Field("Host")
	headers := map[string]string{":method": q.Method, ":path": q.Target, ":authority": host, ":scheme": "https"}
	for _, f := range q.Fields {
		if name, value, _ := strings.Cut(f, ": "); name != "Host" {
			headers[strings.ToLower(name)] = value
		}
	}
	answer, err := r.authz.Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1}},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1", Method: q.Method, Headers: headers, Path: q.Target, Host: host, Scheme: "https", Protocol: "HTTP/2",
		}},
	}})
	switch {
	case err != nil:
		return 0, err
	case answer.GetOkResponse() != nil:
		return 200, nil
	default:
		return int(answer.GetDeniedResponse().GetStatus().GetCode()), nil
	}
}

// expect asks once.
func (r *replica) expect(ctx context.Context, t *testing.T, what string, want int, q harness.Request) {
	t.Helper()
	if got, err := r.ask(ctx, q); err != nil || got != want {
		t.Errorf("%s: %d (%v), want %d", what, got, err, want)
	}
}

// await asks until the answer is as wanted and returns how long that took.
func (r *replica) await(ctx context.Context, t *testing.T, what string, want int, q harness.Request) time.Duration {
	t.Helper()
	began, last := time.Now(), ""
	err := harness.Await(ctx, what, func() bool {
		got, err := r.ask(ctx, q)
		last = fmt.Sprintf("%d (%v)", got, err)
		return err == nil && got == want
	})
	if err != nil {
		t.Fatalf("%v: the last answer is %s, want %d\n%s", err, last, want, r.Tail())
	}
	took := time.Since(began)
	t.Logf("%s: after %s", what, took.Round(time.Millisecond))
	return took
}

// awaitDegraded waits until the replica says that the API server cannot be asked, or that it can be.
func (r *replica) awaitDegraded(ctx context.Context, t *testing.T, want bool) {
	t.Helper()
	value := map[bool]string{false: "0", true: "1"}[want]
	is := func() bool { return r.metric(ctx, t, "postern_degraded") == value }
	if err := harness.Await(ctx, "postern_degraded is "+value, is); err != nil {
		t.Fatal(err)
	}
}

// metric returns the value of a metric without labels.
func (r *replica) metric(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	text, err := harness.Fetch(ctx, r.ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/test/harness"
)

// instance is a Server that runs until the test ends, on Unix sockets unless its configuration says otherwise.
type instance struct {
	*Server

	t    testing.TB
	dir  string // of its resources
	stop context.CancelFunc
	out  *harness.Output
	conn *grpc.ClientConn
	web  *http.Client // asks the operators' listener, whatever the host

	ended chan struct{}
	err   error // what Run returned; once ended
}

// assemble makes a Server of files, by path below the directory of resources.
func assemble(t testing.TB, files map[string]string, edits ...func(*config.Config)) (*instance, error) {
	t.Helper()
	root := t.TempDir()
	i := &instance{t: t, dir: filepath.Join(root, "policies"), out: &harness.Output{}, ended: make(chan struct{})}
	writeFile(t, filepath.Join(i.dir, "README"), "no resource")
	i.write(files)
	cfg := config.Default()
	cfg.Resources.Dir = i.dir
	cfg.ExtAuthz.Address = config.Address("unix://" + filepath.Join(root, "authz"))
	cfg.Ops.Address = config.Address("unix://" + filepath.Join(root, "ops"))
	for _, edit := range edits {
		edit(cfg)
	}
	s, err := New(cfg, Options{Version: "v1", Commit: "c1", Log: i.out, DecisionLog: io.Discard})
	i.Server = s
	return i, err
}

// start runs a Server and waits until it is ready.
func start(t testing.TB, files map[string]string, edits ...func(*config.Config)) *instance {
	t.Helper()
	i, err := assemble(t, files, edits...)
	if err != nil {
		t.Fatal(err)
	}
	i.runUntilReady()
	return i
}

func (i *instance) runUntilReady() {
	i.t.Helper()
	i.run()
	i.connect(grpc.WithTransportCredentials(insecure.NewCredentials()))
	i.await("ready", func() bool { return i.ready.Load() || i.hasEnded() })
	if i.hasEnded() {
		i.t.Fatalf("Run: %v", i.err)
	}
}

func (i *instance) run() {
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	go func() {
		defer close(i.ended)
		i.err = i.Run(ctx)
	}()
	i.t.Cleanup(func() {
		stop()
		<-i.ended
	})
}

func (i *instance) hasEnded() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// connect makes clients of both listeners.
func (i *instance) connect(options ...grpc.DialOption) {
	i.t.Helper()
	conn, err := grpc.NewClient(strings.Replace(string(i.cfg.ExtAuthz.Address), "127.", "passthrough:127.", 1), options...)
	if err != nil {
		i.t.Fatal(err)
	}
	i.conn = conn
	network, address := "tcp", string(i.cfg.Ops.Address)
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		network, address = "unix", path
	}
	dialer := &net.Dialer{}
	i.web = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}}
	i.t.Cleanup(func() { _ = conn.Close() })
}

func (i *instance) write(files map[string]string) {
	i.t.Helper()
	for name, text := range files {
		writeFile(i.t, filepath.Join(i.dir, name), text)
	}
}

// await waits for a condition that must come true soon.
func (i *instance) await(what string, done func() bool) {
	i.t.Helper()
	end := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(end) {
			i.t.Fatalf("not %s; the log:\n%s", what, i.out)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// get asks the operators' listener.
func (i *instance) get(path string) (code int, body string) {
	i.t.Helper()
	r, err := i.web.Get("http://ops" + path)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// metric returns a series' value as /metrics prints it, "" if it is not there.
func (i *instance) metric(series string) string {
	i.t.Helper()
	code, body := i.get("/metrics")
	if code != http.StatusOK {
		i.t.Fatalf("/metrics: %d %s", code, body)
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (i *instance) health() string {
	i.t.Helper()
	r, err := healthgrpc.NewHealthClient(i.conn).Check(context.Background(), &healthgrpc.HealthCheckRequest{})
	if err != nil {
		return err.Error()
	}
	return r.GetStatus().String()
}

// answer is what comes of a check: the status, 200 for an allow, and the headers that it sets.
type answer struct {
	status  int
	headers map[string]string
}

func (a answer) String() string { return fmt.Sprint(a.status, " ", a.headers["x-gen"]) }

// ask has a request for GET https://shop.test/ decided.
func (i *instance) ask(ctx context.Context, headers map[string]string) (answer, error) {
	r, err := authv3.NewAuthorizationClient(i.conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Scheme: "https", Host: "shop.test", Path: "/", Protocol: "HTTP/2", Headers: headers,
		}},
	}})
	a := answer{http.StatusOK, map[string]string{}}
	for _, h := range r.GetOkResponse().GetHeaders() {
		a.headers[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	if r.GetDeniedResponse() != nil {
		a.status = int(r.GetDeniedResponse().GetStatus().GetCode())
	}
	return a, err
}

// wants waits until a request with the header is answered so.
func (i *instance) wants(status int, header, value string) {
	i.t.Helper()
	var last answer
	i.await(fmt.Sprintf("%d for %s", status, value), func() bool {
		var err error
		if last, err = i.ask(context.Background(), map[string]string{header: value}); err != nil {
			i.t.Fatal(err)
		}
		return last.status == status
	})
}

// loaderOf returns a loader that has loaded the files, and the snapshot of them.
func loaderOf(t testing.TB, files map[string]string) (*loader, source.Snapshot) {
	t.Helper()
	i, err := assemble(t, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.drain(); i.parts.close() })
	snap, err := source.ReadDir(i.dir)
	if err != nil {
		t.Fatal(err)
	}
	if r := i.loader.load(snap); len(r.errors) > 0 {
		t.Fatal(r.errors)
	}
	return i.loader, snap
}

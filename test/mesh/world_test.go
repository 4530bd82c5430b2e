//go:build linux

package mesh

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// The addresses of testdata/cluster.yaml.
const (
	posternAddress  = "192.0.2.10:9001"
	upstreamAddress = "192.0.2.20:18080"
)

// world is one cluster with Postern and an upstream, before a mesh is there.
type world struct {
	*harness.Cluster
	dir      string
	upstream *harness.Upstream
	keys     map[string]string // by the name of a credential of testdata/app.yaml
	secret   string            // that webhooks are signed with
}

// newWorld starts a cluster, applies what every mesh needs and starts Postern on it.
func newWorld(t *testing.T, ctx context.Context) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), keys: map[string]string{}, secret: rand.Text(), upstream: &harness.Upstream{}}
	var err error
	if w.Cluster, err = harness.StartCluster(ctx, filepath.Join(w.dir, "cluster"), os.Stderr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	// The experimental channel has GEP-1494's filter.
	gatewayAPI := filepath.Join(moduleDir(t, ctx, ".", "sigs.k8s.io/gateway-api"), "config", "crd", "experimental")
	if _, err := w.Kubectl(ctx, "apply", "--server-side", "--kustomize", gatewayAPI); err != nil {
		t.Fatal(err)
	}
	w.applyFiles(t, ctx, filepath.Join(programs.root, "helm", "postern", "files", "crds"))
	w.applyFiles(t, ctx, "testdata/cluster.yaml")
	w.applyFiles(t, ctx, example("kubernetes", "policies.yaml"))
	w.applyApp(t, ctx)
	w.serveUpstream(t)
	w.startPostern(t, ctx, fmt.Sprintf("extauthz: {address: %q}\n", posternAddress), "127.0.0.1:9003")
	return w
}

// applyApp makes an App of the test's own, for the keys in the examples are nobody's, and the Secret that they name.
func (w *world) applyApp(t *testing.T, ctx context.Context) {
	t.Helper()
	text, err := os.ReadFile("testdata/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	app := strings.ReplaceAll(string(text), "{secret of github}", w.secret)
	for _, name := range []string{"all", "reader"} {
		key, err := harness.GenerateKey(ctx, programs.postern)
		if err != nil {
			t.Fatal(err)
		}
		w.keys[name] = key.Key
		app = strings.ReplaceAll(app, "{digest of "+name+"}", key.Digest)
	}
	if err := w.Apply(ctx, app); err != nil {
		t.Fatal(err)
	}
}

func (w *world) serveUpstream(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", upstreamAddress)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w.upstream}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}

// startPostern runs Postern as a Deployment would, with this part of its configuration and the API server as the source
// of its resources.
func (w *world) startPostern(t *testing.T, ctx context.Context, extauthz, ops string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "postern.yaml")
	text := fmt.Sprintf("%sops: {address: %q}\nresources: {kubernetes: {kubeconfig: %q}}\n", extauthz, ops, w.Kubeconfig)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := harness.Start("postern", programs.postern, "serve", "-c", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	if err := p.AwaitReady(ctx, func() bool { return harness.OK(ctx, "http://"+ops+"/readyz") }); err != nil {
		t.Fatal(err)
	}
}

// stop ends a process and shows the end of what it wrote if the test has failed.
func stop(t *testing.T, p *harness.Process) {
	t.Helper()
	p.Kill()
	if t.Failed() {
		t.Log(p.Tail())
	}
}

// applyFiles applies manifests, or directories of them.
func (w *world) applyFiles(t *testing.T, ctx context.Context, paths ...string) {
	t.Helper()
	args := []string{"apply", "--server-side"}
	for _, path := range paths {
		args = append(args, "--filename", path)
	}
	if _, err := w.Kubectl(ctx, args...); err != nil {
		t.Fatal(err)
	}
}

// read fills object with what kubectl get prints.
func (w *world) read(t *testing.T, ctx context.Context, object any, args ...string) {
	t.Helper()
	text, err := w.Kubectl(ctx, append([]string{"get", "--output", "json"}, args...)...)
	if err == nil {
		err = json.Unmarshal([]byte(text), object)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// example returns the path of a file below envoy.
func example(path ...string) string {
	return filepath.Join(append([]string{programs.root, "envoy"}, path...)...)
}

// moduleDir returns the directory of the sources of a module that the one in a directory of this repository requires.
func moduleDir(t *testing.T, ctx context.Context, dir, module string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir = filepath.Join(programs.root, dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -m %s in %s: %v", module, dir, err)
	}
	return strings.TrimSpace(string(out))
}

// deadline bounds how long a test waits for what it starts.
const deadline = 5 * time.Minute

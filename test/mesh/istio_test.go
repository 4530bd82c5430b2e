//go:build linux

package mesh

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/test/harness"
)

// What istiod's own flags and testdata/istio-envoy.yaml say.
const (
	istiodReady  = "http://127.0.0.1:15080/ready"
	istioGateway = "192.0.2.30:80"
	istioAdmin   = "http://127.0.0.1:15000"
)

func TestIstio(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	w := newWorld(t, ctx)
	w.startIstiod(t, ctx)
	w.applyFiles(t, ctx, example("kubernetes", "routes.yaml"), example("istio", "gateway.yaml"), "testdata/istio-gateway.yaml")
	w.reportPodReady(t, ctx)
	w.startIstioEnvoy(t, ctx)
	c := caller{world: w, address: istioGateway}

	// Before Postern is asked, everybody is let in: what follows proves that it is.
	orders := request("GET", "/orders/1", "shop.example.com")
	c.awaitStatus(t, ctx, "Istio routes", orders, 200)

	t.Run("GEP-1494", func(t *testing.T) { c.tryGEP1494(t, ctx, 404) })
	t.Run("AuthorizationPolicy", func(t *testing.T) {
		w.applyFiles(t, ctx, example("istio", "authorization-policy.yaml"))
		c.awaitStatus(t, ctx, "Postern is asked", orders, 401)
		c.tryAll(t, exchanges())
		c.tryAll(t, leaky)
		c.tryAll(t, c.webhooks(false))
	})
	t.Run("hardening", func(t *testing.T) {
		w.applyFiles(t, ctx, example("istio", "hardening.yaml"))
		c.awaitStatus(t, ctx, "encoded slashes are refused", request("GET", "/healthz%2Fx", "shop.example.com"), 400)
		c.tryAll(t, exchanges())
		c.tryAll(t, hardened)
	})
	t.Run("EnvoyFilter", func(t *testing.T) {
		c.withdraw(t, ctx, example("istio", "authorization-policy.yaml"))
		w.applyFiles(t, ctx, example("istio", "envoy-filter.yaml"))
		c.awaitStatus(t, ctx, "Postern is asked again", orders, 401)
		c.tryAll(t, exchanges())
		c.tryAll(t, hardened)
		c.tryAll(t, c.webhooks(true))
		c.withdraw(t, ctx, example("istio", "envoy-filter.yaml"))
	})
	t.Run("chart", func(t *testing.T) { c.tryIstioChart(t, ctx) })
}

// startIstiod starts istiod with the mesh configuration of the example.
func (w *world) startIstiod(t *testing.T, ctx context.Context) {
	t.Helper()
	w.applyFiles(t, ctx, filepath.Join(moduleDir(t, ctx, "test/tools/istio", "istio.io/istio"), "manifests", "charts", "base", "files", "crd-all.gen.yaml"))
	if err := w.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}"); err != nil {
		t.Fatal(err)
	}
	mesh := filepath.Join(w.dir, "mesh.yaml")
	if err := os.WriteFile(mesh, meshConfig(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kubectl(ctx, "create", "configmap", "istio", "--namespace", "istio-system", "--from-file=mesh="+mesh); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(programs.istiod, "discovery", "--kubeconfig", w.Kubeconfig, "--meshConfig", mesh,
		"--httpAddr", "127.0.0.1:15080", "--grpcAddr", "127.0.0.1:15010", "--monitoringAddr", "127.0.0.1:15014",
		"--httpsAddr", "", "--secureGRPCAddr", "")
	// No Pod is created here, so there is nothing to inject into; nor is there a webhook's certificate.
	cmd.Env = append(os.Environ(), "POD_NAMESPACE=istio-system", "INJECT_ENABLED=false", "VALIDATION_WEBHOOK_CONFIG_NAME=",
		// Filters that only Istio's own build of Envoy has.
		"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false")
	cmd.Dir = w.dir
	p, err := harness.StartCommand("istiod", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	if err := p.AwaitReady(ctx, func() bool { return harness.OK(ctx, istiodReady) }); err != nil {
		t.Fatal(err)
	}
}

// meshConfig returns the example's, without mutual TLS: nothing here hands out certificates.
func meshConfig(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(example("istio", "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		MeshConfig map[string]any `json:"meshConfig"`
	}
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	values.MeshConfig["enableAutoMtls"] = false
	mesh, err := yaml.Marshal(values.MeshConfig)
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// reportPodReady says of the Gateway's Pod what its kubelet would.
func (w *world) reportPodReady(t *testing.T, ctx context.Context) {
	t.Helper()
	status := `{"status": {"phase": "Running", "podIP": "192.0.2.30", "podIPs": [{"ip": "192.0.2.30"}],
		"conditions": [{"type": "Ready", "status": "True"}]}}`
	if _, err := w.Kubectl(ctx, "patch", "pod", "shop-istio-1", "--namespace", "shop", "--subresource=status",
		"--type=merge", "--patch", status); err != nil {
		t.Fatal(err)
	}
}

func (w *world) startIstioEnvoy(t *testing.T, ctx context.Context) {
	t.Helper()
	p, err := harness.Start("envoy", programs.envoy, "-c", "testdata/istio-envoy.yaml", "--concurrency", "1",
		"--use-dynamic-base-id", "--log-level", "error")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	if err := p.AwaitReady(ctx, func() bool { return harness.OK(ctx, istioAdmin+"/ready") }); err != nil {
		t.Fatal(err)
	}
}

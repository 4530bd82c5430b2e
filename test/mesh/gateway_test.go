//go:build linux

package mesh

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/postern-auth/postern/test/harness"
)

const (
	gatewaySystem = "envoy-gateway-system"
	gatewayHTTP   = "127.0.0.1:10080" // port 80 of the Gateway, as Envoy Gateway's Envoy listens to it
	ofOurGateway  = "gateway.envoyproxy.io/owning-gateway-name=shop"
)

func TestEnvoyGateway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	w := newWorld(t, ctx)
	controller := w.startGateway(t, ctx)
	w.applyFiles(t, ctx, example("kubernetes", "routes.yaml"), example("envoy-gateway", "gateway.yaml"))
	w.startGatewayEnvoy(t, ctx, controller)
	c := caller{world: w, address: gatewayHTTP}

	// Before Postern is asked, everybody is let in: what follows proves that it is.
	orders := request("GET", "/orders/1", "shop.example.com")
	c.awaitStatus(t, ctx, "Envoy Gateway routes", orders, 200)

	t.Run("GEP-1494", func(t *testing.T) { c.tryGEP1494(t, ctx, 500) })
	t.Run("SecurityPolicy", func(t *testing.T) {
		w.applyFiles(t, ctx, example("envoy-gateway", "security-policy.yaml"))
		c.awaitStatus(t, ctx, "Postern is asked", orders, 401)
		c.awaitStatus(t, ctx, "and not of the health check", request("GET", "/healthz", "shop.example.com"), 200)
		c.tryAll(t, exchanges())
		c.tryAll(t, leaky)
		c.tryAll(t, c.webhooks(false))
	})
	t.Run("hardening", func(t *testing.T) {
		w.applyFiles(t, ctx, example("envoy-gateway", "hardening.yaml"))
		c.awaitStatus(t, ctx, "encoded slashes are refused", request("GET", "/healthz%2Fx", "shop.example.com"), 400)
		c.tryAll(t, exchanges())
		c.tryAll(t, hardened)
	})
	t.Run("route metadata", func(t *testing.T) {
		file := example("envoy-gateway", "security-policy.yaml")
		w.applyFiles(t, ctx, "testdata/second-gateway.yaml")
		w.applyChanged(t, ctx, file, "includeRouteMetadata: true", "includeRouteMetadata: false")
		c.awaitStatus(t, ctx, "host and path do not tell which route was chosen", orders, 403)
		c.try(t, exchange{request: orders, key: "all", status: 403})
		w.applyFiles(t, ctx, file)
		c.awaitStatus(t, ctx, "Envoy tells", orders, 401)
		c.tryAll(t, exchanges())
	})
	t.Run("contextExtensions", func(t *testing.T) {
		reports := request("GET", "/", "reports.example.com")
		// By host and path the right one would be found as well.
		w.applyChanged(t, ctx, example("envoy-gateway", "context-extensions.yaml"), "value: shop/reports", "value: shop/nobody")
		c.awaitStatus(t, ctx, "an unknown name denies", reports, 403)
		c.try(t, exchange{request: reports, key: "all", status: 403})
		w.applyFiles(t, ctx, example("envoy-gateway", "context-extensions.yaml"))
		c.awaitStatus(t, ctx, "the named policy counts", reports, 401)
		c.tryAll(t, exchanges())
	})
	t.Run("bodies", func(t *testing.T) {
		w.applyFiles(t, ctx, example("envoy-gateway", "body.yaml"))
		c.awaitAnyStatus(t, ctx, "bodies are handed over", c.webhook, 200)
		c.tryAll(t, c.webhooks(true))
		c.withdraw(t, ctx, example("envoy-gateway", "security-policy.yaml"), example("envoy-gateway", "context-extensions.yaml"),
			example("envoy-gateway", "body.yaml"))
	})
	t.Run("chart", func(t *testing.T) { c.tryGatewayChart(t, ctx) })
}

// applyChanged applies an example that says something else in one place: what it says must make a difference.
func (w *world) applyChanged(t *testing.T, ctx context.Context, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), from, to, 1)
	if changed == string(text) {
		t.Fatalf("%s does not say %q", file, from)
	}
	if err := w.Apply(ctx, changed); err != nil {
		t.Fatal(err)
	}
}

// startGateway starts Envoy Gateway's controller. What it reads from fixed paths is in a directory that is its root.
func (w *world) startGateway(t *testing.T, ctx context.Context) *harness.Process {
	t.Helper()
	w.applyFiles(t, ctx, filepath.Join(moduleDir(t, ctx, "test/tools/envoy-gateway", "github.com/envoyproxy/gateway"), "charts", "gateway-helm", "charts", "crds", "crds", "generated"))
	// What its chart makes. The Deployment and the service account own what it makes itself.
	for _, args := range [][]string{
		{"create", "namespace", gatewaySystem},
		{"create", "serviceaccount", "envoy-gateway", "--namespace", gatewaySystem},
		{"create", "deployment", "envoy-gateway", "--image=none", "--namespace", gatewaySystem},
		{"create", "configmap", "envoy-gateway-config", "--from-file=envoy-gateway.yaml=testdata/envoy-gateway.yaml", "--namespace", gatewaySystem},
	} {
		if _, err := w.Kubectl(ctx, args...); err != nil {
			t.Fatal(err)
		}
	}
	certgen := exec.CommandContext(ctx, programs.gateway, "certgen", "--disable-topology-injector")
	certgen.Env = append(w.Env(), "ENVOY_GATEWAY_NAMESPACE="+gatewaySystem)
	if out, err := certgen.CombinedOutput(); err != nil {
		t.Fatalf("certgen: %v\n%s", err, out)
	}
	root := filepath.Join(w.dir, "root")
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.writeSecret(t, ctx, "envoy-gateway", filepath.Join(root, "certs"))
	kubeconfig, err := w.Kubectl(ctx, "config", "view", "--raw", "--flatten")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(root, "kubeconfig"), []byte(kubeconfig), 0o600),
		copyFile("testdata/envoy-gateway.yaml", filepath.Join(root, "envoy-gateway.yaml")),
		copyFile(programs.gateway, filepath.Join(root, "envoy-gateway")),
	); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/envoy-gateway", "server", "--config-path", "/envoy-gateway.yaml")
	cmd.Env = []string{
		"HOME=/", "KUBECONFIG=/kubeconfig", "ENVOY_GATEWAY_NAMESPACE=" + gatewaySystem, "KUBERNETES_CLUSTER_DOMAIN=cluster.local",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	p, err := harness.StartCommand("envoy-gateway", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

// startGatewayEnvoy waits until Envoy Gateway has made a Deployment and runs the Envoy in it, as a kubelet would.
func (w *world) startGatewayEnvoy(t *testing.T, ctx context.Context, controller *harness.Process) {
	t.Helper()
	client, err := kubernetes.NewForConfig(w.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	var deployments *appsv1.DeploymentList
	err = controller.AwaitReady(ctx, func() bool {
		deployments, err = client.AppsV1().Deployments(gatewaySystem).List(ctx, metav1.ListOptions{LabelSelector: ofOurGateway})
		return err == nil && len(deployments.Items) == 1
	})
	if err != nil {
		t.Fatal(err)
	}
	volumes := filepath.Join(w.dir, "volumes")
	w.writeSecret(t, ctx, "envoy", filepath.Join(volumes, "certs"))
	var maps corev1.ConfigMapList
	w.read(t, ctx, &maps, "configmaps", "--namespace", gatewaySystem, "--selector", ofOurGateway)
	mounted := strings.NewReplacer(
		"/certs/", filepath.Join(volumes, "certs")+"/", "/sds/", filepath.Join(volumes, "sds")+"/",
		"$(ENVOY_POD_NAME)", "shop-1", "$(ENVOY_POD_NAMESPACE)", gatewaySystem, "$(ENVOY_SERVICE_ZONE)", "",
		"$(ENVOY_GATEWAY_NAMESPACE)", gatewaySystem,
		"envoy-gateway."+gatewaySystem+".svc.cluster.local.", "127.0.0.1", // the cluster's DNS
	)
	if err := os.MkdirAll(filepath.Join(volumes, "sds"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, m := range maps.Items {
		for name, text := range m.Data {
			if err := os.WriteFile(filepath.Join(volumes, "sds", name), []byte(mounted.Replace(text)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	containers := deployments.Items[0].Spec.Template.Spec.Containers
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == "envoy" })
	if i < 0 {
		t.Fatal("the Deployment has no container named envoy")
	}
	args := []string{"--concurrency", "1", "--use-dynamic-base-id"}
	for _, arg := range containers[i].Args {
		args = append(args, mounted.Replace(arg))
	}
	p, err := harness.Start("envoy", programs.envoy, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
}

// writeSecret writes the values of one of Envoy Gateway's Secrets as files of a directory.
func (w *world) writeSecret(t *testing.T, ctx context.Context, name, dir string) {
	t.Helper()
	var secret corev1.Secret
	w.read(t, ctx, &secret, "secret", name, "--namespace", gatewaySystem)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for key, value := range secret.Data {
		if err := os.WriteFile(filepath.Join(dir, key), value, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

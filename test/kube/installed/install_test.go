package installed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/test/harness"
)

// The release that tests install, and its namespace.
const (
	release = "postern"
	system  = "postern-system"
)

// installation is the chart, installed in a cluster without a kubelet: the tests run what its Pods would.
type installation struct {
	*harness.Cluster
	client client.Client // as the administrator

	dir        string
	kubeconfig string // of the release's service account
	config     string // the release's postern.yaml
}

// install starts a cluster, installs the Gateway API and the chart, and asks for what a Pod would be given. Values are
// of helm's --set-json.
func install(ctx context.Context, dir string, values ...string) (*installation, error) {
	cluster, err := harness.StartCluster(ctx, filepath.Join(dir, "cluster"), os.Stderr)
	if err != nil {
		return nil, err
	}
	in := &installation{Cluster: cluster, dir: dir, config: filepath.Join(dir, "postern.yaml")}
	if in.client, err = newClient(cluster); err == nil {
		err = cluster.InstallGatewayAPI(ctx)
	}
	if err == nil {
		err = in.upgrade(ctx, values...)
	}
	if err != nil {
		in.Stop()
		return nil, err
	}
	return in, nil
}

// upgrade installs the release, or upgrades it to other values.
func (in *installation) upgrade(ctx context.Context, values ...string) (err error) {
	args := []string{"upgrade", "--install", release, chart(), "--namespace", system, "--create-namespace"}
	for _, v := range values {
		args = append(args, "--set-json", v)
	}
	if _, err := in.Helm(ctx, args...); err != nil {
		return err
	}
	if in.kubeconfig, err = in.ServiceAccountKubeconfig(ctx, system, release); err != nil {
		return err
	}
	var config corev1.ConfigMap
	if err := in.client.Get(ctx, client.ObjectKey{Namespace: system, Name: release}, &config); err != nil {
		return err
	}
	return os.WriteFile(in.config, []byte(config.Data["postern.yaml"]), 0o600)
}

// own installs the chart in a cluster of the test's own.
func own(ctx context.Context, t *testing.T, values ...string) *installation {
	t.Helper()
	in, err := install(ctx, t.TempDir(), values...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Stop)
	return in
}

func chart() string { return filepath.Join(world.root, "helm", "postern") }

func newClient(c *harness.Cluster) (client.Client, error) {
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), gatewayv1.Install(s), v1alpha1.AddToScheme(s)); err != nil {
		return nil, err
	}
	return client.New(c.RESTConfig(), client.Options{Scheme: s})
}

// command is what a Pod of the Deployment runs, but for its addresses.
func (in *installation) command(pod, authz, ops string) *exec.Cmd {
	cmd := exec.Command(world.bin, "serve", "-c", in.config, "--extauthz", authz, "--ops", ops)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+in.kubeconfig, "POD_NAME="+pod, "POD_NAMESPACE="+system)
	return cmd
}

// apply applies a manifest in which each {word} of the pairs has been replaced.
func (in *installation) apply(ctx context.Context, t *testing.T, manifest string, pairs ...string) {
	t.Helper()
	if err := in.Apply(ctx, fill(manifest, pairs...)); err != nil {
		t.Fatal(err)
	}
}

func fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

// namespace makes a namespace for a test.
func (in *installation) namespace(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	in.apply(ctx, t, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", name))
	return name
}

// key mints an API key.
func key(ctx context.Context, t *testing.T) harness.GeneratedKey {
	t.Helper()
	k, err := harness.GenerateKey(ctx, world.bin)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

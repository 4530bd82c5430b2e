// Package chart checks the Helm chart: what it renders from the values in testdata/values is accepted by a real API
// server that knows the definitions of everybody's custom resources, its configuration by the server, its alerts by
// Prometheus; and the values in testdata/refused are refused for the reason in their first line.
package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/postern-auth/postern/test/harness"
)

const namespace = "postern-system"

// world is what all tests share.
var world struct {
	root, chart string
	cluster     *harness.Cluster
}

func TestMain(m *testing.M) { harness.MainWithCluster(m, prepare) }

// prepare makes the namespaces that the values name and installs everybody's definitions.
func prepare(ctx context.Context, c *harness.Cluster) (err error) {
	world.cluster = c
	if world.root, err = harness.Root(); err != nil {
		return err
	}
	world.chart = filepath.Join(world.root, "helm", "postern")
	if err := c.InstallGatewayAPI(ctx); err != nil {
		return err
	}
	const (
		monitoring   = "example/prometheus-operator-crd/monitoring.coreos.com_"
		envoyGateway = "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_"
	)
	for module, files := range map[string][]string{
		"github.com/cert-manager/cert-manager": {"deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"},
		"github.com/envoyproxy/gateway": {
			envoyGateway + "backends.yaml", envoyGateway + "securitypolicies.yaml",
		},
		"github.com/prometheus-operator/prometheus-operator": {
			monitoring + "podmonitors.yaml", monitoring + "prometheusrules.yaml", monitoring + "servicemonitors.yaml",
		},
		"istio.io/api": {"kubernetes/customresourcedefinitions.gen.yaml"},
	} {
		if err := define(ctx, module, files); err != nil {
			return err
		}
	}
	for _, name := range []string{namespace, "shop", "billing", "shared", "istio-ingress"} {
		labels := ""
		if name == namespace {
			labels = "\n  labels: {pod-security.kubernetes.io/enforce: restricted}"
		}
		if err := c.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: "+name+labels+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// define applies the custom resource definitions that come with a module which test/tools/definitions pins.
func define(ctx context.Context, module string, files []string) error {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	download.Dir = filepath.Join(world.root, "test", "tools", "definitions")
	out, err := download.Output()
	var got struct{ Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(out, &got)); err != nil {
		return fmt.Errorf("fetching the definitions in %s, for which the module proxy is needed: %w %s", module, err, got.Error)
	}
	args := []string{"apply", "--server-side", "--force-conflicts"}
	for _, f := range files {
		args = append(args, "-f", filepath.Join(got.Dir, filepath.FromSlash(f)))
	}
	_, err = world.cluster.Kubectl(ctx, args...)
	return err
}

// template renders the chart with the values in a file, as a release of its own name.
func template(ctx context.Context, t *testing.T, values string, args ...string) string {
	t.Helper()
	out, err := world.cluster.Helm(ctx, append([]string{"template", "postern", world.chart, "--namespace", namespace, "--values", values}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// objects decodes a manifest.
func objects(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(manifest), 4096); ; {
		o := &unstructured.Unstructured{}
		if err := d.Decode(&o.Object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
}

// each runs a test for every file of values in a directory of testdata.
func each(t *testing.T, dir string, test func(ctx context.Context, t *testing.T, values string)) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("testdata/%s holds no values: %v", dir, err)
	}
	for _, values := range found {
		t.Run(strings.TrimSuffix(filepath.Base(values), ".yaml"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			test(ctx, t, values)
		})
	}
}

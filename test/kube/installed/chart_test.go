package installed

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/test/harness"
)

const named = `apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: named, namespace: default}
spec: {displayName: Named}
`

// TestChartLifeCycle: install, upgrade from an older chart, rollback and uninstall, each waited for by helm as in a
// pipeline. An upgrade brings the definitions up to date, and nothing takes away what users wrote.
func TestChartLifeCycle(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := harness.StartCluster(ctx, filepath.Join(t.TempDir(), "cluster"), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	if err := c.StartControllers(ctx); err != nil {
		t.Fatal(err)
	}
	helm := func(args ...string) {
		t.Helper()
		began := time.Now()
		if _, err := c.Helm(ctx, append(args, "--namespace", system, "--wait", "--timeout", "90s")...); err != nil {
			t.Fatal(err)
		}
		t.Logf("helm %s: %s", args[0], time.Since(began).Round(100*time.Millisecond))
	}
	users := fill(shop, "ns", "users", "digest", "sha256:"+strings.Repeat("0", 64))
	kept := func(when string) {
		t.Helper()
		for _, o := range []string{"authscheme/key", "authpolicy/orders", "app/acme"} {
			if out, err := c.Kubectl(ctx, "get", "--namespace", "users", o, "-o", "name"); err != nil || out == "" {
				t.Errorf("%s: %v", when, err)
			}
		}
	}

	helm("install", release, olderChart(t), "--create-namespace")
	if err := c.Apply(ctx, users); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(ctx, named); err == nil || !strings.Contains(err.Error(), "displayName") {
		t.Errorf("a field that the older definition does not have: %v", err)
	}
	helm("upgrade", release, chart())
	kept("after the upgrade")
	awaitApplied(ctx, t, c, named)
	if out, err := c.Kubectl(ctx, "get", "deployment", release, "--namespace", system, "-o", "jsonpath={.status.readyReplicas}"); err != nil || out != "2" {
		t.Errorf("%q replicas are ready (%v), want 2", out, err)
	}
	helm("rollback", release, "1")
	kept("after the rollback")
	awaitDisplayName(ctx, t, c, "") // the older definition does not serve it
	helm("upgrade", release, chart())
	kept("after the second upgrade")
	awaitDisplayName(ctx, t, c, "Named") // nobody has written the App meanwhile
	helm("uninstall", release)
	kept("after the uninstallation")
	if out, err := c.Kubectl(ctx, "get", "deployments,serviceaccounts,configmaps", "--namespace", system,
		"-l", "app.kubernetes.io/instance="+release, "-o", "name"); err != nil || out != "" {
		t.Errorf("left behind: %s (%v)", out, err)
	}
	helm("install", release, chart())
	kept("after a new installation")
}

// awaitApplied applies a manifest as soon as the API server has taken in a new definition.
func awaitApplied(ctx context.Context, t *testing.T, c *harness.Cluster, manifest string) {
	t.Helper()
	var last error
	if err := harness.Await(ctx, "the new definition counts", func() bool { last = c.Apply(ctx, manifest); return last == nil }); err != nil {
		t.Fatalf("%v: %v", err, last)
	}
}

// awaitDisplayName waits until the API server serves the App named so, with or without the field that is new.
func awaitDisplayName(ctx context.Context, t *testing.T, c *harness.Cluster, want string) {
	t.Helper()
	var got string
	if err := harness.Await(ctx, "the definition counts", func() bool {
		out, err := c.Kubectl(ctx, "get", "app.postern.dev/named", "--namespace", "default", "-o", "jsonpath={.spec.displayName}")
		got = out
		return err == nil && got == want
	}); err != nil {
		t.Fatalf("%v: displayName is %q, want %q", err, got, want)
	}
}

// olderChart returns a chart as an earlier version could have been: its definition of App has no displayName.
func olderChart(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "postern")
	if err := os.CopyFS(dir, os.DirFS(chart())); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "Chart.yaml"), func(chart map[string]any) { chart["version"] = "0.0.1" })
	edit(t, filepath.Join(dir, "files", "crds", "postern.dev_apps.yaml"), func(crd map[string]any) {
		versions, _, err := unstructured.NestedSlice(crd, "spec", "versions")
		if err != nil || len(versions) != 1 {
			t.Fatalf("the definition of App has %d versions (%v), want 1", len(versions), err)
		}
		unstructured.RemoveNestedField(versions[0].(map[string]any),
			"schema", "openAPIV3Schema", "properties", "spec", "properties", "displayName")
		if err := unstructured.SetNestedSlice(crd, versions, "spec", "versions"); err != nil {
			t.Fatal(err)
		}
	})
	return dir
}

// edit changes a YAML file.
func edit(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := yaml.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	change(content)
	if text, err = yaml.Marshal(content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

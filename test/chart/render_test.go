package chart

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/postern-auth/postern/internal/config"
)

// TestLint: helm finds no fault, not even one to warn of.
func TestLint(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		if out, err := world.cluster.Helm(ctx, "lint", "--strict", world.chart, "--values", values); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// TestAccepted: the API server would take every object, with unknown fields refused and all definitions known.
func TestAccepted(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		path := filepath.Join(t.TempDir(), "manifest.yaml")
		if err := os.WriteFile(path, []byte(template(ctx, t, values)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := world.cluster.Kubectl(ctx, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path)
		if err != nil {
			t.Fatal(err)
		}
		if accepted := strings.Count(out, "serverside-applied"); accepted == 0 || accepted != strings.Count(out, "\n") {
			t.Errorf("not all is accepted:\n%s", out)
		}
	})
}

// TestPodSecurity: a namespace that enforces the restricted Pod Security Standard takes the Pods.
func TestPodSecurity(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		pod := podOf(t, template(ctx, t, values, "--show-only", "templates/deployment.yaml"))
		path := filepath.Join(t.TempDir(), "pod.json")
		text, err := pod.MarshalJSON()
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := world.cluster.Kubectl(ctx, "create", "--dry-run=server", "--namespace", namespace, "-f", path); err != nil {
			t.Error(err)
		}
	})
}

// podOf returns the Pod that a manifest's Deployment would make.
func podOf(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects(t, manifest) {
		template, found, err := unstructured.NestedMap(o.Object, "spec", "template")
		if err != nil || !found {
			continue
		}
		pod := &unstructured.Unstructured{Object: template}
		pod.SetAPIVersion("v1")
		pod.SetKind("Pod")
		pod.SetName("postern")
		unstructured.RemoveNestedField(pod.Object, "spec", "priorityClassName") // its number is the scheduler's business
		return pod
	}
	t.Fatal("no Deployment is rendered")
	return nil
}

// TestConfig: the server takes the postern.yaml, and takes it to mean what the values say.
func TestConfig(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		for _, o := range objects(t, template(ctx, t, values, "--show-only", "templates/configmap.yaml")) {
			text, _, err := unstructured.NestedString(o.Object, "data", "postern.yaml")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "postern.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(path)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if err := cfg.ValidateValues(); err != nil { // the files it names are the Pod's
				t.Fatalf("%v\n%s", err, text)
			}
			if cfg.Resources.Kubernetes == nil {
				t.Error("the resources do not come from the cluster")
			}
		}
	})
}

// TestDefaults: values that nobody has set leave the server's own defaults.
func TestDefaults(t *testing.T) {
	out := template(t.Context(), t, filepath.Join("testdata", "values", "default.yaml"), "--show-only", "templates/configmap.yaml")
	text, _, err := unstructured.NestedString(objects(t, out)[0].Object, "data", "postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "postern.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	if got.Cache != want.Cache || got.Limits != want.Limits || got.Telemetry != want.Telemetry || got.Ops.PProf != want.Ops.PProf ||
		got.Resources.SharedNamespace != want.Resources.SharedNamespace {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestRefused: wrong values are refused, and the reason names the value.
func TestRefused(t *testing.T) {
	each(t, "refused", func(ctx context.Context, t *testing.T, values string) {
		text, err := os.ReadFile(values)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		want := strings.TrimPrefix(first, "# ")
		out, err := world.cluster.Helm(ctx, "template", "postern", world.chart, "--namespace", namespace, "--values", values)
		if err == nil {
			t.Fatalf("rendered\n%s", out)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("\n got %v\nwant %s", err, want)
		}
	})
}

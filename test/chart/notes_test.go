package chart

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// provider is an entry of Istio's meshConfig.extensionProviders.
type provider struct {
	Name              string         `json:"name"`
	EnvoyExtAuthzGrpc map[string]any `json:"envoyExtAuthzGrpc"`
}

// TestNotes: what is printed after an installation fits the values. Package installed runs the commands in it.
func TestNotes(t *testing.T) {
	const (
		wait     = "kubectl -n postern-system rollout status deployment/postern\n"
		nobody   = "Nobody asks it yet."
		plain    = "travel in plain text"
		mesh     = "meshConfig:"
		backends = "extensionApis: {enableBackend: true}"
	)
	for values, says := range map[string]struct{ yes, no []string }{
		"default": {
			yes: []string{wait, nobody, plain, "postern.postern-system.svc.cluster.local:9001.\n", "kubectl -n default wait ", "name: first, namespace: default}"},
			no:  []string{mesh, backends},
		},
		"bare": {
			yes: []string{"-n postern-system rollout status deployment/gate\n", "Postern v9.9.9 answers", "gate.postern-system.svc.example.internal:443.\n"},
		},
		"namespaces":         {yes: []string{"kubectl -n shop wait ", "name: key, namespace: shop}"}},
		"istio":              {yes: []string{wait, mesh, plain}, no: []string{nobody, backends}},
		"istio-envoyfilter":  {yes: []string{wait}, no: []string{nobody, mesh, plain, backends}},
		"envoy-gateway":      {yes: []string{wait}, no: []string{nobody, mesh, plain, backends}},
		"envoy-gateway-mtls": {yes: []string{wait, backends}, no: []string{nobody, mesh, plain}},
	} {
		t.Run(values, func(t *testing.T) {
			got := notes(t.Context(), t, values)
			for _, s := range says.yes {
				if !strings.Contains(got, s) {
					t.Errorf("nothing says %q:\n%s", s, got)
				}
			}
			for _, s := range says.no {
				if strings.Contains(got, s) {
					t.Errorf("something says %q:\n%s", s, got)
				}
			}
		})
	}
}

// TestNotesProvider: the provider that is printed for istiod is that of the example, which `make test-mesh` tries, with
// a body.
func TestNotesProvider(t *testing.T) {
	_, rest, _ := strings.Cut(notes(t.Context(), t, "istio"), "  meshConfig:\n")
	printed, _, _ := strings.Cut("  meshConfig:\n"+rest, "\n\n")
	want := providers(t, "the example", filepath.Join(world.root, "envoy", "istio", "values.yaml"))
	want[0].EnvoyExtAuthzGrpc["includeRequestBodyInCheck"] = map[string]any{
		"maxRequestBytes": 1048576.0, "packAsBytes": true, "allowPartialMessage": false,
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, providers(t, "the notes", file)); diff != "" {
		t.Errorf("-example +notes:\n%s", diff)
	}
}

// providers reads a file of values for istiod's chart.
func providers(t *testing.T, what, path string) []provider {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		MeshConfig struct {
			ExtensionProviders []provider `json:"extensionProviders"`
		} `json:"meshConfig"`
	}
	if err := yaml.Unmarshal(text, &values); err != nil || len(values.MeshConfig.ExtensionProviders) != 1 {
		t.Fatalf("%s: %d providers (%v), want 1:\n%s", what, len(values.MeshConfig.ExtensionProviders), err, text)
	}
	return values.MeshConfig.ExtensionProviders
}

// notes returns what helm prints after it has installed the chart with the values of a file.
func notes(ctx context.Context, t *testing.T, values string) string {
	t.Helper()
	out, err := world.cluster.Helm(ctx, "install", "postern", world.chart, "--namespace", namespace, "--dry-run=client",
		"--values", filepath.Join("testdata", "values", values+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(out, "\nNOTES:\n")
	if !found {
		t.Fatalf("there are no notes:\n%s", out)
	}
	return text
}

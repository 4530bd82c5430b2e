package v1alpha1_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// crds is where the custom resource definitions are, for the chart.
const crds = "../../../helm/postern/files/crds"

// TestGeneratedFilesAreUpToDate: what controller-gen makes of the types is what is committed.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	dir := t.TempDir()
	gen := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../../../test/tools/go.mod", "controller-gen",
		"object", "crd", "paths=.", "output:object:dir="+dir, "output:crd:dir="+dir)
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made := yamlFiles(t, dir)
	if diff := cmp.Diff(yamlFiles(t, crds), made); diff != "" {
		t.Fatalf("run 'make generate' and commit the result: -committed +made\n%s", diff)
	}
	compareFiles(t, "zz_generated.deepcopy.go", filepath.Join(dir, "zz_generated.deepcopy.go"))
	for _, name := range made {
		compareFiles(t, filepath.Join(crds, name), filepath.Join(dir, name))
	}
}

func yamlFiles(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no definitions in %s: %v", dir, err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

func compareFiles(t *testing.T, committed, made string) {
	t.Helper()
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: run 'make generate' and commit the result: -committed +made\n%s", committed, diff)
	}
}

// TestEveryFieldIsExplained: kubectl explain has something to say about each.
func TestEveryFieldIsExplained(t *testing.T) {
	for _, name := range yamlFiles(t, crds) {
		text, err := os.ReadFile(filepath.Join(crds, name))
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatal(err)
		}
		fields, _ := crd.Spec.Versions[0].Schema.OpenAPIV3Schema["properties"].(map[string]any)
		delete(fields, "metadata") // Kubernetes' own
		if len(fields) == 0 {
			t.Errorf("%s: no fields", name)
		}
		explained(t, crd.Spec.Names.Kind, fields)
	}
}

// explained checks a schema's properties, and theirs.
func explained(t *testing.T, at string, fields map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		schema, _ := fields[name].(map[string]any)
		place := fmt.Sprintf("%s.%s", at, name)
		if text, _ := schema["description"].(string); text == "" {
			t.Errorf("%s has no description", place)
		}
		for schema != nil {
			inner, _ := schema["properties"].(map[string]any)
			explained(t, place, inner)
			next, _ := schema["items"].(map[string]any)
			if next == nil {
				next, _ = schema["additionalProperties"].(map[string]any)
			}
			schema = next
		}
	}
}

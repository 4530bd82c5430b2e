package definitions

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestFaults: what the API server finds by itself, one fault at a time. testdata/refused.yaml holds specs by kind and
// fault. In each lint finds exactly one thing wrong, and the API server says something about the same field.
func TestFaults(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var specs map[string]map[string]map[string]any
	read(t, "refused.yaml", &specs)
	for kind, fault := range faults(specs) {
		t.Run(kind+"/"+fault, func(t *testing.T) {
			o := object(kind, specs[kind][fault])
			field := onlyFault(t, o)
			_, err := create(ctx, o)
			causes := refusal(t, err)
			found := slices.ContainsFunc(slices.Collect(maps.Keys(causes)), func(f string) bool { return overlap(f, field) })
			if !found && !strings.Contains(err.Error(), fmt.Sprintf("unknown field %q", field)) {
				t.Errorf("lint finds fault with %s, and the API server says %v", field, err)
			}
			t.Logf("%s: %v", field, causes)
		})
	}
}

// TestFaultsLeftToStatus: what neither a schema nor CEL can tell, or only above CEL's budget, so that it is Postern that
// says it, in the object's status. testdata/accepted.yaml gives the reason for each. Should the API server learn to find
// one, it belongs into refused.yaml.
func TestFaultsLeftToStatus(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var specs map[string]map[string]struct {
		Why  string         `json:"why"`
		Spec map[string]any `json:"spec"`
	}
	read(t, "accepted.yaml", &specs)
	for kind, fault := range faults(specs) {
		t.Run(kind+"/"+fault, func(t *testing.T) {
			if specs[kind][fault].Why == "" {
				t.Error("why can the API server not find it?")
			}
			o := object(kind, specs[kind][fault].Spec)
			onlyFault(t, o)
			if _, err := create(ctx, o); err != nil {
				t.Errorf("move it to refused.yaml: %v", err)
			}
		})
	}
}

func read(t *testing.T, name string, specs any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, specs); err != nil {
		t.Fatal(err)
	}
}

// faults iterates over kinds and the faults of each.
func faults[T any](specs map[string]map[string]T) func(yield func(kind, fault string) bool) {
	return func(yield func(kind, fault string) bool) {
		for _, kind := range slices.Sorted(maps.Keys(specs)) {
			for _, fault := range slices.Sorted(maps.Keys(specs[kind])) {
				if !yield(kind, fault) {
					return
				}
			}
		}
	}
}

func object(kind string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetAPIVersion(v1alpha1.APIVersion)
	o.SetKind(kind)
	o.SetNamespace("shop")
	o.SetName("object")
	return o
}

// onlyFault returns the field of the one thing that lint finds wrong.
func onlyFault(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	_, errs := lint(t, o)
	if len(errs) != 1 {
		t.Fatalf("lint finds %d faults, want 1: %v", len(errs), errs)
	}
	return errs[0].Field
}

// overlap reports whether one of two fields is the other or holds it.
func overlap(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	rest, ok := strings.CutPrefix(b, a)
	return ok && a != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

package definitions

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestValidIsAccepted: what lint accepts comes back as it was sent but for defaults, and those are SetDefaults' own. An
// object that names files, of which a cluster has none, is refused and told what to write instead; then it is accepted.
func TestValidIsAccepted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name, text := range testdata(t, "valid") {
		t.Run(name, func(t *testing.T) {
			objects, err := parse(text)
			if err != nil || len(objects) == 0 {
				t.Fatalf("%d objects, %v", len(objects), err)
			}
			for _, sent := range objects {
				original := sent.DeepCopy()
				if files := replaceFiles(sent.Object); files > 0 {
					_, err := create(ctx, original)
					if causes := refusal(t, err); len(causes) != files || !strings.Contains(err.Error(), "name that in secretRef") {
						t.Errorf("%d files are named, and the API server says %v", files, causes)
					}
					if doc := v1alpha1.NewDocument(typed(t, original)); doc.Err == nil {
						t.Error("the same object is accepted when it comes from an API server all the same")
					}
				}
				got, err := create(ctx, sent)
				if err != nil {
					t.Error(err)
					continue
				}
				if diff := cmp.Diff(typed(t, sent), typed(t, got)); diff != "" {
					t.Errorf("%s %s: -sent +got:\n%s", sent.GetKind(), sent.GetName(), diff)
				}
			}
		})
	}
}

// replaceFiles names a Secret in the place of each file with a secret, and returns how many there were.
func replaceFiles(value any) (count int) {
	switch value := value.(type) {
	case map[string]any:
		if source, ok := value["secret"].(map[string]any); ok {
			delete(value, "secret")
			value["secretRef"] = map[string]any{"name": "instead", "key": source["file"]}
			count++
		}
		for _, inner := range value {
			count += replaceFiles(inner)
		}
	case []any:
		for _, inner := range value {
			count += replaceFiles(inner)
		}
	}
	return count
}

// typed returns the object as Postern sees it, with its defaults and without what is the API server's own.
func typed(t *testing.T, o *unstructured.Unstructured) v1alpha1.Object {
	t.Helper()
	var to v1alpha1.Object
	switch o.GetKind() {
	case v1alpha1.KindAuthScheme:
		to = &v1alpha1.AuthScheme{}
	case v1alpha1.KindAuthPolicy:
		to = &v1alpha1.AuthPolicy{}
	case v1alpha1.KindApp:
		to = &v1alpha1.App{}
	}
	if err := convert(o.Object, to); err != nil {
		t.Fatal(err)
	}
	to.SetDefaults()
	to.SetCreationTimestamp(metav1.Time{})
	to.SetManagedFields(nil)
	to.SetUID("")
	to.SetGeneration(0)
	return to
}

// unsendable are the cases that are about reading a file: no client makes an object of such a text.
var unsendable = []string{"duplicate-field", "kind", "second-document", "syntax"}

// TestInvalidIsRefused: every object of which lint says that anything is wrong, the API server refuses too. Which of what
// is wrong it finds is told by TestFaults.
func TestInvalidIsRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name, text := range testdata(t, "invalid") {
		t.Run(name, func(t *testing.T) {
			if slices.Contains(unsendable, name) {
				if objects, err := parse(text); err == nil && !slices.ContainsFunc(objects, isForeign) {
					t.Error("all of it can be sent")
				}
				return
			}
			objects, err := parse(text)
			if err != nil || len(objects) == 0 {
				t.Fatalf("%d objects, %v", len(objects), err)
			}
			for _, o := range objects {
				if isForeign(o) {
					continue
				}
				makeSendable(o)
				_, errs := lint(t, o)
				if _, err := create(ctx, o); len(errs) > 0 {
					refusal(t, err)
				} else if err != nil {
					t.Errorf("lint accepts what the API server does not: %v", err)
				}
			}
		})
	}
}

// makeSendable gives the object what a request needs for its path, lest nothing else is looked at.
func makeSendable(o *unstructured.Unstructured) {
	if _, ok := o.Object["metadata"].(map[string]any); !ok {
		o.Object["metadata"] = map[string]any{}
	}
	if o.GetName() == "" {
		o.SetName("object")
	}
	if !slices.Contains([]string{"default", "shop"}, o.GetNamespace()) {
		o.SetNamespace("default")
	}
}

// isForeign reports whether the object is not of one of the kinds.
func isForeign(o *unstructured.Unstructured) bool {
	return resources[o.GetKind()] == "" || o.GetAPIVersion() != v1alpha1.APIVersion
}

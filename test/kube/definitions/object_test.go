package definitions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// resources are the kinds as the API server's paths name them.
var resources = map[string]string{
	v1alpha1.KindAuthScheme: "authschemes", v1alpha1.KindAuthPolicy: "authpolicies", v1alpha1.KindApp: "apps",
}

func resource(o *unstructured.Unstructured) dynamic.ResourceInterface {
	return world.client.Resource(v1alpha1.GroupVersion().WithResource(resources[o.GetKind()])).Namespace(o.GetNamespace())
}

// create makes the object as kubectl does: fields that are not known are errors. It is not kept.
func create(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return resource(o).Create(ctx, o, metav1.CreateOptions{
		DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
	})
}

// refusal returns what the API server says is wrong with an object, by field. It fails the test if err says something else,
// or nothing.
func refusal(t *testing.T, err error) map[string]string {
	t.Helper()
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("the API server does not refuse the object: %v", err)
	}
	causes := map[string]string{}
	if details := status.ErrStatus.Details; details != nil {
		for _, c := range details.Causes {
			causes[c.Field] = c.Message
		}
	}
	return causes
}

// testdata returns the cases of the package that defines the kinds, by name: the file in.yaml of each.
func testdata(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(world.root, "internal", "resource", "v1alpha1", "testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases of %s: %v", dir, err)
	}
	cases := make(map[string][]byte, len(files))
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases[strings.TrimSuffix(filepath.Base(file), ".txtar")] = archive.Files[0].Data
	}
	return cases
}

// parse returns the documents of a YAML text as a client would send them, without those that are empty. A document
// without a namespace is in the default one.
func parse(text []byte) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for in := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var content any
		if err := in.Decode(&content); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if content == nil {
			continue
		}
		fields := map[string]any{}
		if err := convert(content, &fields); err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{Object: fields}
		if o.GetNamespace() == "" {
			o.SetNamespace(v1alpha1.DefaultNamespace)
		}
		all = append(all, o)
	}
}

// convert turns one value into another by way of JSON.
func convert(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// lint returns what Decode says of an object in a file.
func lint(t *testing.T, o *unstructured.Unstructured) (v1alpha1.Document, v1alpha1.Errors) {
	t.Helper()
	text, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	docs := v1alpha1.Decode("in.yaml", text)
	if len(docs) != 1 {
		t.Fatalf("%d documents, want 1", len(docs))
	}
	var errs v1alpha1.Errors
	errors.As(docs[0].Err, &errs)
	return docs[0], errs
}

package kube

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestTrim: nothing enters the cache that nobody reads, least of all a key.
func TestTrim(t *testing.T) {
	s := &Source{options: Options{Hasher: keystore.NewHasher()}}
	secret := &corev1.Secret{ObjectMeta: named("s", 0), Data: map[string][]byte{"key": []byte("text"), "other": []byte("text")}}
	secret.Labels = map[string]string{"postern.dev/credential": "api-key"}
	secret.Annotations = map[string]string{"postern.dev/scopes": "a", corev1.LastAppliedConfigAnnotation: "text"}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	trimmed(t, s, secret)
	if len(secret.Data) != 1 || len(secret.Data["digest"]) == 0 || len(secret.Annotations) != 1 || secret.ManagedFields != nil {
		t.Errorf("got %v", secret)
	}
	signing := &corev1.Secret{ObjectMeta: named("s", 0), Data: map[string][]byte{"key": []byte("text")}}
	signing.Labels = map[string]string{"postern.dev/credential": "signing"}
	trimmed(t, s, signing)
	if d := read(signing); d.Err != nil || d.Secret.StringData["key"] != "text" {
		t.Errorf("got %v", d)
	}
	route := &gatewayv1.HTTPRoute{Spec: gatewayv1.HTTPRouteSpec{Rules: []gatewayv1.HTTPRouteRule{{
		Matches: []gatewayv1.HTTPRouteMatch{{}}, BackendRefs: []gatewayv1.HTTPBackendRef{{}},
	}}}}
	trimmed(t, s, route)
	if r := route.Spec.Rules[0]; len(r.Matches) != 1 || r.BackendRefs != nil {
		t.Errorf("got %v", r)
	}
}

func trimmed(t *testing.T, s *Source, o client.Object) {
	t.Helper()
	if got, err := s.trim(o); err != nil || got != any(o) {
		t.Fatalf("got %v, %v", got, err)
	}
}

// TestTrimmedAttachAlike: what is left of the objects in package attach's scenarios says what they said.
func TestTrimmedAttachAlike(t *testing.T) {
	files, err := filepath.Glob("attach/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	s, redirected := &Source{options: Options{Hasher: keystore.NewHasher()}}, false
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole, left := newTold(), newTold()
		for _, f := range archive.Files {
			for doc := range bytes.SplitSeq(f.Data, []byte("---\n")) {
				if kind, o := decode(t, f.Name, doc); o != nil {
					whole.put(kind, nil, o)
					o = o.DeepCopyObject().(client.Object)
					trimmed(t, s, o)
					left.put(kind, nil, o)
				}
			}
		}
		want, got := attach.Resolve(*whole.layOut().input), attach.Resolve(*left.layOut().input)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-whole +trimmed):\n%s", file, diff)
		}
		redirected = redirected || slices.ContainsFunc(want.Routes, func(r v1alpha1.Route) bool { return r.Redirects })
	}
	if !redirected {
		t.Error("no scenario has a rule that redirects")
	}
}

// decode reads an object that policies are attached to, or by; nil if it is another.
func decode(t *testing.T, file string, doc []byte) (kind string, o client.Object) {
	t.Helper()
	if filepath.Ext(file) != ".yaml" {
		return "", nil
	}
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &meta); err != nil {
		t.Fatal(err)
	}
	switch meta.Kind {
	case v1alpha1.KindGateway:
		o = &gatewayv1.Gateway{}
	case v1alpha1.KindHTTPRoute:
		o = &gatewayv1.HTTPRoute{}
	case v1alpha1.KindGRPCRoute:
		o = &gatewayv1.GRPCRoute{}
	case "Namespace":
		o = &corev1.Namespace{}
	default:
		return "", nil
	}
	if err := yaml.Unmarshal(doc, o); err != nil {
		t.Fatal(err)
	}
	return meta.Kind, o
}

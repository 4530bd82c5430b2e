package v1alpha1_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const header = "apiVersion: postern.dev/v1alpha1\n"

// one decodes text that is a single document.
func one(t *testing.T, text string) v1alpha1.Document {
	t.Helper()
	docs := v1alpha1.Decode("in.yaml", []byte(text))
	if len(docs) != 1 {
		t.Fatalf("%d documents, want 1", len(docs))
	}
	return docs[0]
}

func TestDocumentsKeepTheirOrder(t *testing.T) {
	const n = 1000
	docs := v1alpha1.Decode("apps.yaml", manyApps(n))
	if len(docs) != n {
		t.Fatalf("%d documents, want %d", len(docs), n)
	}
	for i, d := range docs {
		if d.Err != nil {
			t.Fatal(d.Err)
		}
		if want := fmt.Sprintf("app-%06d", i); d.Name != want || d.App.Read().Name != want {
			t.Fatalf("document %d is %s, want %s", i, d.Name, want)
		}
		if want := 2 + 12*i; d.Origin.Line != want || d.Origin.File != "apps.yaml" {
			t.Fatalf("document %d is at %s:%d, want line %d", i, d.Origin.File, d.Origin.Line, want)
		}
	}
}

func TestOneBadDocumentLeavesTheOthersAlone(t *testing.T) {
	docs := v1alpha1.Decode("in.yaml", []byte(header+"kind: App\nmetadata: {name: one}\nspec: {}\n---\n{{{\n---\n"+
		header+"kind: App\nmetadata: {name: two}\nspec: {}\n"))
	if len(docs) != 3 || docs[0].Err != nil || docs[1].Err == nil || docs[2].Err != nil {
		t.Fatalf("got %+v", docs)
	}
	if docs[0].App.Read().Name != "one" || docs[2].App.Read().Name != "two" {
		t.Errorf("got %s and %s", docs[0].App.Read().Name, docs[2].App.Read().Name)
	}
}

func TestLineEnds(t *testing.T) {
	text := "# heading\n---\n" + header + "kind: App\nmetadata: {name: one}\nspec: {}\n--- # next\n" +
		header + "kind: App\nmetadata: {name: two}\nspec: {wrong: 1}\n"
	for name, end := range map[string]string{"LF": "\n", "CR LF": "\r\n", "CR": "\r"} {
		t.Run(name, func(t *testing.T) {
			docs := v1alpha1.Decode("in.yaml", []byte("\ufeff"+strings.ReplaceAll(text, "\n", end)))
			if len(docs) != 2 || docs[0].Err != nil || docs[1].Err == nil {
				t.Fatalf("got %+v", docs)
			}
			var e *v1alpha1.Error
			if !errors.As(docs[1].Err, &e) || e.Line != 11 {
				t.Errorf("got %v, want line 11", docs[1].Err)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	policy := header + "kind: AuthPolicy\nmetadata: {name: p}\nspec:\n  hosts: [a.example.com]\n"
	laughs := policy + "  security:\n  - a: &a [" + strings.Repeat("x,", 1000) + "x]\n"
	for i := range 1000 {
		laughs += fmt.Sprintf("    s%d: *a\n", i)
	}
	cyclic := policy + "  security: &a [*a]\n"
	deep := policy + "  security: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n"
	var typos strings.Builder
	typos.WriteString(policy)
	for i := range 10_000 {
		fmt.Fprintf(&typos, "  typo%d: 1\n", i)
	}
	tests := map[string]struct{ text, want string }{
		"aliases": {laughs, "in.yaml:1: AuthPolicy default/p: the document stands for more than 250000 values; write less of it with aliases"},
		"cycle":   {cyclic, "in.yaml:6: AuthPolicy default/p: spec.security[0]: is a list, not a mapping of fields; write a mapping of fields here"},
		"depth":   {deep, "in.yaml:6: AuthPolicy default/p: spec.security[0]: is a list, not a mapping of fields; write a mapping of fields here"},
		"deeper":  {strings.Repeat("[", 20_000), "in.yaml:1: this is not YAML: exceeded max depth of 10000; check indentation, quotes and brackets; put --- on a line of its own between documents"},
		"size": {policy + "# " + strings.Repeat("x", v1alpha1.MaxDocument), "in.yaml:1: the document has 1048679 bytes, more than 1048576; " +
			"split it into several documents, or keep large key material in files of its own"},
		"encoding": {"# one\n# two\xff\n", "in.yaml:2: the file is not UTF-8 text; save the file as UTF-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := one(t, test.text).Err; got == nil || got.Error() != test.want {
				t.Errorf("got  %v\nwant %s", got, test.want)
			}
		})
	}
	t.Run("errors", func(t *testing.T) {
		var all v1alpha1.Errors
		if !errors.As(one(t, typos.String()).Err, &all) || len(all) != 100 {
			t.Errorf("%d errors, want the first 100", len(all))
		}
	})
}

func TestOriginAt(t *testing.T) {
	docs := v1alpha1.Decode("in.yaml", []byte(`# a comment
---
# another
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata:
  name: orders
  labels:
    example.com/tier: gold
spec:
  hosts:
  - orders.example.com
  security: &open [{}]
  rules:
  - name: a
    security: *open
    match:
    - path: {regex: "/a.*"}
    - path:
        regex: /b.*
`))
	if len(docs) != 1 || docs[0].Err != nil {
		t.Fatalf("got %+v", docs)
	}
	for field, want := range map[string]string{
		"":                                    "in.yaml:4",
		"kind":                                "in.yaml:5",
		"metadata.name":                       "in.yaml:7",
		`metadata.labels["example.com/tier"]`: "in.yaml:9",
		"spec.hosts[0]":                       "in.yaml:12",
		"spec.hosts[7]":                       "in.yaml:11",
		"spec.rules[0].match[0].path.regex":   "in.yaml:18",
		"spec.rules[0].match[1].path.regex":   "in.yaml:20",
		"spec.rules[0].match[1].path.regex.x": "in.yaml:20",
		"spec.rules[0].security[0].login":     "in.yaml:13",
		"spec.rules[0].identity.headers[0]":   "in.yaml:15",
		"spec.mode":                           "in.yaml:10",
		"nothing":                             "in.yaml:4",
		`metadata.labels["unfinished`:         "in.yaml:8",
		"spec.rules[0":                        "in.yaml:14",
		"spec.rules[-1]":                      "in.yaml:14",
		"..":                                  "in.yaml:4",
	} {
		if got := docs[0].Origin.At(field).String(); got != want {
			t.Errorf("At(%q) = %s, want %s", field, got, want)
		}
	}
	if got := (v1alpha1.Origin{}).At("spec").String(); got != "" {
		t.Errorf("the zero Origin says %q", got)
	}
	const want = "in.yaml:20: AuthPolicy default/orders: spec.rules[0].match[1].path.regex: is slow; make it 2 times shorter"
	got := docs[0].Origin.Errorf(docs[0].Object(), "spec.rules[0].match[1].path.regex", "make it 2 times shorter", "is %s", "slow")
	if got.Error() != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// TestValidateWithoutFile is how objects from the Kubernetes API are validated.
func TestValidateWithoutFile(t *testing.T) {
	p := &v1alpha1.AuthPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}}
	p.SetDefaults()
	err := p.Validate()
	const want = "AuthPolicy shop/orders: spec.hosts: is missing; name the hosts that the policy is for, or its targetRefs\n" +
		"AuthPolicy shop/orders: spec.security: is missing; list the schemes that let a caller in, or [{}] for everybody"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestBrokenPolicyKeepsItsRoutes: enough is left to deny what the policy was for, and never less than that.
func TestBrokenPolicyKeepsItsRoutes(t *testing.T) {
	got := one(t, header+`kind: AuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  mode: Shadow
  hosts: [Orders.example.com, "a b", orders.example.com]
  secuirty: []
  rules:
  - name: good
    security: [{login: []}]
    match:
    - {path: {prefix: /good}, methods: [GET], headers: [{name: X-Env, value: prod}], sources: [10.0.0.0/8]}
  - name: wider
    match:
    - {path: {prefix: /wider}, methods: [get], headers: [{name: X-Env}], sources: [10.0.0.0/8, 5]}
    - {path: {prefix: "/a/../b"}, methods: [PUT]}
  - name: everything
    match:
    - {path: {prefix: /c}}
    - {path: {regex: "("}}
  - name: unreadable
    match: /d
`)
	if got.Err == nil || got.Kind != "AuthPolicy" || got.Namespace != "shop" || got.Name != "orders" {
		t.Fatalf("got %+v", got)
	}
	want := &v1alpha1.AuthPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.APIVersion, Kind: "AuthPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"},
		Spec: v1alpha1.AuthPolicySpec{
			Hosts: []string{"orders.example.com"},
			Rules: []v1alpha1.Rule{
				{Name: "good", Match: []v1alpha1.Match{{
					Path: &v1alpha1.PathMatch{Prefix: "/good"}, Methods: []string{"GET"},
					Headers: []v1alpha1.HeaderMatch{{Name: "X-Env", Value: "prod"}}, Sources: []string{"10.0.0.0/8"},
				}}},
				{Name: "wider", Match: []v1alpha1.Match{{Path: &v1alpha1.PathMatch{Prefix: "/wider"}}, {Methods: []string{"PUT"}}}},
				{Name: "everything"},
				{Name: "unreadable"},
			},
		},
	}
	if diff := cmp.Diff(want, got.Policy); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := one(t, header+"kind: AuthPolicy\nmetadata: {name: x}\nspec: {hosts: ['*']}\n"); got.Policy != nil {
		t.Errorf("a policy without a host is left: %+v", got.Policy)
	}
}

// TestEveryTypeIsDecodable: the decoder knows text, true and false, times, and what is made of them.
func TestEveryTypeIsDecodable(t *testing.T) {
	leaf := map[reflect.Type]bool{
		reflect.TypeFor[metav1.Time](): true, reflect.TypeFor[metav1.Duration](): true,
		reflect.TypeFor[metav1.TypeMeta](): true, reflect.TypeFor[metav1.ObjectMeta](): true,
	}
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		switch {
		case leaf[typ], typ.Kind() == reflect.String, typ.Kind() == reflect.Bool:
		case typ.Kind() == reflect.Map && typ.Key() != reflect.TypeFor[string]():
			t.Errorf("%s: keys of %v", path, typ)
		case typ.Kind() == reflect.Pointer, typ.Kind() == reflect.Slice, typ.Kind() == reflect.Map:
			walk(path+"[]", typ.Elem())
		case typ.Kind() == reflect.Struct:
			for f := range typ.Fields() {
				if f.Name == "Status" {
					continue // never in a file
				}
				walk(path+"."+f.Name, f.Type)
			}
		default:
			t.Errorf("%s: the decoder does not know %v", path, typ)
		}
	}
	walk("AuthScheme", reflect.TypeFor[v1alpha1.AuthScheme]())
	walk("AuthPolicy", reflect.TypeFor[v1alpha1.AuthPolicy]())
	walk("App", reflect.TypeFor[v1alpha1.App]())
}

package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func sameApp(a, b *v1alpha1.DeclaredApp) bool {
	if a == nil || b == nil {
		return a == b
	}
	return cmp.Equal(a.Read(), b.Read())
}

// TestNewDocument: an object of a cluster becomes the document that the same manifest in a file does.
func TestNewDocument(t *testing.T) {
	for name, test := range map[string]struct {
		object v1alpha1.Object
		text   string
		want   string // of the errors
	}{
		"scheme": {new(v1alpha1.AuthScheme), "kind: AuthScheme\nmetadata: {name: key, namespace: shop}\nspec: {apiKey: {}}\n", ""},
		"policy": {new(v1alpha1.AuthPolicy), "kind: AuthPolicy\nmetadata: {name: p, namespace: shop}\nspec: {hosts: [a.test], security: [{}]}\n", ""},
		"broken policy": {new(v1alpha1.AuthPolicy), "kind: AuthPolicy\nmetadata: {name: p, namespace: shop}\nspec: {hosts: [a.test, 'b c'], security: []}\n",
			"AuthPolicy shop/p: spec.hosts[1]: "},
		"broken target": {new(v1alpha1.AuthPolicy),
			"kind: AuthPolicy\nmetadata: {name: p, namespace: shop}\nspec: {targetRefs: [{kind: Gateway, name: g}, {kind: Pod, name: g}], security: [{}]}\n",
			"AuthPolicy shop/p: spec.targetRefs[1].kind: "},
		"app": {new(v1alpha1.App), "kind: App\nmetadata: {name: acme, namespace: shop}\nspec: {scopes: [a], credentials: []}\n", ""},
		"secret's file": {new(v1alpha1.App),
			"kind: App\nmetadata: {name: acme, namespace: shop}\nspec: {credentials: [{name: a, signing: {keyId: k, secret: {file: f}}}]}\n",
			"App shop/acme: spec.credentials[0].signing.secret: names a file, and an object of a cluster has none; keep the value in a Secret of this namespace, and name that in secretRef"},
		"key set's file": {new(v1alpha1.AuthScheme),
			"kind: AuthScheme\nmetadata: {name: j, namespace: shop}\nspec: {jwt: {issuers: [{issuer: https://i.test, audiences: [a], jwks: {file: f}}]}}\n",
			"AuthScheme shop/j: spec.jwt.issuers[0].jwks.file: names a file, and an object of a cluster has none; set uri, inline or secretRef"},
		"token secret's file": {new(v1alpha1.AuthScheme),
			"kind: AuthScheme\nmetadata: {name: j, namespace: shop}\nspec: {jwt: {issuers: [{issuer: https://i.test, audiences: [a], secret: {file: f}}]}}\n",
			"AuthScheme shop/j: spec.jwt.issuers[0].secret: names a file, and an object of a cluster has none; keep the value in a Secret of this namespace, and name that in secretRef"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := yaml.Unmarshal([]byte(header+test.text), test.object); err != nil {
				t.Fatal(err)
			}
			got, file := v1alpha1.NewDocument(test.object), one(t, header+test.text)
			file.Origin = v1alpha1.Origin{}
			switch {
			case test.want == "" && got.Err != nil:
				t.Fatal(got.Err)
			case test.want != "" && (got.Err == nil || !strings.HasPrefix(got.Err.Error(), test.want)):
				t.Fatalf("got %v, want %s", got.Err, test.want)
			}
			if strings.Contains(name, "file") {
				return // in a directory it is no error
			}
			got.Err, file.Err = nil, nil // they tell places
			if diff := cmp.Diff(file, got, cmpopts.IgnoreUnexported(v1alpha1.Origin{}), cmp.Comparer(sameApp)); diff != "" {
				t.Errorf("-file +object:\n%s", diff)
			}
		})
	}
}

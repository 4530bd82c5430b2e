package v1alpha1_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "---\n...\n", "a: &a [*a]\n", "? {a: b}\n: c\n", "%YAML 1.2\n---\n", "- - - -\n", "\ufeff{}", "kind: App\n",
		header + "kind: App\nmetadata: {name: a}\nspec: {credentials: [{name: k, apiKey: {digest: sha256:00}}]}\n",
		header + "kind: AuthScheme\nmetadata: {name: a}\nspec: {jwt: {issuers: [{issuer: a, audiences: [b], jwks: {uri: 'https://a'}}]}}\n",
		header + "kind: AuthScheme\nmetadata: {name: a}\nspec: {signature: {profile: rfc9421, cover: ['@query-param;name=\"a\"']}}\n",
		header + "kind: AuthPolicy\nmetadata: {name: a}\nspec: {hosts: ['*.a'], security: [{b: [c]}], rules: [{name: r, match: [{path: {template: '/{a}'}}]}]}\n",
		`{"apiVersion": "postern.dev/v1alpha1", "kind": "App", "metadata": {"name": "a"}, "spec": {}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := 1 + len(regexp.MustCompile("[\n\r\u0085\u2028\u2029]").FindAll(data, -1))
		for _, d := range v1alpha1.Decode("f.yaml", data) {
			if d.Err == nil {
				if object(d) == nil || d.Name == "" || d.Namespace == "" {
					t.Fatalf("neither an object nor an error: %+v", d)
				}
				if d.App != nil {
					before := d.App.Read()
					d.App.Release()
					if diff := cmp.Diff(before, d.App.Read()); diff != "" {
						t.Fatalf("reads differently after its release: %s", diff)
					}
				}
				continue
			}
			var all v1alpha1.Errors
			if !errors.As(d.Err, &all) || len(all) == 0 {
				t.Fatalf("%T is not an Errors", d.Err)
			}
			for _, e := range all {
				if e.Line < 1 || e.Line > lines {
					t.Fatalf("line %d of %d: %v", e.Line, lines, e)
				}
				if strings.ContainsAny(e.Message, "\r\n") || strings.ContainsAny(e.Field, "\r\n") || strings.ContainsAny(e.Object, "\r\n") {
					t.Fatalf("an error of several lines: %q", e)
				}
			}
			if d.Scheme != nil || d.App != nil || d.Policy != nil && len(d.Policy.Spec.Hosts) == 0 {
				t.Fatalf("a broken object is handed out: %+v", d)
			}
		}
	})
}

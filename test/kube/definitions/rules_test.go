package definitions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestSecretsAreNotRepeated: a key, a private key or a password that was written down by mistake is not in the answer,
// which ends in logs.
func TestSecretsAreNotRepeated(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for kind, specs := range map[string][]map[string]any{
		v1alpha1.KindApp: {
			credentials(map[string]any{"name": "a", "apiKey": map[string]any{"digest": "canary"}}),
			credentials(map[string]any{"name": "a", "apiKey": map[string]any{"digest": strings.Repeat("canary", 100)}}),
			credentials(map[string]any{"name": "a", "signing": map[string]any{"keyId": "a", "publicKey": "-----BEGIN PRIVATE KEY-----\ncanary"}}),
			credentials(map[string]any{"name": "a", "signing": map[string]any{"keyId": "a", "publicKey": strings.Repeat("canary", 10_000)}}),
		},
		v1alpha1.KindAuthScheme: {
			issuer(map[string]any{"issuer": "https://user:canary@login.example.com"}),
			issuer(map[string]any{"issuer": "a", "jwks": map[string]any{"uri": "https://user:canary@login.example.com"}}),
		},
	} {
		for _, spec := range specs {
			_, err := create(ctx, object(kind, spec))
			if causes := refusal(t, err); len(causes) == 0 || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		}
	}
}

func credentials(list ...any) map[string]any { return map[string]any{"credentials": list} }

func issuer(fields map[string]any) map[string]any {
	fields["audiences"] = []any{"a"}
	return map[string]any{"jwt": map[string]any{"issuers": []any{fields}}}
}

// TestAlgorithms: lint and the API server know the same algorithms of each profile.
func TestAlgorithms(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	algorithms := []string{"hmac-sha1", "rsa-sha1", "md5"}
	for _, p := range v1alpha1.Profiles() {
		algorithms = append(algorithms, p.Algorithms()...)
	}
	slices.Sort(algorithms)
	for _, p := range v1alpha1.Profiles() {
		for _, a := range slices.Compact(slices.Clone(algorithms)) {
			signature := map[string]any{"profile": string(p), "algorithms": []any{a}}
			switch {
			case p.Keyless():
				signature["app"] = "acme"
			case p == v1alpha1.ProfileAWSSigV4:
				signature["awsSigV4"] = map[string]any{"regions": []any{"eu-west-1"}, "services": []any{"s3"}}
			case p == v1alpha1.ProfileTemplate:
				signature["template"] = map[string]any{
					"text": "{body}", "keyId": map[string]any{"header": "a"},
					"signature": map[string]any{"header": "b", "encoding": "hex"},
				}
			}
			o := object(v1alpha1.KindAuthScheme, map[string]any{"signature": signature})
			_, errs := lint(t, o)
			if _, err := create(ctx, o); (err == nil) != (len(errs) == 0) {
				t.Errorf("%s with %s: lint says %v, and the API server %v", p, a, errs, err)
			}
		}
	}
}

// TestChanges: what policies rely on in a scheme stays; keys and hosts come and go.
func TestChanges(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hook := func(profile string) map[string]any {
		return map[string]any{"signature": map[string]any{"profile": profile, "app": "acme"}}
	}
	key := func(digest string) map[string]any {
		return credentials(map[string]any{"name": "a", "apiKey": map[string]any{"digest": digest}})
	}
	open := []any{map[string]any{}}
	for _, c := range []struct {
		name, kind string
		from, to   map[string]any
		refused    string
	}{
		{"type", v1alpha1.KindAuthScheme, map[string]any{"apiKey": map[string]any{}}, hook("github"), "a scheme keeps its type"},
		{"profile", v1alpha1.KindAuthScheme, hook("stripe"), hook("github"), "a scheme keeps its profile"},
		{"realm", v1alpha1.KindAuthScheme, map[string]any{"apiKey": map[string]any{}}, map[string]any{"apiKey": map[string]any{}, "realm": "shop"}, ""},
		{"digest", v1alpha1.KindApp, key(digest), key(strings.ReplaceAll(digest, "0", "f")), ""},
		{
			"attachment", v1alpha1.KindAuthPolicy, map[string]any{"hosts": []any{"a.example.com"}, "security": open},
			map[string]any{"targetRefs": []any{map[string]any{"kind": "HTTPRoute", "name": "a"}}, "security": open}, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(c.kind, c.from)
			o.SetName("changes-" + c.name)
			made, err := resource(o).Create(ctx, o, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			made.Object["spec"] = c.to
			_, err = resource(o).Update(ctx, made, metav1.UpdateOptions{})
			if refused := err != nil; refused != (c.refused != "") || refused && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v, want %q", err, c.refused)
			}
		})
	}
}

// TestLargeObjects: the rules cost what they were estimated to, also on objects near the bounds.
func TestLargeObjects(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var keys, hosts, rules, headers []any
	for i := range 1000 {
		keys = append(keys, map[string]any{"name": fmt.Sprintf("k%d", i), "apiKey": map[string]any{"digest": fmt.Sprintf("sha256:%064x", i)}})
		hosts = append(hosts, fmt.Sprintf("*.host%d.%s.example.com", i, strings.Repeat("x", 60)))
		match := []any{}
		for j := range 10 {
			match = append(match, map[string]any{"path": map[string]any{"template": fmt.Sprintf("/v1/orders/%d/{id}/%d", i, j)}})
		}
		rules = append(rules, map[string]any{"name": fmt.Sprintf("r%d", i), "match": match})
	}
	for i := range 64 {
		headers = append(headers, map[string]any{"name": fmt.Sprintf("X-Header-%d-%s", i, strings.Repeat("x", 100)), "value": "principal.subject"})
	}
	for _, o := range []*unstructured.Unstructured{
		object(v1alpha1.KindApp, credentials(keys...)),
		object(v1alpha1.KindAuthPolicy, map[string]any{
			"hosts": hosts, "rules": rules, "security": []any{map[string]any{}}, "identity": map[string]any{"headers": headers},
		}),
	} {
		if _, errs := lint(t, o); len(errs) > 0 {
			t.Error(errs)
		}
		if _, err := create(ctx, o); err != nil {
			t.Errorf("%.1000s", err.Error())
		}
	}
}

// TestKubectl: the kinds have a category and short names, and show what matters.
func TestKubectl(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := world.cluster.Apply(ctx, `
{apiVersion: v1, kind: Namespace, metadata: {name: columns}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: hook, namespace: columns}
spec: {signature: {profile: github, app: acme}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: login, namespace: columns}
spec: {jwt: {issuers: [{issuer: "https://login.example.com", audiences: [a]}]}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: direct, namespace: columns}
spec: {hosts: [a.example.com, b.example.com], security: [{hook: []}]}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: attached, namespace: columns}
spec: {mode: Shadow, targetRefs: [{kind: HTTPRoute, name: orders}], security: [{hook: []}]}
---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: acme, namespace: columns}
spec: {owner: partners, disabled: true}
`); err != nil {
		t.Fatal(err)
	}
	get := func(args ...string) string {
		t.Helper()
		out, err := world.cluster.Kubectl(ctx, append([]string{"get", "--namespace", "columns"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got, want := get("postern", "-o", "name"), "app.postern.dev/acme\n"+
		"authpolicy.postern.dev/attached\nauthpolicy.postern.dev/direct\nauthscheme.postern.dev/hook\nauthscheme.postern.dev/login\n"; got != want {
		t.Errorf("the category holds\n%swant\n%s", got, want)
	}
	for _, c := range []struct{ short, want string }{
		{"asch", "NAME PROFILE ISSUER ACCEPTED PROGRAMMED|hook github|login https://login.example.com"},
		{"apol", `NAME HOSTS TARGETS MODE ACCEPTED PROGRAMMED|attached orders Shadow|direct ["a.example.com","b.example.com"] Enforce`},
		{"papp", "NAME OWNER DISABLED ACCEPTED PROGRAMMED|acme partners true"},
	} {
		var lines []string
		for line := range strings.Lines(get(c.short)) {
			words := strings.Fields(line)
			lines = append(lines, strings.Join(words[:len(words)-1], " ")) // but for the age
		}
		if got := strings.Join(lines, "|"); got != c.want {
			t.Errorf("%s shows\n%s\nwant\n%s", c.short, got, c.want)
		}
	}
}

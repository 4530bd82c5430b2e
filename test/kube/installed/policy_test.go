package installed

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// shop is a namespace with an App, a scheme and a policy for its host.
const shop = `apiVersion: v1
kind: Namespace
metadata: {name: {ns}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: key, namespace: {ns}}
spec: {apiKey: {}}
---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: acme, namespace: {ns}}
spec:
  credentials:
  - {name: main, apiKey: {digest: "{digest}"}}
---
` + orders

const orders = `apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: orders, namespace: {ns}}
spec:
  hosts: [{ns}.example.com]
  security: [{key: []}]
`

// open makes a part of the host public.
const open = orders + `  rules:
  - name: public
    match: [{path: {prefix: /public}}]
    security: [{}]
  - name: other
`

// TestPolicyComesIntoForce: what is applied decides, its change too, its status says so, and what is deleted decides no
// more.
func TestPolicyComesIntoForce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns, host = "life", "life.example.com"
	k := key(ctx, t)
	r := world.replica
	r.expect(ctx, t, "before there is a policy", 403, get(host, "/orders", k.Key))

	world.apply(ctx, t, shop, "ns", ns, "digest", k.Digest)
	r.await(ctx, t, "an App, a scheme and a policy are in force", 200, get(host, "/orders", k.Key))
	r.expect(ctx, t, "without a key", 401, get(host, "/orders", ""))
	r.expect(ctx, t, "with a key of nobody", 401, get(host, "/orders", key(ctx, t).Key))
	p := policy(ns, "orders")
	world.awaitCondition(ctx, t, p, v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	message := world.awaitCondition(ctx, t, p, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
	if !strings.Contains(message, "every replica decides by generation 1") {
		t.Errorf("one replica runs, and Programmed says %q", message)
	}
	world.awaitCondition(ctx, t, app(ns, "acme"), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
	world.awaitCondition(ctx, t, scheme(ns, "key"), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")

	r.expect(ctx, t, "a path that is not open yet", 401, get(host, "/public/x", ""))
	world.apply(ctx, t, open, "ns", ns)
	r.await(ctx, t, "a changed policy is in force", 200, get(host, "/public/x", ""))
	r.expect(ctx, t, "the rest of the host", 401, get(host, "/orders", ""))
	world.awaitCondition(ctx, t, p, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
	if p.Generation != 2 {
		t.Errorf("the policy has generation %d after one change", p.Generation)
	}

	if err := world.client.Delete(ctx, p); err != nil {
		t.Fatal(err)
	}
	r.await(ctx, t, "a deleted policy is gone", 403, get(host, "/public/x", k.Key))
}

// TestBadObjectTouchesOnlyItself: an object that passes the API server's rules and still cannot be used keeps its last
// good version, says why, and nobody else notices.
func TestBadObjectTouchesOnlyItself(t *testing.T) {
	cases := map[string]struct {
		object client.Object
		bad    string
		reason v1alpha1.Reason
		says   string
	}{
		"unknown-scheme": {
			policy("", "orders"), strings.Replace(orders, "{key: []}", "{no-such-scheme: []}", 1), v1alpha1.ReasonSchemeNotFound, "no-such-scheme",
		},
		"broken-condition": {
			policy("", "orders"), orders + "  authorize: [{cel: principal.nonsense == 1}]\n", v1alpha1.ReasonInvalid, "authorize",
		},
		"unknown-secret": {
			app("", "acme"), `apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: acme, namespace: {ns}}
spec:
  credentials:
  - {name: main, signing: {keyId: "{ns}", secretRef: {name: none, key: none}}}
`, v1alpha1.ReasonSecretNotFound, "none",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, ns := world.replica, "bad-"+name
			host, neighbour := ns+".example.com", ns+"-neighbour"
			mine, theirs := key(ctx, t), key(ctx, t)
			world.apply(ctx, t, shop, "ns", ns, "digest", mine.Digest)
			world.apply(ctx, t, shop, "ns", neighbour, "digest", theirs.Digest)
			r.await(ctx, t, "all is well", 200, get(host, "/", mine.Key))
			r.await(ctx, t, "the neighbour is well", 200, get(neighbour+".example.com", "/", theirs.Key))

			world.apply(ctx, t, c.bad, "ns", ns)
			c.object.SetNamespace(ns)
			message := world.awaitCondition(ctx, t, c.object, v1alpha1.ConditionAccepted, metav1.ConditionFalse, string(c.reason))
			if !strings.Contains(message, c.says) || !strings.Contains(message, "generation 1 stays in force") {
				t.Errorf("Accepted says %q, want what is wrong with %s and what is in force", message, c.says)
			}
			r.expect(ctx, t, "the last good version, a good key", 200, get(host, "/", mine.Key))
			r.expect(ctx, t, "the last good version, a wrong key", 401, get(host, "/", theirs.Key))
			world.apply(ctx, t, open, "ns", neighbour)
			r.await(ctx, t, "the neighbour changes meanwhile", 200, get(neighbour+".example.com", "/public", ""))

			next := key(ctx, t)
			world.apply(ctx, t, shop, "ns", ns, "digest", next.Digest)
			world.awaitCondition(ctx, t, c.object, v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
			r.await(ctx, t, "the correction counts", 200, get(host, "/", next.Key))
			r.expect(ctx, t, "what was corrected", 401, get(host, "/", mine.Key))
		})
	}
}

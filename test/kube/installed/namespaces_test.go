package installed

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/test/harness"
)

const signed = `apiVersion: v1
kind: Namespace
metadata: {name: {ns}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: signed, namespace: {ns}}
spec: {signature: {profile: rfc9421}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: signed, namespace: {ns}}
spec:
  hosts: [{ns}.example.com]
  security: [{signed: []}]
---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: signer, namespace: {ns}}
spec:
  credentials:
  - {name: main, signing: {keyId: "{ns}", secretRef: {name: hmac, key: secret}}}
`

const hmacSecret = `apiVersion: v1
kind: Secret
metadata: {name: hmac, namespace: {ns}, labels: {LABELS}}
stringData: {secret: "{secret}"}
`

// TestSecretRefStaysInItsNamespace: a Secret of the same name in another namespace is not meant, nor can it be named, and
// one of the own namespace only if it is labelled.
func TestSecretRefStaysInItsNamespace(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns, other, host = "refers", "referred", "refers.example.com"
	mine, theirs, unmarked := rand.Text(), rand.Text(), rand.Text()
	labelled := strings.Replace(hmacSecret, "LABELS", "postern.dev/credential: signing", 1)
	unlabelled := strings.Replace(hmacSecret, "LABELS", "", 1)
	sign := func(secret string) harness.Request {
		return harness.Signer{KeyID: ns, Secret: secret}.Sign(get(host, "/", ""))
	}
	r := world.replica
	world.namespace(ctx, t, other)
	world.apply(ctx, t, labelled, "ns", other, "secret", theirs)
	world.apply(ctx, t, signed, "ns", ns)
	world.awaitCondition(ctx, t, app(ns, "signer"), v1alpha1.ConditionAccepted, metav1.ConditionFalse, string(v1alpha1.ReasonSecretNotFound))
	r.await(ctx, t, "the policy is in force", 401, get(host, "/", ""))
	r.expect(ctx, t, "a signature with the other namespace's Secret", 401, sign(theirs))

	err := world.Apply(ctx, fill(strings.Replace(signed, "{name: hmac,", "{name: hmac, namespace: "+other+",", 1), "ns", ns))
	if err == nil || !strings.Contains(err.Error(), "namespace") {
		t.Errorf("a secretRef with a namespace: %v", err)
	}

	world.apply(ctx, t, unlabelled, "ns", ns, "secret", unmarked)
	probe := key(ctx, t) // what is applied after it and in force shows that it has been seen
	world.apply(ctx, t, shop, "ns", "refers-probe", "digest", probe.Digest)
	r.await(ctx, t, "a later object is in force", 200, get("refers-probe.example.com", "/", probe.Key))
	r.expect(ctx, t, "a signature with an unlabelled Secret", 401, sign(unmarked))

	world.apply(ctx, t, labelled, "ns", ns, "secret", mine)
	world.awaitCondition(ctx, t, app(ns, "signer"), v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	r.expect(ctx, t, "a signature with the Secret", 200, sign(mine))
	r.expect(ctx, t, "a signature with the other namespace's Secret", 401, sign(theirs))
}

const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: {gw}}
spec:
  gatewayClassName: any
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orders, namespace: {ns}}
spec:
  parentRefs: [{name: public, namespace: {gw}}]
  hostnames: [{ns}.example.com]
  rules: [{matches: [{path: {type: PathPrefix, value: /}}]}]
`

const foreign = `apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: foreign, namespace: {ns}}
spec:
  targetRefs: [{kind: HTTPRoute, name: orders, namespace: {target}}]
  security: [{}]
`

const grant = `apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: postern, namespace: {ns}}
spec:
  from: [{group: postern.dev, kind: AuthPolicy, namespace: {from}}]
  to: [{group: gateway.networking.k8s.io, kind: HTTPRoute}]
`

// TestForeignTargetNeedsGrant: nobody opens another team's route. A ReferenceGrant lets them, as long as it is there.
func TestForeignTargetNeedsGrant(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns, intruder, host = "granting", "intruder", "granting.example.com"
	r := world.replica
	k := key(ctx, t)
	world.apply(ctx, t, shop, "ns", ns, "digest", k.Digest)
	world.namespace(ctx, t, intruder)
	world.apply(ctx, t, gateway, "ns", ns, "gw", ns)
	r.await(ctx, t, "the team's own policy is in force", 200, get(host, "/", k.Key))

	p := policy(intruder, "foreign")
	world.apply(ctx, t, foreign, "ns", intruder, "target", ns)
	world.awaitTarget(ctx, t, p, v1alpha1.ReasonNotGranted)
	r.expect(ctx, t, "somebody else's policy without a grant", 401, get(host, "/", ""))

	world.apply(ctx, t, grant, "ns", ns, "from", intruder)
	world.awaitTarget(ctx, t, p, v1alpha1.ReasonAccepted)
	r.await(ctx, t, "somebody else's policy with a grant", 200, get(host, "/", ""))

	var g gatewayv1.ReferenceGrant
	g.Namespace, g.Name = ns, "postern"
	if err := world.client.Delete(ctx, &g); err != nil {
		t.Fatal(err)
	}
	r.await(ctx, t, "the grant is gone", 401, get(host, "/", ""))
	world.awaitTarget(ctx, t, p, v1alpha1.ReasonNotGranted)
}

// TestSchemesOfOthers: a policy may name the schemes of its own and of the shared namespace, and no others.
func TestSchemesOfOthers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns, other, host = "borrower", "lender", "borrower.example.com"
	k := key(ctx, t)
	r := world.replica
	world.apply(ctx, t, shop, "ns", other, "digest", k.Digest)
	world.namespace(ctx, t, ns)
	world.apply(ctx, t, strings.Replace(orders, "{key: []}", "{borrowed: []}", 1), "ns", ns)
	world.apply(ctx, t, "apiVersion: postern.dev/v1alpha1\nkind: AuthScheme\n"+
		"metadata: {name: borrowed, namespace: {ns}}\nspec: {apiKey: {apps: {namespaces: [{ns}]}}}\n", "ns", other)
	p := policy(ns, "orders")
	world.awaitCondition(ctx, t, p, v1alpha1.ConditionAccepted, metav1.ConditionFalse, string(v1alpha1.ReasonSchemeNotFound))
	r.expect(ctx, t, "a policy with another namespace's scheme denies", 403, get(host, "/", k.Key))

	world.apply(ctx, t, "apiVersion: postern.dev/v1alpha1\nkind: AuthScheme\n"+
		"metadata: {name: borrowed, namespace: {ns}}\nspec: {apiKey: {apps: {namespaces: [lender]}}}\n", "ns", system)
	world.awaitCondition(ctx, t, p, v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	r.await(ctx, t, "the shared namespace's scheme", 200, get(host, "/", k.Key))
}

// TestAppsOfOthers: whose keys count is for the scheme's namespace to say, whatever labels an App elsewhere carries.
func TestAppsOfOthers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns, other, host = "chooser", "chosen", "chooser.example.com"
	mine, theirs := key(ctx, t), key(ctx, t)
	r := world.replica
	world.apply(ctx, t, shop, "ns", other, "digest", theirs.Digest)
	world.apply(ctx, t, shop, "ns", ns, "digest", mine.Digest)
	r.await(ctx, t, "the other namespace's key counts there", 200, get(other+".example.com", "/", theirs.Key))
	r.await(ctx, t, "the own namespace's key", 200, get(host, "/", mine.Key))
	r.expect(ctx, t, "the other namespace's key", 401, get(host, "/", theirs.Key))

	world.apply(ctx, t, "apiVersion: postern.dev/v1alpha1\nkind: AuthScheme\n"+
		"metadata: {name: key, namespace: {ns}}\nspec: {apiKey: {apps: {namespaces: [{ns}, {other}]}}}\n", "ns", ns, "other", other)
	r.await(ctx, t, "the other namespace's key, once the scheme says so", 200, get(host, "/", theirs.Key))
	r.expect(ctx, t, "the own namespace's key", 200, get(host, "/", mine.Key))
}

// TestHostGrants: a policy for a host that its namespace was not granted is refused and protects nothing of others.
func TestHostGrants(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in := own(ctx, t, `config.hostGrants=[{"namespace":"owner","hosts":["owner.example.com"]},{"namespace":"thief","hosts":["thief.example.com"]}]`)
	r := in.serve(ctx, t, "one")
	k := key(ctx, t)
	in.apply(ctx, t, shop, "ns", "owner", "digest", k.Digest)
	r.await(ctx, t, "the owner's policy is in force", 200, get("owner.example.com", "/", k.Key))

	in.namespace(ctx, t, "thief")
	in.apply(ctx, t, `apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: steal, namespace: thief}
spec:
  hosts: [owner.example.com]
  rules:
  - {name: open, match: [{path: {exact: /open}}], security: [{}]}
`)
	in.awaitCondition(ctx, t, policy("thief", "steal"), v1alpha1.ConditionAccepted, metav1.ConditionFalse, string(v1alpha1.ReasonNotGranted))
	r.expect(ctx, t, "a host that was not granted", 401, get("owner.example.com", "/open", ""))
	r.expect(ctx, t, "the owner's policy", 200, get("owner.example.com", "/open", k.Key))
}

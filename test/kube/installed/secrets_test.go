package installed

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/test/harness"
)

const badSecret = `apiVersion: v1
kind: Secret
metadata:
  name: misplaced
  namespace: {ns}
  labels: {postern.dev/credential: api-key, postern.dev/app: acme}
  annotations: {postern.dev/expires-at: "{key}"}
stringData: {digest: "{key}"}
`

// TestBadKeySecret: an Event on a Secret that cannot be used as a key says why, and shows nothing of what is in it.
func TestBadKeySecret(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns = "bad-secret"
	good, misplaced := key(ctx, t), key(ctx, t)
	world.apply(ctx, t, shop+"---\n"+badSecret, "ns", ns, "digest", good.Digest, "key", misplaced.Key)
	var secret corev1.Secret
	if err := world.client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "misplaced"}, &secret); err != nil {
		t.Fatal(err)
	}
	var told eventsv1.Event
	err := harness.Await(ctx, "an Event tells of the Secret", func() bool {
		var events eventsv1.EventList
		_ = world.client.List(ctx, &events, client.InNamespace(ns))
		at := slices.IndexFunc(events.Items, func(e eventsv1.Event) bool { return e.Regarding.UID == secret.UID })
		if at >= 0 {
			told = events.Items[at]
		}
		return at >= 0
	})
	if err != nil {
		t.Fatal(err)
	}
	if told.Type != "Warning" || told.Reason != "Invalid" {
		t.Errorf("it is %s %s", told.Type, told.Reason)
	}
	for _, want := range []string{"data.digest: is not a digest", `metadata.annotations["postern.dev/expires-at"]: is not a time`} {
		if !strings.Contains(told.Note, want) {
			t.Errorf("the Event does not say %s: %s", want, told.Note)
		}
	}
	if strings.Contains(told.String(), misplaced.Key) {
		t.Errorf("the Event shows the key: %s", told.Note)
	}
	world.replica.await(ctx, t, "the App's other key counts", 200, get(ns+".example.com", "/", good.Key))
	world.replica.expect(ctx, t, "the misplaced key", 401, get(ns+".example.com", "/", misplaced.Key))
}

const keySecret = `apiVersion: v1
kind: Secret
metadata:
  name: rotated
  namespace: {ns}
  labels: {postern.dev/credential: api-key, postern.dev/app: acme}
stringData: {key: "{key}"}
`

// TestSecretRotation: the key in a labelled Secret is good as long as it stands there: replaced, only the new one is. The
// text of neither is written anywhere.
func TestSecretRotation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns, host = "rotation", "rotation.example.com"
	r := world.replica
	first, second, unrelated := key(ctx, t), key(ctx, t), key(ctx, t)
	world.apply(ctx, t, shop, "ns", ns, "digest", unrelated.Digest)
	r.await(ctx, t, "the App is in force", 200, get(host, "/", unrelated.Key))
	r.expect(ctx, t, "a key that is in no Secret yet", 401, get(host, "/", first.Key))

	world.apply(ctx, t, keySecret, "ns", ns, "key", first.Key)
	r.await(ctx, t, "the key of a Secret counts", 200, get(host, "/", first.Key))
	world.apply(ctx, t, keySecret, "ns", ns, "key", second.Key)
	r.await(ctx, t, "the new key counts", 200, get(host, "/", second.Key))
	r.expect(ctx, t, "the old key", 401, get(host, "/", first.Key))

	if err := world.client.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "rotated"}}); err != nil {
		t.Fatal(err)
	}
	r.await(ctx, t, "the key of a deleted Secret is refused", 401, get(host, "/", second.Key))
	r.expect(ctx, t, "the App's other key", 200, get(host, "/", unrelated.Key))
	written, err := world.Kubectl(ctx, "get", "events,apps,authpolicies,leases", "--all-namespaces", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{first.Key, second.Key} {
		if strings.Contains(r.Stdout()+r.Stderr(), k) || strings.Contains(written, k) {
			t.Error("the log or an object shows a key")
		}
	}
}

// TestDeletedSecretRevokes: what was made of a Secret is good while the API server is away, and ends with the Secret,
// whatever becomes of the API server then. The App's other credential is not touched.
func TestDeletedSecretRevokes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in := own(ctx, t)
	r := in.serve(ctx, t, "one")
	const ns, host = "ending", "ending.example.com"
	const second = `  - {name: second, signing: {keyId: "{ns}-second", secretRef: {name: second, key: secret}}}` + "\n"
	ends, stays := rand.Text(), rand.Text()
	labelled := strings.Replace(hmacSecret, "LABELS", "postern.dev/credential: signing", 1)
	apply := func() {
		in.apply(ctx, t, labelled, "ns", ns, "secret", ends)
		in.awaitCondition(ctx, t, app(ns, "signer"), v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	}
	expect := func(when string, want int) { // every signature is new: a repeated one would be refused for that
		t.Helper()
		sign := func(id, secret string) harness.Request {
			return harness.Signer{KeyID: id, Secret: secret}.Sign(get(host, "/", ""))
		}
		r.expect(ctx, t, "the Secret's credential "+when, want, sign(ns, ends))
		r.expect(ctx, t, "the App's other credential "+when, 200, sign(ns+"-second", stays))
	}
	in.apply(ctx, t, signed+second, "ns", ns)
	in.apply(ctx, t, strings.Replace(labelled, "name: hmac", "name: second", 1), "ns", ns, "secret", stays)
	apply()
	expect("to begin with", 200)

	in.APIServer.Kill()
	r.awaitDegraded(ctx, t, true)
	expect("while the API server is away", 200)
	if err := in.RestartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	r.awaitDegraded(ctx, t, false)
	expect("once the API server is back", 200)

	if _, err := in.Kubectl(ctx, "delete", "secret", "hmac", "-n", ns); err != nil {
		t.Fatal(err)
	}
	in.awaitCondition(ctx, t, app(ns, "signer"), v1alpha1.ConditionAccepted, metav1.ConditionFalse, string(v1alpha1.ReasonSecretNotFound))
	expect("without the Secret", 401)
	in.APIServer.Kill()
	r.awaitDegraded(ctx, t, true)
	expect("without Secret and API server", 401)
	if err := in.RestartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	apply()
	expect("with the Secret again", 200)
}

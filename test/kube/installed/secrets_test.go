package installed

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

package installed

import (
	"context"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// permission is something that the release's service account may do, or may not.
type permission struct {
	verb, group, resource, subresource, namespace string
	allowed                                       bool
}

// TestPermissions: what the role grants beyond need would not fail any other test, what it lacks would.
func TestPermissions(t *testing.T) {
	everywhere := []permission{
		{"watch", "postern.dev", "authpolicies", "", "users", true},
		{"patch", "postern.dev", "authpolicies", "status", "users", true},
		{"update", "postern.dev", "authpolicies", "", "users", false},
		{"patch", "postern.dev", "authpolicies", "", "users", false},
		{"delete", "postern.dev", "apps", "", "users", false},
		{"create", "", "secrets", "", "users", false},
		{"update", "", "secrets", "", "users", false},
		{"list", "", "configmaps", "", "users", false},
		{"list", "", "pods", "", "users", false},
		{"update", "gateway.networking.k8s.io", "httproutes", "", "users", false},
		{"create", "coordination.k8s.io", "leases", "", "users", false},
		{"create", "coordination.k8s.io", "leases", "", system, true},
		{"create", "", "serviceaccounts", "token", system, false},
		{"escalate", "rbac.authorization.k8s.io", "clusterroles", "", "", false},
		{"update", "apiextensions.k8s.io", "customresourcedefinitions", "", "", false},
	}
	t.Run("all namespaces", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		world.review(ctx, t, append(everywhere, permission{"list", "", "secrets", "", "users", true}))
	})
	t.Run("listed namespaces", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		in := own(ctx, t)
		in.namespace(ctx, t, "users") // for its Role
		if err := in.upgrade(ctx, `config.namespaces=["users"]`); err != nil {
			t.Fatal(err)
		}
		in.review(ctx, t, append(everywhere,
			permission{"list", "", "secrets", "", "users", true},
			permission{"list", "", "secrets", "", "others", false},
			permission{"get", "", "secrets", "", "kube-system", false},
			permission{"list", "postern.dev", "authpolicies", "", "others", false}))
		in.servesListed(ctx, t)
	})
}

// servesListed: with these permissions what is in the listed namespaces decides, and nothing else does.
func (in *installation) servesListed(ctx context.Context, t *testing.T) {
	t.Helper()
	r := in.serve(ctx, t, "one")
	mine, theirs := key(ctx, t), key(ctx, t)
	in.apply(ctx, t, shop, "ns", "others", "digest", theirs.Digest)
	in.apply(ctx, t, shop, "ns", "users", "digest", mine.Digest)
	r.await(ctx, t, "a listed namespace is served", 200, get("users.example.com", "/", mine.Key))
	r.expect(ctx, t, "a namespace that is not listed", 403, get("others.example.com", "/", theirs.Key))
	in.awaitCondition(ctx, t, policy("users", "orders"), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
	if line := r.logged("forbidden"); line != "" {
		t.Error(line)
	}
}

// review asks the API server what the service account may do.
func (in *installation) review(ctx context.Context, t *testing.T, permissions []permission) {
	t.Helper()
	for _, p := range permissions {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + system + ":" + release,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: p.verb, Group: p.group, Resource: p.resource, Subresource: p.subresource, Namespace: p.namespace,
			},
		}}
		if err := in.client.Create(ctx, review); err != nil {
			t.Fatal(err)
		}
		if review.Status.Allowed != p.allowed {
			t.Errorf("%+v: the API server says %v", p, review.Status.Allowed)
		}
	}
}

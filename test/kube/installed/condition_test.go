package installed

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/test/harness"
)

// conditions returns the conditions of an AuthScheme, AuthPolicy or App; of a policy with targets those on the first
// target, if target is set.
func conditions(o client.Object, target bool) []metav1.Condition {
	switch o := o.(type) {
	case *v1alpha1.AuthScheme:
		return o.Status.Conditions
	case *v1alpha1.App:
		return o.Status.Conditions
	case *v1alpha1.AuthPolicy:
		if !target {
			return o.Status.Conditions
		}
		if len(o.Status.Ancestors) > 0 {
			return o.Status.Ancestors[0].Conditions
		}
	}
	return nil
}

// awaitCondition waits until the condition of an object has the status and reason, for its present generation, and
// returns its message.
func (in *installation) awaitCondition(ctx context.Context, t *testing.T, o client.Object, kind string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	return in.await(ctx, t, o, false, kind, status, reason)
}

// awaitTarget does it for the condition Accepted on the first target of a policy.
func (in *installation) awaitTarget(ctx context.Context, t *testing.T, p *v1alpha1.AuthPolicy, reason v1alpha1.Reason) {
	t.Helper()
	status := metav1.ConditionFalse
	if reason == v1alpha1.ReasonAccepted {
		status = metav1.ConditionTrue
	}
	in.await(ctx, t, p, true, v1alpha1.ConditionAccepted, status, string(reason))
}

func (in *installation) await(ctx context.Context, t *testing.T, o client.Object, target bool, kind string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	var last *metav1.Condition
	what := fmt.Sprintf("%T %s/%s has %s=%s (%s)", o, o.GetNamespace(), o.GetName(), kind, status, reason)
	err := harness.Await(ctx, what, func() bool {
		if in.client.Get(ctx, client.ObjectKeyFromObject(o), o) != nil {
			return false
		}
		last = meta.FindStatusCondition(conditions(o, target), kind)
		return last != nil && last.Status == status && last.Reason == reason && last.ObservedGeneration == o.GetGeneration()
	})
	if err != nil {
		t.Fatalf("%v: it has %+v", err, last)
	}
	return last.Message
}

// policy, scheme and app name an object to look at.
func policy(namespace, name string) *v1alpha1.AuthPolicy {
	return &v1alpha1.AuthPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func app(namespace, name string) *v1alpha1.App {
	return &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func scheme(namespace, name string) *v1alpha1.AuthScheme {
	return &v1alpha1.AuthScheme{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

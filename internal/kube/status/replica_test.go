package status

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestReplicas: a replica counts while its Lease is seen to be renewed, whatever its clock says.
func TestReplicas(t *testing.T) {
	lease := func(name string, renewed time.Time) *coordinationv1.Lease {
		return &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotationInForce: `{"AuthPolicy":"100"}`}},
			Spec:       coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: renewed}},
		}
	}
	now := noon.Time
	longAgo := now.Add(-24 * time.Hour) // by a clock that is wrong
	r := replicas{}
	for _, step := range []struct {
		name            string
		after           time.Duration
		leases          []*coordinationv1.Lease
		live, forgotten int
	}{
		{"first sight", 0, []*coordinationv1.Lease{lease("self", longAgo), lease("a", longAgo), lease("b", longAgo)}, 2, 0},
		{"a renews, b does not", 29 * time.Second, []*coordinationv1.Lease{lease("self", longAgo), lease("a", longAgo.Add(1)), lease("b", longAgo)}, 2, 0},
		{"b is stale", 2 * time.Second, []*coordinationv1.Lease{lease("self", longAgo), lease("a", longAgo.Add(1)), lease("b", longAgo)}, 1, 0},
		{"b is back", time.Second, []*coordinationv1.Lease{lease("a", longAgo.Add(1)), lease("b", longAgo.Add(2))}, 2, 0},
		{"long after", 301 * time.Second, []*coordinationv1.Lease{lease("self", longAgo), lease("a", longAgo.Add(1)), lease("b", longAgo.Add(9))}, 1, 1},
		{"all have gone", 0, nil, 0, 0},
	} {
		now = now.Add(step.after)
		live, forgotten := r.observe(step.leases, "self", now)
		if len(live) != step.live || len(forgotten) != step.forgotten {
			t.Errorf("%s: %d live, %d forgotten", step.name, len(live), len(forgotten))
		}
		for _, v := range live {
			if !v.reached(at("100")) {
				t.Errorf("%s: in force: %v", step.name, v)
			}
		}
	}
	if len(r) != 0 {
		t.Errorf("remembers %v", r)
	}
}

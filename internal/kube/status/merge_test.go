package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

var (
	noon = metav1.NewTime(time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC))
	one  = metav1.NewTime(noon.Add(time.Hour))
)

// written is the status of shop/orders after a load, as the leader found live replicas.
func written(from []metav1.Condition, l *ledger, live []versions, now metav1.Time) ([]metav1.Condition, bool) {
	changed := mergeConditions(&from, makePlan(l, live).objects[orders].conditions, now)
	return from, changed
}

func TestMerge(t *testing.T) {
	l := (&ledger{}).next(loaded(1, "100"))
	pending, changed := written(nil, l, []versions{at("100"), at("90")}, noon)
	if !changed || pending[1].Status != metav1.ConditionFalse || pending[1].LastTransitionTime != noon {
		t.Fatal("the first status is not written:", text(pending))
	}
	more, changed := written(pending, l, []versions{at("100"), at("90"), at("90")}, one)
	if !changed || more[1].Message != "1 of 3 replicas decide by generation 1" || more[1].LastTransitionTime != noon {
		t.Error("a replica more that is behind:", text(more))
	}
	good, changed := written(pending, l, []versions{at("100"), at("100")}, one)
	if !changed || good[1].Status != metav1.ConditionTrue || good[1].LastTransitionTime != one || good[0].LastTransitionTime != noon {
		t.Error("Programmed:", text(good))
	}
	for _, live := range [][]versions{{at("100"), at("100"), at("90")}, {at("100")}, {at("100"), at("100"), at("101")}} {
		if _, changed := written(good, l, live, one); changed {
			t.Errorf("a generation that was Programmed is written again for %d replicas", len(live))
		}
	}
	l = l.next(loaded(2, "110"))
	next, changed := written(good, l, []versions{at("110"), at("100")}, one)
	if !changed || next[1].Status != metav1.ConditionFalse || next[0].ObservedGeneration != 2 || next[0].LastTransitionTime != noon {
		t.Error("the next generation:", text(next))
	}
}

func TestMergeLeavesOthers(t *testing.T) {
	foreign := metav1.Condition{Type: "example.com/Audited", Status: metav1.ConditionTrue}
	l := (&ledger{}).next(loaded(1, "100"))
	got, _ := written([]metav1.Condition{foreign, {Type: v1alpha1.ConditionOverridden, Status: metav1.ConditionTrue}}, l, nil, noon)
	if len(got) != 3 || !cmp.Equal(got[0], foreign) || meta.FindStatusCondition(got, v1alpha1.ConditionOverridden) != nil {
		t.Error(text(got))
	}
}

func TestLaterObservationStays(t *testing.T) {
	p := makePlan((&ledger{}).next(loaded(1, "100")), nil)
	o := &v1alpha1.AuthPolicy{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	o.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAccepted, ObservedGeneration: 2}}
	if p.apply(orders, o, noon) {
		t.Error("an older observation replaces a later one")
	}
	o.Status.Conditions, o.UID = nil, "2"
	if p.apply(orders, o, noon) {
		t.Error("the status of an object that is gone is written to another")
	}
	if o.UID = "1"; !p.apply(orders, o, noon) || p.apply(orders, o, one) {
		t.Error("a status is written not once")
	}
}

func TestAncestors(t *testing.T) {
	accepted := []metav1.Condition{{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: "Accepted"}}
	entry := func(name string) v1alpha1.AncestorStatus {
		return v1alpha1.AncestorStatus{AncestorRef: route(name), ControllerName: v1alpha1.ControllerName, Conditions: accepted}
	}
	var current []v1alpha1.AncestorStatus
	if !mergeAncestors(&current, []v1alpha1.AncestorStatus{entry("a"), entry("b")}, noon) || len(current) != 2 {
		t.Fatal(current)
	}
	if mergeAncestors(&current, []v1alpha1.AncestorStatus{entry("a"), entry("b")}, one) {
		t.Error("nothing has changed")
	}
	if !mergeAncestors(&current, []v1alpha1.AncestorStatus{entry("b")}, one) || len(current) != 1 || current[0].AncestorRef != route("b") ||
		current[0].Conditions[0].LastTransitionTime != noon {
		t.Error(current)
	}
	if !mergeAncestors(&current, nil, one) || len(current) != 0 {
		t.Error(current)
	}
}

func TestAffected(t *testing.T) {
	other := metav1.Condition{Type: "Accepted", Status: metav1.ConditionTrue}
	conditions := []metav1.Condition{other}
	if !setAffected(&conditions, []string{"shop/a", "shop/b"}, 3, noon) || setAffected(&conditions, []string{"shop/a", "shop/b"}, 3, one) {
		t.Error("not written once")
	}
	const want = "Accepted=True  0: \npostern.dev/AuthPolicyAffected=True Accepted 3: affected by AuthPolicy shop/a, shop/b"
	if got := text(conditions); got != want {
		t.Error(got)
	}
	if !setAffected(&conditions, nil, 3, one) || setAffected(&conditions, nil, 3, one) || !cmp.Equal(conditions, []metav1.Condition{other}) {
		t.Error("not removed:", text(conditions))
	}
	full := make([]metav1.Condition, 8)
	if setAffected(&full, []string{"shop/a"}, 3, noon) {
		t.Error("one condition more than the API server takes")
	}
}

func TestParents(t *testing.T) {
	ref := func(name string) gatewayv1.ParentReference {
		return gatewayv1.ParentReference{Name: gatewayv1.ObjectName(name)}
	}
	parents := func(s gatewayv1.RouteStatus) (list []string) {
		for _, p := range s.Parents {
			for _, c := range p.Conditions {
				list = append(list, fmt.Sprintf("%s %s %s %d", p.ParentRef.Name, p.ControllerName, c.Type, c.ObservedGeneration))
			}
		}
		return list
	}
	foreign := gatewayv1.RouteParentStatus{ParentRef: ref("a"), ControllerName: "example.com/gateway", Conditions: []metav1.Condition{{Type: "Accepted"}}}
	status := gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{foreign}}
	for _, step := range []struct {
		name     string
		refs     []gatewayv1.ParentReference
		policies []string
		changed  bool
		want     []string
	}{
		{"affected", []gatewayv1.ParentReference{ref("a"), ref("b")}, []string{"shop/x"}, true, []string{
			"a example.com/gateway Accepted 0", "a postern.dev/authz postern.dev/AuthPolicyAffected 5", "b postern.dev/authz postern.dev/AuthPolicyAffected 5",
		}},
		{"the same", []gatewayv1.ParentReference{ref("a"), ref("b")}, []string{"shop/x"}, false, []string{
			"a example.com/gateway Accepted 0", "a postern.dev/authz postern.dev/AuthPolicyAffected 5", "b postern.dev/authz postern.dev/AuthPolicyAffected 5",
		}},
		{"no longer attached to a", []gatewayv1.ParentReference{ref("b")}, []string{"shop/x"}, true, []string{
			"a example.com/gateway Accepted 0", "b postern.dev/authz postern.dev/AuthPolicyAffected 5",
		}},
		{"no policy", []gatewayv1.ParentReference{ref("b")}, nil, true, []string{"a example.com/gateway Accepted 0"}},
		{"still none", []gatewayv1.ParentReference{ref("b")}, nil, false, []string{"a example.com/gateway Accepted 0"}},
	} {
		if got := setParents(&status, step.refs, step.policies, 5, noon); got != step.changed {
			t.Errorf("%s: changed: %t", step.name, got)
		}
		if diff := cmp.Diff(step.want, parents(status)); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
}

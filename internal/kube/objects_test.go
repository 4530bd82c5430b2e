package kube

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
)

func named(name string, generation int64) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: "u", Generation: generation, ResourceVersion: fmt.Sprint(100 + generation),
	}
}

func policy(name string, generation int64, spec v1alpha1.AuthPolicySpec) *v1alpha1.AuthPolicy {
	spec.Security = append(spec.Security, v1alpha1.SecurityRequirement{})
	return &v1alpha1.AuthPolicy{ObjectMeta: named(name, generation), Spec: spec}
}

func app(name string, generation int64, scopes ...string) *v1alpha1.App {
	return &v1alpha1.App{ObjectMeta: named(name, generation), Spec: v1alpha1.AppSpec{Scopes: scopes}}
}

// told is what objects are told, and how often they asked for a snapshot.
type told struct {
	*objects
	asked int
}

func newTold(kinds ...kind) *told {
	t := &told{}
	t.objects = newObjects(kinds, func() { t.asked++ })
	return t
}

// TestSnapshotsShareObjects: what has not changed keeps its pointer, and what nobody decides by asks for no snapshot.
func TestSnapshotsShareObjects(t *testing.T) {
	o := newTold()
	a, b := app("a", 1, "x"), app("b", 1, "x")
	o.put(v1alpha1.KindApp, nil, a)
	o.put(v1alpha1.KindApp, nil, b)
	first := o.layOut().documents

	status := a.DeepCopy()
	status.ResourceVersion, status.Status.Conditions = "999", []metav1.Condition{{Type: "Accepted"}}
	o.put(v1alpha1.KindApp, a, status)
	if o.asked != 2 {
		t.Errorf("%d snapshots asked for, want 2: a status was written", o.asked)
	}
	if got := o.resource[keyOf(v1alpha1.KindApp, a)].version; got != "999" {
		t.Errorf("the version is %s, want that of the status", got)
	}

	labelled := b.DeepCopy()
	labelled.Labels = map[string]string{"tier": "partner"}
	o.put(v1alpha1.KindApp, b, labelled)
	second := o.layOut().documents
	if o.asked != 3 || first[0].App != second[0].App || first[1].App == second[1].App {
		t.Errorf("asked %d times; objects %v then %v", o.asked, first, second)
	}
	if first[0].App.Read() == a || a.Spec.Credentials != nil {
		t.Error("the cache's object is used or was changed")
	}
	o.remove(v1alpha1.KindApp, a)
	if third := o.layOut().documents; len(third) != 1 || third[0].App != second[1].App {
		t.Errorf("got %v", third)
	}
}

// TestLastGood: an object in error keeps its last good version until it is gone.
func TestLastGood(t *testing.T) {
	o := newTold()
	good, bad := app("a", 1, "x"), app("a", 2, "not a scope")
	o.put(v1alpha1.KindApp, nil, good)
	before := o.layOut().documents
	o.put(v1alpha1.KindApp, good, bad)
	after := o.layOut().documents
	if after[0].Err == nil || after[0].App != before[0].App {
		t.Errorf("got %v", after[0])
	}
	o.remove(v1alpha1.KindApp, bad)
	o.put(v1alpha1.KindApp, nil, bad)
	if anew := o.layOut().documents; anew[0].Err == nil || anew[0].App != nil {
		t.Errorf("a new object has the last good version of another: %v", anew[0])
	}
}

// TestInput: policies are attached anew when something that this depends on changes, and only then; one in error stays
// where it was.
func TestInput(t *testing.T) {
	o := newTold(kind{name: v1alpha1.KindGateway})
	attached := v1alpha1.AuthPolicySpec{TargetRefs: []v1alpha1.TargetReference{{Kind: v1alpha1.KindGateway, Name: "g"}}}
	good := policy("p", 1, attached)
	gateway := &gatewayv1.Gateway{ObjectMeta: named("g", 1)}
	step := func(what string, want bool, policies, gateways int) {
		t.Helper()
		in := o.layOut().input
		if (in != nil) != want {
			t.Errorf("%s: attached anew: %v", what, in != nil)
		} else if want && (len(in.Policies) != policies || len(in.Gateways) != gateways) {
			t.Errorf("%s: %d policies, %d gateways; want %d, %d", what, len(in.Policies), len(in.Gateways), policies, gateways)
		}
	}
	step("nothing", true, 0, 0)
	step("nothing again", false, 0, 0)
	o.put(v1alpha1.KindAuthPolicy, nil, good)
	step("a policy", true, 1, 0)
	o.put(v1alpha1.KindGateway, nil, gateway)
	step("a Gateway while others have not been told", true, 1, 0)
	o.synced(v1alpha1.KindGateway)
	step("all Gateways", true, 1, 1)
	o.put(v1alpha1.KindAuthPolicy, nil, policy("elsewhere", 1, v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}))
	o.put(v1alpha1.KindApp, nil, app("a", 1))
	step("what is attached to nothing", false, 0, 0)

	broken := good.DeepCopy()
	broken.Generation, broken.Spec.Mode = 2, "None"
	o.put(v1alpha1.KindAuthPolicy, good, broken)
	step("a broken policy, which is attached as it was", false, 0, 0)
	if o.policy(keyOf(v1alpha1.KindAuthPolicy, good)).Spec.Mode != v1alpha1.ModeEnforce {
		t.Error("it is not the last good version that is attached")
	}
	moved := good.DeepCopy()
	moved.Generation, moved.Spec.TargetRefs[0].Name = 3, "elsewhere"
	o.put(v1alpha1.KindAuthPolicy, broken, moved)
	step("a policy with another target", true, 1, 1)
	o.remove(v1alpha1.KindGateway, gateway)
	step("no Gateway", true, 1, 0)
	o.remove(v1alpha1.KindAuthPolicy, broken)
	step("no policy", true, 0, 0)
}

// TestVerdictsAttachAnew: of the status of a Gateway or a route only what it refuses or accepts matters.
func TestVerdictsAttachAnew(t *testing.T) {
	o := newTold()
	http := &gatewayv1.HTTPRoute{ObjectMeta: named("r", 1)}
	grpc := &gatewayv1.GRPCRoute{ObjectMeta: named("r", 1)}
	gateway := &gatewayv1.Gateway{ObjectMeta: named("g", 1), Spec: gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{{Name: "l"}}}}
	for kind, object := range map[string]client.Object{v1alpha1.KindHTTPRoute: http, v1alpha1.KindGRPCRoute: grpc, v1alpha1.KindGateway: gateway} {
		o.put(kind, nil, object)
	}
	conditions := func(kind string, status metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: status}}
	}
	for _, c := range []struct {
		kind   string
		status metav1.ConditionStatus
		want   bool
	}{
		{"Accepted", metav1.ConditionFalse, true}, {"Accepted", metav1.ConditionFalse, false}, {"ResolvedRefs", metav1.ConditionFalse, true},
		{"ResolvedRefs", metav1.ConditionTrue, false},
	} {
		o.layOut()
		parents := gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{{ParentRef: gatewayv1.ParentReference{Name: "g"}, Conditions: conditions(c.kind, c.status)}}}
		nextHTTP, nextGRPC, nextGateway := http.DeepCopy(), grpc.DeepCopy(), gateway.DeepCopy()
		nextHTTP.Status.RouteStatus, nextGRPC.Status.RouteStatus = parents, parents
		nextGateway.Status.Listeners = []gatewayv1.ListenerStatus{{Name: "l", Conditions: conditions(c.kind, c.status)}}
		for _, one := range []struct {
			kind        string
			before, now client.Object
		}{{v1alpha1.KindHTTPRoute, http, nextHTTP}, {v1alpha1.KindGRPCRoute, grpc, nextGRPC}, {v1alpha1.KindGateway, gateway, nextGateway}} {
			o.put(one.kind, one.before, one.now)
			if got := o.layOut().input != nil; got != c.want {
				t.Errorf("%s with %s=%s: attached anew: %v", one.kind, c.kind, c.status, got)
			}
		}
		http, grpc, gateway = nextHTTP, nextGRPC, nextGateway
	}
}

// TestRoutesWatched: a snapshot without Routes says whether somebody looked.
func TestRoutesWatched(t *testing.T) {
	for setting, want := range map[GatewayAPI]bool{"": true, GatewayAPIAuto: true, GatewayAPIEnabled: true, GatewayAPIDisabled: false} {
		s := &Source{options: Options{GatewayAPI: setting}, objects: newTold().objects}
		if snap, ok := s.snapshot(); !ok || snap.RoutesWatched != want {
			t.Errorf("%q: %v, %v", setting, snap.RoutesWatched, ok)
		}
	}
}

// TestOrder: documents come in an order that does not depend on a map's.
func TestOrder(t *testing.T) {
	o := newTold()
	for _, name := range []string{"c", "a", "b"} {
		o.put(v1alpha1.KindApp, nil, app(name, 1))
		o.put(v1alpha1.KindAuthPolicy, nil, policy(name, 1, v1alpha1.AuthPolicySpec{Hosts: []string{name + ".test"}}))
	}
	docs := o.layOut().documents
	sorted := slices.IsSortedFunc(docs, func(a, b v1alpha1.Document) int {
		return compareKeys(source.KeyOf(&a), source.KeyOf(&b))
	})
	if len(docs) != 6 || !sorted {
		t.Errorf("got %v", docs)
	}
}

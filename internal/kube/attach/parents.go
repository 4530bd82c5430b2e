package attach

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// experimentalGroup has what may become a part of the Gateway API, such as XListenerSet.
const experimentalGroup = "gateway.networking.x-k8s.io"

// parentRef is a ParentReference with what it leaves out filled in.
type parentRef struct {
	object
	group   string
	section string               // empty: all
	port    gatewayv1.PortNumber // 0: all
}

func newParentRef(p *gatewayv1.ParentReference, namespace string) parentRef {
	return parentRef{
		object: object{
			string(valueOr(p.Kind, v1alpha1.KindGateway)), string(valueOr(p.Namespace, gatewayv1.Namespace(namespace))), string(p.Name),
		},
		group:   string(valueOr(p.Group, v1alpha1.GatewayGroup)),
		section: string(valueOr(p.SectionName, "")),
		port:    valueOr(p.Port, 0),
	}
}

// isGateway reports whether it may stand for listeners: a Service does not, since no Envoy asks there.
func (p *parentRef) isGateway() bool {
	return p.group == v1alpha1.GatewayGroup || p.group == experimentalGroup
}

// parent is a parentRef of a route, and what controllers say of it.
type parent struct {
	parentRef

	accepted bool // one says that it serves the route there
	refused  bool // one says that it does not
	unnamed  bool // the route does not name it: a default Gateway (HTTPRouteSpec.UseDefaultGateways)
}

// readParents returns the parents that a route names, and then those that it was accepted on all the same.
func readParents(spec []gatewayv1.ParentReference, status []gatewayv1.RouteParentStatus, namespace string) []parent {
	parents := make([]parent, 0, len(spec))
	for i := range spec {
		parents = append(parents, parent{parentRef: newParentRef(&spec[i], namespace)})
	}
	for i := range status {
		accepted, refused := verdict(status[i].Conditions)
		if !accepted && !refused {
			continue
		}
		ref := newParentRef(&status[i].ParentRef, namespace)
		at := slices.IndexFunc(parents, func(p parent) bool { return p.parentRef == ref })
		if at < 0 {
			at = len(parents)
			parents = append(parents, parent{parentRef: ref, unnamed: true})
		}
		parents[at].accepted = parents[at].accepted || accepted
		parents[at].refused = parents[at].refused || refused
	}
	return parents
}

// verdict returns what a controller says of a route, for whichever generation: while it catches up, Envoy may have the
// route either way.
func verdict(conditions []metav1.Condition) (accepted, refused bool) {
	kind := string(gatewayv1.RouteConditionAccepted)
	return meta.IsStatusConditionTrue(conditions, kind), meta.IsStatusConditionFalse(conditions, kind)
}

// isRefused reports whether a Gateway's status says that it does not run the listener.
func isRefused(status *gatewayv1.GatewayStatus, listener gatewayv1.SectionName) bool {
	for i := range status.Listeners {
		if l := &status.Listeners[i]; l.Name == listener {
			return meta.IsStatusConditionFalse(l.Conditions, string(gatewayv1.ListenerConditionAccepted)) ||
				meta.IsStatusConditionFalse(l.Conditions, string(gatewayv1.ListenerConditionProgrammed)) ||
				meta.IsStatusConditionTrue(l.Conditions, string(gatewayv1.ListenerConditionConflicted))
		}
	}
	return false
}

// SameVerdicts reports whether policies are attached alike by the statuses of two versions of an object, a Gateway or a
// route. Nothing depends on the status of any other.
func SameVerdicts(a, b any) bool {
	switch a := a.(type) {
	case *gatewayv1.Gateway:
		b, ok := b.(*gatewayv1.Gateway)
		return ok && slices.EqualFunc(a.Spec.Listeners, b.Spec.Listeners, func(x, y gatewayv1.Listener) bool {
			return isRefused(&a.Status, x.Name) == isRefused(&b.Status, y.Name)
		})
	case *gatewayv1.HTTPRoute:
		b, ok := b.(*gatewayv1.HTTPRoute)
		return ok && sameParents(a.Status.Parents, b.Status.Parents)
	case *gatewayv1.GRPCRoute:
		b, ok := b.(*gatewayv1.GRPCRoute)
		return ok && sameParents(a.Status.Parents, b.Status.Parents)
	default:
		return true
	}
}

func sameParents(a, b []gatewayv1.RouteParentStatus) bool {
	return reflect.DeepEqual(readParents(nil, a, ""), readParents(nil, b, ""))
}

package attach

import (
	"cmp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Input is what a cluster holds, in any order, each object once. None of it is changed. What is about to be deleted
// counts until it is gone.
type Input struct {
	// Policies with targetRefs; those without are passed over. A policy in error belongs here too: as its last good
	// version, or as it is written if it has none. It keeps its place, so that what it was to protect is not open.
	Policies []*v1alpha1.AuthPolicy

	Gateways   []*gatewayv1.Gateway
	HTTPRoutes []*gatewayv1.HTTPRoute
	GRPCRoutes []*gatewayv1.GRPCRoute

	// Grants let policies of one namespace be attached to targets in another.
	Grants []*gatewayv1.ReferenceGrant
	// Namespaces are the labels of each, by name; listeners select the namespaces of routes by them.
	Namespaces map[string]map[string]string
}

// Output depends on what the Input holds, not on its order.
type Output struct {
	// Routes are the rules of all routes that a listener serves, covered by a policy or not, sorted by kind, namespace,
	// name and rule. A rule is there more than once where listeners differ in hosts or policy, and where some of its
	// matches cannot be read.
	Routes []v1alpha1.Route
	// Targets say what became of each targetRef: by namespace and name of the policy, then in the order of the policy.
	Targets []Target
	// Affected are the objects that policies hold for, sorted by kind, namespace and name.
	Affected []Affected
}

// Target is what became of a policy on one of its targets.
type Target struct {
	Policy string                   // "namespace/name"
	Ref    v1alpha1.TargetReference // with group and namespace

	// Reason is ReasonAccepted, ReasonTargetNotFound, ReasonNotGranted, ReasonConflicted or ReasonInvalid. The policy
	// holds nowhere on the target unless it is ReasonAccepted.
	Reason  v1alpha1.Reason
	Message string // a sentence without a full stop; what to do about it follows a semicolon

	// OverriddenBy are the policies, "namespace/name", that take the place of an accepted one on all of the target,
	// sorted; empty: it is not overridden.
	OverriddenBy []string
}

// Affected is a Gateway or route and the policies that hold for it or a part of it.
type Affected struct {
	Kind, Namespace, Name string

	Policies []string // "namespace/name", sorted
}

// Resolve attaches the policies.
func Resolve(in Input) Output {
	listeners := newListeners(&in)
	routes := readRoutes(&in)
	claims := newClaims(&in, routes)
	var out Output
	for _, r := range routes {
		out.Routes = append(out.Routes, claims.attach(r, listeners.serving(r))...)
	}
	out.Targets = claims.verdicts()
	out.Affected = claims.affected()
	return out
}

// object names a Gateway or route.
type object struct{ kind, namespace, name string }

// String returns the object as messages name it: "HTTPRoute shop/orders".
func (o object) String() string { return o.kind + " " + o.namespace + "/" + o.name }

func (o object) compare(p object) int {
	return cmp.Or(strings.Compare(o.kind, p.kind), strings.Compare(o.namespace, p.namespace), strings.Compare(o.name, p.name))
}

// readRoutes returns the routes of every kind, sorted.
func readRoutes(in *Input) []*route {
	routes := make([]*route, 0, len(in.HTTPRoutes)+len(in.GRPCRoutes))
	for _, r := range in.HTTPRoutes {
		routes = append(routes, newHTTPRoute(r))
	}
	for _, r := range in.GRPCRoutes {
		routes = append(routes, newGRPCRoute(r))
	}
	slices.SortFunc(routes, func(a, b *route) int { return a.compare(b.object) })
	return routes
}

// valueOr returns what p points to, or what a field that is left out means.
func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

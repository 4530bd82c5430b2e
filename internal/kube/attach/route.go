package attach

import (
	"slices"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// route is what HTTPRoutes and GRPCRoutes have in common.
type route struct {
	object
	created time.Time
	parents []parent
	hosts   []string // patterns
	rules   []rule
}

// rule is a rule of a route.
type rule struct {
	name      string // empty: it has none
	matches   []v1alpha1.RouteMatch
	redirects bool // no upstream sees the requests

	// unread are matches of which a condition cannot be read, without it, and why is what is wrong with the first.
	unread []v1alpha1.RouteMatch
	why    string
}

func newHTTPRoute(r *gatewayv1.HTTPRoute) *route {
	out := &route{
		object:  object{v1alpha1.KindHTTPRoute, r.Namespace, r.Name},
		created: r.CreationTimestamp.Time,
		parents: readParents(r.Spec.ParentRefs, r.Status.Parents, r.Namespace),
		hosts:   routeHosts(r.Spec.Hostnames),
	}
	for i := range r.Spec.Rules {
		in := &r.Spec.Rules[i]
		one := rule{name: string(valueOr(in.Name, "")), redirects: Redirects(in)}
		for j := range in.Matches {
			one.add(httpMatch(&in.Matches[j]))
		}
		if len(in.Matches) == 0 {
			one.matches = everyRequest()
		}
		out.rules = append(out.rules, one)
	}
	if len(r.Spec.Rules) == 0 {
		out.rules = []rule{{matches: everyRequest()}} // as the API server would have filled it in
	}
	return out
}

func newGRPCRoute(r *gatewayv1.GRPCRoute) *route {
	out := &route{
		object:  object{v1alpha1.KindGRPCRoute, r.Namespace, r.Name},
		created: r.CreationTimestamp.Time,
		parents: readParents(r.Spec.ParentRefs, r.Status.Parents, r.Namespace),
		hosts:   routeHosts(r.Spec.Hostnames),
	}
	for i := range r.Spec.Rules {
		in := &r.Spec.Rules[i]
		one := rule{name: string(valueOr(in.Name, ""))}
		for j := range in.Matches {
			one.add(grpcMatch(&in.Matches[j]))
		}
		if len(in.Matches) == 0 {
			one.matches = everyRequest()
		}
		out.rules = append(out.rules, one)
	}
	return out
}

// Redirects reports whether Envoy answers what fits the rule with a redirect, by itself. The API server refuses backends
// beside one (HTTPRouteRule, validation rules); where it did not, they count.
func Redirects(r *gatewayv1.HTTPRouteRule) bool {
	return len(r.BackendRefs) == 0 && slices.ContainsFunc(r.Filters, func(f gatewayv1.HTTPRouteFilter) bool {
		return f.Type == gatewayv1.HTTPRouteFilterRequestRedirect
	})
}

// everyRequest is what a rule without matches stands for (HTTPRouteRule.Matches).
func everyRequest() []v1alpha1.RouteMatch {
	return []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Prefix: "/"}}}
}

// add adds a match that has been read.
func (r *rule) add(m *matcher) {
	switch {
	case m.never:
	case m.unread == "":
		r.matches = append(r.matches, m.RouteMatch)
	default:
		if r.unread == nil {
			r.why = m.unread
		}
		r.unread = append(r.unread, m.RouteMatch)
	}
}

// routeHosts returns the patterns that requests can have. A route that lists no hostname is for every host, one that
// lists only what no request can have is for none.
func routeHosts(names []gatewayv1.Hostname) []string {
	if len(names) == 0 {
		return []string{everyHost}
	}
	var hosts []string
	for _, n := range names {
		if host, ok := canonicalHost(n); ok {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

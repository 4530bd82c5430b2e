package policy

import (
	"cmp"
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

var (
	twoFirsts = authz.Fail(authz.ReasonNoPolicy,
		errors.New("equally specific matches of routes with different policies fit, and gateways differ in which comes first"))
	twoPaths = authz.Fail(authz.ReasonNoPolicy,
		errors.New("gateways make different paths of a GRPCRoute, and by one of them the request may be for a route with another policy"))
)

// contends reports whether a match that comes after m may be before it in some gateway, with another policy. Only those
// of one path are compared: of expressions, those of one length.
//
// Between the kinds of routes that is not sure either. The Gateway API wants one of two to be refused that share a host
// (GRPCRouteSpec.Hostnames), and who takes both orders them as they come out: a service is a prefix that ends in a slash
// in Istio and not in Envoy Gateway, no method is the prefix "/" in Envoy Gateway and comes after everything in Istio,
// and what stands for a service or a method that an expression leaves out has a length of its own in each.
//
// The Gateway API asks for a method first, then counts header and then query matches, and so does Istio
// (pilot/pkg/config/kube/gateway, sortHTTPRoutes). Envoy Gateway (internal/gatewayapi/sort.go) takes the method for one
// more header, and asks of as many headers how many are exact before it counts query matches, and of those too. What is
// left is settled by age and name, but not in one way: Envoy Gateway sorts HTTPRoutes and GRPCRoutes apart, and Istio
// merges lists that it has sorted before. Only the rules of one route are sure to stay in order.
func (m *match) contends(o *match) bool {
	x, y := m.route.route, o.route.route
	regex, prefix := m.path.kind == pathRegex, m.path.kind == pathPrefix
	switch {
	case x.agrees(y) || m.path.kind != o.path.kind:
		return false
	case regex && (x.from.Kind == v1alpha1.KindGRPCRoute || y.from.Kind == v1alpha1.KindGRPCRoute):
		return true
	case prefix && x.from.Kind != y.from.Kind:
		return strings.TrimSuffix(m.path.text, "/") == strings.TrimSuffix(o.path.text, "/")
	case regex && len(m.path.text) != len(o.path.text) || !regex && m.path.text != o.path.text:
		return false
	}
	a, b := m.count(), o.count()
	asWritten := cmp.Or(cmp.Compare(b.methods, a.methods), cmp.Compare(b.headers, a.headers), cmp.Compare(b.query, a.query))
	asHeader := cmp.Or(
		cmp.Compare(b.headers+b.methods, a.headers+a.methods), cmp.Compare(b.exactHeaders+b.methods, a.exactHeaders+a.methods),
		cmp.Compare(b.query, a.query), cmp.Compare(b.exactQuery, a.exactQuery),
	)
	if asWritten == 0 && asHeader == 0 {
		return x.from.Object() != y.from.Object()
	}
	return asWritten >= 0 || asHeader >= 0
}

// widen puts the probe in doubt where a match that some gateway takes for wider may be before the one that is found, nil if
// none is, with another policy. An exact path is first everywhere.
func (p *probe) widen(matches []*match, found *match, path string) {
	for _, m := range matches {
		switch x := m.route.route; {
		case !m.fitsWider(p, path):
		case x.denied != nil:
			p.doubt = x.denied
		case found != nil && found.path.kind == pathExact:
		case !chosenBy(m).agrees(chosenBy(found)):
			p.doubt = twoPaths
		}
	}
}

// fitsWider reports whether the request fits as some gateway has it, by the path alone or with the query.
func (m *match) fitsWider(p *probe, path string) bool {
	r, wider := p.request, m.route.wider
	return wider != nil && (wider.matches(path) || r.HasQuery && wider.matches(path+"?"+r.Query)) && m.holds(p)
}

// counts are what gateways compare of a match.
type counts struct{ methods, headers, exactHeaders, query, exactQuery int }

func (m *match) count() counts {
	exact := func(list []valueMatch) (n int) {
		for i := range list {
			if list[i].regex == nil {
				n++
			}
		}
		return n
	}
	return counts{min(len(m.methods), 1), len(m.route.headers), exact(m.route.headers), len(m.route.query), exact(m.route.query)}
}

package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// resources is what begins the names of the route metadata in which Envoy Gateway (1.9, internal/xds/translator,
// metadata.go) says which HTTPRoute or GRPCRoute it made a route of: the one element of a list, with kind, namespace,
// name, and sectionName if the rule has a name. It sends them with SecurityPolicy's extAuth.includeRouteMetadata,
// which sets Envoy's route_metadata_context_namespaces to [envoy-gateway]. They are part of the route's
// configuration: no client has a hand in them.
const resources = "envoy-gateway\x00resources."

var (
	unknownRoute = authz.Fail(authz.ReasonNoPolicy, errors.New("the route's metadata names a route that is not known"))
	unfitRoute   = authz.Fail(authz.ReasonNoPolicy, errors.New("as far as is known, the route that the metadata names does not serve the request"))
	unclearRoute = authz.Fail(authz.ReasonNoPolicy, errors.New("the route's metadata does not name one route"))
)

// told finds the rule through the route that Envoy Gateway names, and reports whether it names one. A route that is not
// known denies.
func (s *Set) told(h *host, r *authz.Request, method string) (f found, failure *authz.Failure, ok bool) {
	var name routeName
	var section string
	for i := range r.RouteMetadata {
		field, is := strings.CutPrefix(r.RouteMetadata[i].Name, resources)
		if !is {
			continue
		}
		ok = true
		switch value := r.RouteMetadata[i].Value; field {
		case "0.kind":
			name.kind = value
		case "0.namespace":
			name.namespace = value
		case "0.name":
			name.name = value
		case "0.sectionName":
			section = value
		default:
			if !strings.HasPrefix(field, "0.") {
				return f, unclearRoute, true
			}
		}
	}
	switch n := s.routes[name]; {
	case !ok:
		return f, nil, false
	case name.kind == "" || name.namespace == "" || name.name == "":
		return f, unclearRoute, true
	case n == nil:
		return f, unknownRoute, true
	default:
		f, failure = s.among(n, section, h, r, method)
		return f, failure, true
	}
}

// namedRoute is an HTTPRoute or GRPCRoute.
type namedRoute struct {
	rules    []*route // a rule is there more than once where listeners differ
	matches  []*match // of all rules, the one that wins first; nil where all rules agree
	nameless bool     // there is a rule without a name
}

func (c *Compiler) namedRoutes() map[routeName]*namedRoute {
	all := make(map[routeName]*namedRoute, len(c.compiled))
	for name, rules := range c.compiled {
		all[name] = newNamedRoute(rules)
	}
	return all
}

func newNamedRoute(rules []*route) *namedRoute {
	n := &namedRoute{rules: rules, nameless: slices.ContainsFunc(rules, func(x *route) bool { return x.from.Section == "" })}
	if slices.ContainsFunc(rules, func(x *route) bool { return !x.agrees(rules[0]) }) {
		for _, x := range rules {
			n.matches = append(n.matches, x.matches...)
		}
		slices.SortStableFunc(n.matches, (*match).compare)
	}
	return n
}

// may reports whether the rule may be the one that the section names. None is named where the rule has no name. If all of
// them have one, Envoy has not heard of that yet, and it may be any.
func (n *namedRoute) may(x *route, section string) bool {
	return x.from.Section == section || section == "" && !n.nameless
}

// among finds the rule through one of the route's rules: the one that the section names. Of several without a name, and
// where listeners differ, it is the one that fits the request, unless all agree.
func (s *Set) among(n *namedRoute, section string, h *host, r *authz.Request, method string) (found, *authz.Failure) {
	p := probe{request: r, method: r.Method}
	i := slices.IndexFunc(n.rules, func(x *route) bool { return n.may(x, section) })
	if i < 0 {
		return found{}, unknownRoute
	}
	only := chosen{route: n.rules[i]}
	if !slices.ContainsFunc(n.rules[i:], func(x *route) bool { return n.may(x, section) && !x.agrees(only.route) }) {
		return s.follow(h, &p, method, only, only)
	}
	strict := n.find(&p, section, r.Route.Path, false)
	loose := strict
	if r.Route.Loose != "" {
		loose = n.find(&p, section, r.Route.Loose, true)
	}
	if strict == nil {
		return found{}, unfitRoute
	}
	return s.follow(h, &p, method, chosenBy(strict), chosenBy(loose))
}

// find returns the match that fits the request. Where listeners differ about it the probe is in doubt.
func (n *namedRoute) find(p *probe, section, path string, loose bool) (best *match) {
	host := hostPattern{name: p.request.Route.Host}
	var wider []*match
	for _, m := range n.matches {
		x := m.route.route
		if !n.may(x, section) || !x.serves(host) {
			continue
		}
		if m.route.wider != nil {
			wider = append(wider, m)
		}
		if !m.fits(p, path, loose) {
			continue
		}
		switch {
		case x.denied != nil:
			p.doubt = x.denied
		case best == nil:
			best = m
		case best.compare(m) == 0 && !best.route.route.agrees(x):
			p.doubt = twoListeners
		case best.contends(m):
			p.doubt = twoFirsts
		case best.path.kind == pathPrefix && m.path.kind == pathRegex && !best.route.route.agrees(x):
			p.doubt = twoOrders
		}
	}
	p.widen(wider, best, path)
	return best
}

// RouteMetadata returns the metadata by which Envoy Gateway would name a route, or one of its rules by its section.
func RouteMetadata(kind, namespace, name, section string) []authz.Field {
	fields := []authz.Field{
		{Name: resources + "0.kind", Value: kind},
		{Name: resources + "0.namespace", Value: namespace},
		{Name: resources + "0.name", Value: name},
	}
	if section != "" {
		fields = append(fields, authz.Field{Name: resources + "0.sectionName", Value: section})
	}
	return fields
}

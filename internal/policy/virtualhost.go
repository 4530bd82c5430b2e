package policy

import (
	"errors"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
)

// virtualHost is the Routes for the hosts of one pattern, as the virtual host that Envoy has for this domain.
type virtualHost struct {
	routes   []*route
	router   *router
	regexes  []*match // those whose path is an expression
	policies []string // that are attached to the routes, each once
}

var (
	twoOrders = authz.Fail(authz.ReasonNoPolicy,
		errors.New("a prefix and an expression of routes with different policies fit, and gateways differ in which comes first"))
	twoGateways = authz.Fail(authz.ReasonNoPolicy,
		errors.New("the route has different policies on different gateways, and nothing tells which gateway asks"))
)

// virtualHosts sorts routes by their hosts. A host whose routes have not changed keeps what was made of them.
func (c *Compiler) virtualHosts(routes []*route) map[hostPattern]*virtualHost {
	byHost := make(map[hostPattern][]*route, len(c.virtual))
	for _, x := range routes {
		for _, h := range x.hosts {
			byHost[h] = append(byHost[h], x)
		}
	}
	all := make(map[hostPattern]*virtualHost, len(byHost))
	for h, list := range byHost {
		if old := c.virtual[h]; old != nil && slices.Equal(old.routes, list) {
			all[h] = old
			continue
		}
		all[h] = newVirtualHost(list)
	}
	c.virtual = all
	return all
}

// join adds the hosts of Routes to those of policies, so that one look finds what both say of a host.
func (x hostIndex) join(virtual map[hostPattern]*virtualHost, names *reservations) {
	if len(virtual) == 0 {
		return
	}
	var more []*host
	for pattern := range virtual {
		if x[pattern] == nil {
			h := &host{pattern: pattern, reserved: names.on(pattern)}
			if wider := covering(x, pattern); wider != nil {
				h.routes, h.denied, h.policies = wider.routes, wider.denied, wider.policies
			}
			more = append(more, h)
		}
	}
	for _, h := range more {
		x[h.pattern] = h
	}
	for pattern, h := range x {
		h.virtual = covering(virtual, pattern)
	}
}

func newVirtualHost(routes []*route) *virtualHost {
	v := &virtualHost{routes: routes}
	v.router = newRouter(routedMatches(routes))
	for i := range v.router.all {
		if m := &v.router.all[i]; m.path.kind == pathRegex {
			v.regexes = append(v.regexes, m)
		}
	}
	for _, x := range routes {
		if x.failure == nil && x.from.Policy != "" {
			v.policies = append(v.policies, x.from.Policy)
		}
	}
	slices.Sort(v.policies)
	v.policies = slices.Compact(v.policies)
	return v
}

// routedMatches returns the matches of routes, the one that wins first. A match that is there twice, since two gateways
// serve the route, denies where their policies differ.
func routedMatches(routes []*route) []*match {
	var all []*match
	for _, x := range routes {
		all = append(all, x.matches...)
	}
	slices.SortStableFunc(all, (*match).compare)
	kept := all[:0]
	for _, m := range all {
		if len(kept) == 0 || kept[len(kept)-1].compare(m) != 0 {
			kept = append(kept, m)
			continue
		}
		if twin := kept[len(kept)-1]; !twin.route.route.agrees(m.route.route) {
			kept[len(kept)-1] = twin.failing(twoGateways)
		}
	}
	return kept
}

// failing returns the match of a Route that denies.
func (m *match) failing(failure *authz.Failure) *match {
	x, part, whole := *m.route.route, *m.route, *m
	x.failure = failure
	part.route, whole.route = &x, &part
	return &whole
}

// find returns the match of the Route that Envoy chooses for the path in one of its readings, nil if there is none.
// Istio tries prefixes before expressions, Envoy Gateway after them: where that makes a difference, the probe is in
// doubt.
func (v *virtualHost) find(p *probe, path string, loose bool) *match {
	m := v.router.find(p, path, loose)
	if m == nil || m.path.kind != pathPrefix {
		return m
	}
	for _, x := range v.regexes {
		if !x.route.route.agrees(m.route.route) && x.path.matches(path) && x.holds(p) {
			p.doubt = twoOrders
			break
		}
	}
	return m
}

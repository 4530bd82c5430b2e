package policy

import (
	"errors"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
)

// virtualHost is the Routes for the hosts of one pattern, as the virtual host that Envoy has for this domain on each of
// its listeners.
type virtualHost struct {
	routes    []*route
	listeners []*listenerRoutes // those that differ
	policies  []string          // that are attached to the routes, each once
}

var (
	twoOrders = authz.Fail(authz.ReasonNoPolicy,
		errors.New("a prefix and an expression of routes with different policies fit, and gateways differ in which comes first"))
	twoGateways = authz.Fail(authz.ReasonNoPolicy,
		errors.New("the route has different policies on different gateways, and nothing tells which gateway asks"))
	twoListeners = authz.Fail(authz.ReasonNoPolicy,
		errors.New("listeners serve the request under different policies, and nothing tells which one it came through"))
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
	for _, list := range byListener(routes) {
		v.listeners = append(v.listeners, newListenerRoutes(list))
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
// Each listener chooses among its own; one that serves nothing there answers 404 by itself. Where the others do not
// agree on the policy, the probe is in doubt: what is open on an internal Gateway does not open a public one.
func (v *virtualHost) find(p *probe, path string, loose bool) (best *match) {
	for _, l := range v.listeners {
		switch m := l.find(p, path, loose); {
		case m == nil:
		case best == nil:
			best = m
		case !best.route.route.agrees(m.route.route):
			p.doubt = twoListeners
			return best
		}
	}
	return best
}

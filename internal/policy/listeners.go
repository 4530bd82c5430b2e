package policy

import (
	"maps"
	"slices"
)

// listenerRoutes is the Routes for the hosts of a virtualHost that one listener serves, or several alike.
type listenerRoutes struct {
	denied  []*match // of Routes that say they deny; they go before all others
	router  *router
	regexes []*match // those of router whose path is an expression
}

func newListenerRoutes(routes []*route) *listenerRoutes {
	l := &listenerRoutes{}
	all := routedMatches(routes)
	said := func(m *match) bool { return m.route.route.from.Denied != "" }
	for _, m := range all {
		if said(m) {
			l.denied = append(l.denied, m)
		}
	}
	l.router = newRouter(slices.DeleteFunc(all, said))
	for i := range l.router.all {
		if m := &l.router.all[i]; m.path.kind == pathRegex {
			l.regexes = append(l.regexes, m)
		}
	}
	return l
}

// byListener returns the Routes that each listener serves, lists that differ only. A Route that names no listener is on
// one without a name.
func byListener(routes []*route) [][]*route {
	same := func(x *route) bool { return slices.Equal(x.from.Listeners, routes[0].from.Listeners) }
	if !slices.ContainsFunc(routes, func(x *route) bool { return !same(x) }) {
		return [][]*route{routes}
	}
	on := make(map[string][]*route)
	for _, x := range routes {
		names := x.from.Listeners
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			on[name] = append(on[name], x)
		}
	}
	var lists [][]*route
	for _, name := range slices.Sorted(maps.Keys(on)) {
		if !slices.ContainsFunc(lists, func(list []*route) bool { return slices.Equal(list, on[name]) }) {
			lists = append(lists, on[name])
		}
	}
	return lists
}

// find returns the match of the Route that Envoy chooses for the path in one of its readings, nil if there is none.
// Istio tries prefixes before expressions, Envoy Gateway after them: where that makes a difference, the probe is in
// doubt.
func (l *listenerRoutes) find(p *probe, path string, loose bool) *match {
	for _, m := range l.denied {
		if (loose || !m.loose) && m.path.matches(path) && m.holds(p) {
			return m
		}
	}
	m := l.router.find(p, path, loose)
	if m == nil || m.path.kind != pathPrefix {
		return m
	}
	for _, x := range l.regexes {
		if !x.route.route.agrees(m.route.route) && x.path.matches(path) && x.holds(p) {
			p.doubt = twoOrders
			break
		}
	}
	return m
}

package policy

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// virtualHost is what each listener serves on the hosts of one pattern: the Routes of the most specific pattern that it
// has for them. Envoy has it as one virtual host for each listener.
type virtualHost struct {
	routes     []*route // those of the pattern itself
	wider      *virtualHost
	byListener map[string]*listener
	listeners  []*listener // each once
	policies   []string    // that are attached to routes, each once
	guards     bool        // a route of the pattern, or of a wider one, decides something; see route.guardsNothing
}

// listener is the Routes that a listener serves on a virtual host, or several listeners with the same ones.
type listener struct {
	routes  []*route
	router  *router
	regexes []*match            // those whose path is an expression
	rivals  map[*match][]*match // by the match that is found, those that may be before it; see match.contends
	denied  []*match            // which no request may fit
	wider   []*match            // that some gateway takes for wider; see probe.widen
}

var (
	twoOrders = authz.Fail(authz.ReasonNoPolicy,
		errors.New("a prefix and an expression of routes with different policies fit, and gateways differ in which comes first"))
	twoListeners = authz.Fail(authz.ReasonNoPolicy,
		errors.New("listeners have routes with different policies for it, and nothing tells through which it came"))
)

// virtualHosts sorts routes by their hosts. A host whose routes have not changed, nor those of what covers it, keeps what
// was made of them.
func (c *Compiler) virtualHosts(routes []*route) map[hostPattern]*virtualHost {
	byHost := make(map[hostPattern][]*route, len(c.virtual))
	for _, x := range routes {
		for _, h := range x.hosts {
			byHost[h] = append(byHost[h], x)
		}
	}
	all := make(map[hostPattern]*virtualHost, len(byHost))
	widerFirst := func(a, b hostPattern) int { return cmp.Compare(len(a.name), len(b.name)) }
	for _, h := range slices.SortedFunc(maps.Keys(byHost), widerFirst) {
		list, wider := byHost[h], covering(all, h)
		if old := c.virtual[h]; old != nil && old.wider == wider && slices.Equal(old.routes, list) {
			all[h] = old
			continue
		}
		all[h] = newVirtualHost(list, wider)
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

// newVirtualHost makes a virtual host of a pattern's routes. A listener that has none of them serves what it has for the
// most specific pattern that is wider.
func newVirtualHost(routes []*route, wider *virtualHost) *virtualHost {
	v := &virtualHost{routes: routes, wider: wider, byListener: make(map[string]*listener)}
	if wider != nil {
		maps.Copy(v.byListener, wider.byListener)
		v.guards = wider.guards
	}
	own := make(map[string][]*route)
	for _, x := range routes {
		v.guards = v.guards || !x.guardsNothing()
		for _, name := range x.listeners() {
			own[name] = append(own[name], x)
		}
		if x.refused == nil && x.from.Policy != "" {
			v.policies = append(v.policies, x.from.Policy)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		same := func(l *listener) bool { return slices.Equal(l.routes, own[name]) }
		i := slices.IndexFunc(v.listeners, same)
		if i < 0 {
			i = len(v.listeners)
			v.listeners = append(v.listeners, newListener(own[name]))
		}
		v.byListener[name] = v.listeners[i]
	}
	for _, name := range slices.Sorted(maps.Keys(v.byListener)) {
		if l := v.byListener[name]; !slices.Contains(v.listeners, l) {
			v.listeners = append(v.listeners, l)
		}
	}
	slices.Sort(v.policies)
	v.policies = slices.Compact(v.policies)
	return v
}

// listeners names those that serve the route; where nothing is known of any, one without a name.
func (x *route) listeners() []string {
	if len(x.from.Listeners) == 0 {
		return []string{""}
	}
	return x.from.Listeners
}

func newListener(routes []*route) *listener {
	l := &listener{routes: routes}
	var matches []*match
	for _, x := range routes {
		switch {
		case x.denied != nil:
			l.denied = append(l.denied, x.matches...)
		case !x.guardsNothing():
			matches = append(matches, x.matches...)
		}
	}
	for _, m := range slices.Concat(l.denied, matches) {
		if m.route.wider != nil {
			l.wider = append(l.wider, m)
		}
	}
	l.router = newRouter(matches)
	samePath := make(map[string][]*match)
	for i := range l.router.all {
		m := &l.router.all[i]
		if m.path.kind == pathRegex {
			l.regexes = append(l.regexes, m)
			continue
		}
		path := strings.TrimSuffix(m.path.String(), "/")
		for _, before := range samePath[path] {
			l.setRival(before, m)
		}
		samePath[path] = append(samePath[path], m)
	}
	for i, m := range l.regexes {
		for _, after := range l.regexes[i+1:] {
			l.setRival(m, after)
		}
	}
	return l
}

func (l *listener) setRival(m, after *match) {
	if !m.contends(after) {
		return
	}
	if l.rivals == nil {
		l.rivals = make(map[*match][]*match)
	}
	l.rivals[m] = append(l.rivals[m], after)
}

// find returns the match of the Route that Envoy chooses for the path in one of its readings, nil if there is none.
// Where listeners differ in the policy, the probe is in doubt; what redirects on one gives way to what another serves.
func (v *virtualHost) find(p *probe, path string, loose bool) *match {
	var best *match
	var doubt *authz.Failure
	for _, l := range v.listeners {
		switch m := l.find(p, path, loose); {
		case m == nil || best != nil && m.redirects() && !best.redirects():
		case best == nil || best.redirects() && !m.redirects():
			best, doubt = m, nil
		case !m.route.route.agrees(best.route.route):
			doubt = twoListeners
		}
	}
	p.doubt = cmp.Or(doubt, p.doubt)
	return best
}

func (m *match) redirects() bool { return m.route.route.from.Redirects }

// find returns the match of the Route that Envoy chooses on the listener. Istio tries prefixes before expressions, Envoy
// Gateway after them: where that makes a difference, the probe is in doubt, as it is where a match fits that no request
// may fit, or two that gateways put in different orders, or one of which they make different paths.
func (l *listener) find(p *probe, path string, loose bool) *match {
	for _, x := range l.denied {
		if x.fits(p, path, loose) {
			p.doubt = x.route.route.denied
		}
	}
	m := l.router.find(p, path, loose)
	p.widen(l.wider, m, path)
	for _, x := range l.rivals[m] {
		if x.fits(p, path, loose) {
			p.doubt = twoFirsts
		}
	}
	if m == nil || m.path.kind != pathPrefix {
		return m
	}
	for _, x := range l.regexes {
		if !x.route.route.agrees(m.route.route) && x.fits(p, path, loose) {
			p.doubt = twoOrders
		}
	}
	return m
}

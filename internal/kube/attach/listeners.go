package attach

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// listeners are those of all Gateways, by Gateway.
type listeners struct {
	of         map[object][]*listener
	namespaces map[string]map[string]string
}

// listener is a listener that routes may be attached to.
type listener struct {
	gateway object
	name    string
	port    gatewayv1.PortNumber
	host    string   // pattern
	id      string   // "namespace/gateway:port/listener"
	envoy   string   // the listener of Envoy that it is, or is a part of; see v1alpha1.Route
	alone   bool     // no other is a part of that
	narrows []string // patterns below host that other listeners on the port are for

	kinds []string // of routes
	// from says whose routes: of every namespace, of the Gateway's own, of those that selector selects.
	from     gatewayv1.FromNamespaces
	selector labels.Selector
}

func newListeners(in *Input) *listeners {
	l := &listeners{of: make(map[object][]*listener, len(in.Gateways)), namespaces: in.Namespaces}
	for _, g := range in.Gateways {
		key := object{v1alpha1.KindGateway, g.Namespace, g.Name}
		l.of[key] = nil // known, if without a listener
		for i := range g.Spec.Listeners {
			if one := newListener(key, &g.Spec.Listeners[i]); one != nil {
				one.alone = one.alone || isRefused(&g.Status, g.Spec.Listeners[i].Name)
				l.of[key] = append(l.of[key], one)
			}
		}
		relate(l.of[key])
	}
	return l
}

// newListener returns nil for a listener that no request can come through.
func newListener(gateway object, spec *gatewayv1.Listener) *listener {
	l := &listener{
		gateway: gateway, name: string(spec.Name), port: spec.Port, host: everyHost,
		id:    fmt.Sprintf("%s/%s:%d/%s", gateway.namespace, gateway.name, spec.Port, spec.Name),
		alone: spec.Protocol != gatewayv1.HTTPProtocolType,
		kinds: routeKinds(spec), from: gatewayv1.NamespacesFromSame,
	}
	if h := valueOr(spec.Hostname, ""); h != "" {
		var ok bool
		if l.host, ok = canonicalHost(h); !ok {
			return nil
		}
	}
	if allowed := spec.AllowedRoutes; allowed != nil && allowed.Namespaces != nil {
		l.from = valueOr(allowed.Namespaces.From, gatewayv1.NamespacesFromSame)
		// A selector that is missing or wrong selects nothing.
		l.selector, _ = metav1.LabelSelectorAsSelector(allowed.Namespaces.Selector)
	}
	return l
}

// routeKinds returns the kinds of routes that a listener takes: those that its protocol can carry (Listener.Protocol),
// cut down to those it lists.
func routeKinds(spec *gatewayv1.Listener) []string {
	if spec.Protocol != gatewayv1.HTTPProtocolType && spec.Protocol != gatewayv1.HTTPSProtocolType {
		return nil
	}
	if spec.AllowedRoutes == nil || len(spec.AllowedRoutes.Kinds) == 0 {
		return []string{v1alpha1.KindHTTPRoute, v1alpha1.KindGRPCRoute}
	}
	var kinds []string
	for _, k := range spec.AllowedRoutes.Kinds {
		if valueOr(k.Group, v1alpha1.GatewayGroup) == v1alpha1.GatewayGroup {
			kinds = append(kinds, string(k.Kind))
		}
	}
	return kinds
}

// allows reports whether routes of the kind and namespace may be attached.
func (l *listener) allows(r object, namespace map[string]string) bool {
	if !slices.Contains(l.kinds, r.kind) {
		return false
	}
	switch l.from {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return r.namespace == l.gateway.namespace
	case gatewayv1.NamespacesFromSelector:
		return namespace != nil && l.selector != nil && l.selector.Matches(labels.Set(namespace))
	default:
		return false
	}
}

// relate finds out what a Gateway's listeners have in common. Those on one port without TLS are one listener of Envoy,
// which tells them apart by the request's host; with TLS each is one by itself, since it is the client who chooses it by
// the server name (SNI), and nothing holds it to that name afterwards. Of two for the same host the Gateway takes one at
// most (Conflicted), and nobody knows here which.
func relate(list []*listener) {
	for _, l := range list {
		for _, other := range list {
			switch {
			case other == l || other.port != l.port:
			case other.host == l.host:
				l.alone = true
			case covers(l.host, other.host):
				l.narrows = append(l.narrows, other.host)
			}
		}
		if l.envoy = l.id; !l.alone {
			l.envoy = fmt.Sprintf("%s/%s:%d", l.gateway.namespace, l.gateway.name, l.port)
		}
	}
}

// place is a listener that serves a route, and the route's hosts there.
type place struct {
	listener *listener
	envoy    string // what v1alpha1.Route has of it
	hosts    []string
	doubted  bool // it may be that the route is not served there
}

// serving returns the listeners that serve the route, sorted, with its hosts on each.
//
// They are worked out from what the objects ask for. A status is written later than what it is about: while it lags, a
// route that Envoy serves already would be taken for one that it does not. What a status adds is doubt. A route that was
// refused counts as on a listener of its own, so that it hides no other and, if Envoy serves it all the same, no other
// decides for it; and so does one that only its status brings to a Gateway.
//
// What is known of some listeners is no more than that a controller accepted the route there: those of a ListenerSet, and
// of a Gateway in a namespace that is not watched. They may serve all of its hosts. Without that status the route does
// not count: else the name of something that nobody runs, in a route for every host, would have every request refused.
func (l *listeners) serving(r *route) []place {
	var places []place
	seen := make(map[*listener]bool, len(r.parents))
	for i := range r.parents {
		p := &r.parents[i]
		list, known := l.of[p.object]
		switch {
		case !p.isGateway(), p.unnamed && !p.accepted:
		case known && p.group == v1alpha1.GatewayGroup:
			for _, one := range list {
				if !seen[one] && one.isNamed(p) && one.allows(r.object, l.namespaces[r.namespace]) {
					seen[one] = true
					places = append(places, one.places(r, p.refused || p.unnamed)...)
				}
			}
		case p.accepted:
			unseen := &listener{gateway: p.object, name: p.section, id: p.String() + "/" + p.section, host: everyHost}
			places = append(places, unseen.places(r, true)...)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.envoy, b.envoy) })
	return isolate(places)
}

// places returns where the listener serves the route. Hosts that another listener on the port is for belong to that one
// alone (Listener Isolation of GatewaySpec.Listeners), but gateways differ in whether they keep to it: Istio does not,
// Envoy Gateway does where the names are equal. So they are in a place of their own, which has a say beside both.
func (l *listener) places(r *route, doubted bool) (places []place) {
	var own, foreign []string
	for _, h := range hostsOn(l.host, r.hosts) {
		if !doubted && slices.ContainsFunc(l.narrows, func(other string) bool { return covers(other, h) }) {
			foreign = append(foreign, h)
		} else {
			own = append(own, h)
		}
	}
	if len(own) > 0 && doubted {
		places = append(places, place{l, l.id + " for " + r.String(), own, true})
	} else if len(own) > 0 {
		places = append(places, place{l, l.envoy, own, false})
	}
	if len(foreign) > 0 {
		places = append(places, place{l, l.id + "/foreign", foreign, false})
	}
	return places
}

// isNamed reports whether the parentRef, which names the Gateway, means this listener of it.
func (l *listener) isNamed(p *parent) bool {
	return (p.section == "" || p.section == l.name) && (p.port == 0 || p.port == l.port)
}

// isolate leaves each host of a route, on what is one listener of Envoy, to that listener of the Gateway whose hostname
// is the most specific. The route is the same on all of them: what this settles is whose policy holds.
func isolate(places []place) []place {
	if len(places) < 2 {
		return places
	}
	type spot struct {
		gateway object
		port    gatewayv1.PortNumber
		host    string
	}
	best := make(map[spot]string)
	for _, p := range places {
		if p.listener.alone || p.doubted {
			continue
		}
		for _, h := range p.hosts {
			at := spot{p.listener.gateway, p.listener.port, h}
			if other, ok := best[at]; !ok || covers(other, p.listener.host) {
				best[at] = p.listener.host
			}
		}
	}
	for i := range places {
		p := &places[i]
		p.hosts = slices.DeleteFunc(p.hosts, func(h string) bool {
			return !p.listener.alone && !p.doubted && best[spot{p.listener.gateway, p.listener.port, h}] != p.listener.host
		})
	}
	return slices.DeleteFunc(places, func(p place) bool { return len(p.hosts) == 0 })
}

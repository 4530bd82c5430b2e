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
		for i := range g.Spec.Listeners {
			if one := newListener(key, &g.Spec.Listeners[i]); one != nil {
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
		envoy: fmt.Sprintf("%s/%s:%d/%s", gateway.namespace, gateway.name, spec.Port, spec.Name),
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
		if !l.alone {
			l.envoy = fmt.Sprintf("%s/%s:%d", l.gateway.namespace, l.gateway.name, l.port)
		}
	}
}

// place is a listener that serves a route, and the route's hosts there.
type place struct {
	listener *listener
	envoy    string
	hosts    []string
}

// serving returns the listeners that serve the route, sorted, with its hosts on each.
//
// They are worked out from what the objects ask for, not from their statuses. A status is written later than what it
// is about, by whoever runs the Gateway: while it lags, a route that Envoy serves already would be taken for one that
// it does not. The price: a route that its Gateway refused for a reason not seen here still counts, and where Envoy does
// not name the route it can win over the one that Envoy uses. hostGrants keep others' routes off a host.
func (l *listeners) serving(r *route) []place {
	var places []place
	seen := make(map[*listener]bool, len(r.parents))
	for i := range r.parents {
		p := &r.parents[i]
		if valueOr(p.Group, v1alpha1.GatewayGroup) != v1alpha1.GatewayGroup || valueOr(p.Kind, v1alpha1.KindGateway) != v1alpha1.KindGateway {
			continue // a Service, of which no Envoy asks
		}
		namespace := string(valueOr(p.Namespace, gatewayv1.Namespace(r.namespace)))
		for _, one := range l.of[object{v1alpha1.KindGateway, namespace, string(p.Name)}] {
			if seen[one] || !one.isNamed(p) || !one.allows(r.object, l.namespaces[r.namespace]) {
				continue
			}
			seen[one] = true
			places = append(places, one.places(r)...)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.envoy, b.envoy) })
	return isolate(places)
}

// places returns where the listener serves the route. Hosts that another listener on the port is for belong to that one
// alone (Listener Isolation of GatewaySpec.Listeners), but gateways differ in whether they keep to it: Istio does not,
// Envoy Gateway does where the names are equal. So they are in a place of their own, which has a say beside both.
func (l *listener) places(r *route) (places []place) {
	var own, foreign []string
	for _, h := range hostsOn(l.host, r.hosts) {
		if slices.ContainsFunc(l.narrows, func(other string) bool { return covers(other, h) }) {
			foreign = append(foreign, h)
		} else {
			own = append(own, h)
		}
	}
	if len(own) > 0 {
		places = append(places, place{l, l.envoy, own})
	}
	if len(foreign) > 0 {
		places = append(places, place{l, fmt.Sprintf("%s/%s:%d/%s/foreign", l.gateway.namespace, l.gateway.name, l.port, l.name), foreign})
	}
	return places
}

// isNamed reports whether the parentRef, which names the Gateway, means this listener of it.
func (l *listener) isNamed(p *gatewayv1.ParentReference) bool {
	section := string(valueOr(p.SectionName, ""))
	return (section == "" || section == l.name) && (p.Port == nil || *p.Port == l.port)
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
		if p.listener.alone {
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
		l := places[i].listener
		places[i].hosts = slices.DeleteFunc(places[i].hosts, func(h string) bool {
			return !l.alone && best[spot{l.gateway, l.port, h}] != l.host
		})
	}
	return slices.DeleteFunc(places, func(p place) bool { return len(p.hosts) == 0 })
}

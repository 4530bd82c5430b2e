package policy

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// route is a compiled Route. It knows its policy by name only, so that it need not be compiled again with it.
type route struct {
	from    v1alpha1.Route
	hosts   []hostPattern
	matches []*match
	refused *authz.Failure // not nil: the policy may not be attached to it, so it denies
	denied  *authz.Failure // not nil: requests that fit are denied, whatever else they fit
	unread  error          // why
}

// routeName names an object that Routes are rules of.
type routeName struct{ kind, namespace, name string }

// routeMatch is what a match of a Route has besides that of a rule.
type routeMatch struct {
	route   *route
	headers []valueMatch
	query   []valueMatch
	wider   *pathPattern // see v1alpha1.RouteMatch.Wider; nil: none
}

var (
	errTemplate     = errors.New("a route has no templates")
	routeNotGranted = authz.Fail(authz.ReasonNoPolicy, errors.New("the policy's namespace was not granted all hosts of the route"))
	routePolicyGone = authz.Fail(authz.ReasonNoPolicy, errors.New("the policy attached to the route is not there"))
)

// String names the rule of the route: "HTTPRoute shop/orders rule 0 (read)".
func (x *route) String() string {
	text := fmt.Sprintf("%s rule %d", x.from.Object(), x.from.Rule)
	if x.from.Section != "" {
		text += " (" + x.from.Section + ")"
	}
	return text
}

// guardsNothing reports whether the route decides nothing where Envoy does not name it; see [v1alpha1.Route.Redirects].
func (x *route) guardsNothing() bool {
	return x.from.Redirects && x.from.Policy == "" && x.denied == nil
}

// agrees reports whether the same policy decides for both routes.
func (x *route) agrees(y *route) bool {
	return x.from.Policy == y.from.Policy && x.refused == y.refused
}

// serves reports whether every host of the pattern is one of the route's.
func (x *route) serves(h hostPattern) bool {
	return slices.ContainsFunc(x.hosts, func(own hostPattern) bool { return own.covers(h) })
}

// routes compiles Routes, or finds that they have been compiled before.
func (c *Compiler) routes(in *Input) []*route {
	if !reflect.DeepEqual(c.granted, in.HostGrants) {
		c.granted, c.compiled = slices.Clone(in.HostGrants), nil
	}
	granted := newGrants(in.HostGrants)
	all := make([]*route, len(in.Routes))
	byName := make(map[routeName][]*route, len(c.compiled))
	for i := range in.Routes {
		r := &in.Routes[i]
		name := routeName{r.Kind, r.Namespace, r.Name}
		old := c.compiled[name]
		if j := slices.IndexFunc(old, func(x *route) bool { return reflect.DeepEqual(&x.from, r) }); j >= 0 {
			all[i] = old[j]
		} else {
			all[i] = newRoute(r, c.shared, granted)
		}
		byName[name] = append(byName[name], all[i])
	}
	c.compiled = byName
	return all
}

// newRoute compiles a Route. Who made it has checked it; what cannot be read all the same is left out of its matches,
// which are then wider than they were meant, and it is denied.
func newRoute(in *v1alpha1.Route, s *shared, granted grants) *route {
	x := &route{from: *in}
	deny := func(err error) {
		x.unread, x.denied = err, authz.Fail(authz.ReasonNoPolicy, fmt.Errorf("%s: %w", in.Object(), err))
	}
	if in.Denied != "" {
		deny(errors.New(in.Denied))
	}
	namespace, _, _ := strings.Cut(in.Policy, "/")
	for _, text := range in.Hosts {
		h, err := parseRouteHost(text)
		if err != nil {
			deny(err)
			h = everyHost
		}
		x.hosts = append(x.hosts, h)
		if in.Policy != "" && !granted.allow(namespace, h) {
			x.refused = routeNotGranted
		}
	}
	for i := range in.Matches {
		x.match(&in.Matches[i], s, deny)
	}
	if len(in.Matches) == 0 {
		x.match(&v1alpha1.RouteMatch{}, s, deny)
	}
	return x
}

// match compiles a match of the route, and enters it for the loose reading too where that needs it. Without a path it is
// the prefix "/".
func (x *route) match(in *v1alpha1.RouteMatch, s *shared, deny func(error)) {
	text := in.Path
	if text == nil {
		text = &v1alpha1.PathMatch{Prefix: "/"}
	}
	path, _, err := s.path(text)
	if err == nil && path.kind == pathTemplate {
		err = errTemplate
	}
	if err != nil {
		deny(err)
		path = pathPattern{kind: pathAny}
	}
	m := &match{path: path, order: len(x.matches), route: &routeMatch{route: x}}
	if in.Method != "" {
		m.methods = s.methodSet([]string{in.Method})
	}
	m.route.headers = newValueMatches(in.Headers, strings.ToLower, deny)
	m.route.query = newValueMatches(in.Query, func(name string) string { return name }, deny)
	if in.Wider != "" {
		wider, _, err := s.path(&v1alpha1.PathMatch{Regex: in.Wider})
		if err != nil {
			deny(err)
			wider = pathPattern{kind: pathAny}
		}
		m.route.wider = &wider
	}
	x.matches = append(x.matches, m)
	if path, differs := m.path.loose(); differs {
		l := *m
		l.loose, l.path = true, path
		x.matches = append(x.matches, &l)
	}
}

// compareRouted orders matches of Routes whose paths are equally specific, as the Gateway API does
// (HTTPRouteRule.matches). Of regular expressions, about which it says nothing, the longer text wins, as in Istio and
// Envoy Gateway.
func (m *match) compareRouted(o *match) int {
	if m.path.kind == pathRegex && len(m.path.text) != len(o.path.text) {
		return cmp.Compare(len(o.path.text), len(m.path.text))
	}
	a, b := &m.route.route.from, &o.route.route.from
	return cmp.Or(
		first(!m.loose, !o.loose),
		first(len(m.methods) > 0, len(o.methods) > 0),
		cmp.Compare(len(o.route.headers), len(m.route.headers)),
		cmp.Compare(len(o.route.query), len(m.route.query)),
		a.Created.Compare(b.Created),
		cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(m.order, o.order),
	)
}

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
	failure *authz.Failure    // not nil: it denies, whatever is attached to it
	errs    []*v1alpha1.Error // all that is wrong with it
}

// routeName names an object that Routes are rules of.
type routeName struct{ kind, namespace, name string }

// routeMatch is what a match of a Route has besides that of a rule.
type routeMatch struct {
	route   *route
	headers []valueMatch
	query   []valueMatch
}

var (
	errRouteText     = errors.New("it is not in canonical form")
	errRouteTemplate = errors.New("a Route has no templates")

	routeUnread     = authz.Fail(authz.ReasonNoPolicy, errors.New("what the route matches cannot be read"))
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

// agrees reports whether the same policy decides for both routes.
func (x *route) agrees(y *route) bool {
	return x.from.Policy == y.from.Policy && x.failure == y.failure
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

// newRoute compiles a Route. What cannot be read of a match counts as matching everything, and the whole route denies:
// any request might be one that it is for.
func newRoute(in *v1alpha1.Route, s *shared, granted grants) *route {
	x := &route{from: *in}
	fail := func(field, remedy string, err error) {
		x.failure = routeUnread
		x.errs = append(x.errs, &v1alpha1.Error{
			Object: in.Object(), Field: field, Message: err.Error() + "; the route denies every request", Remedy: remedy,
		})
	}
	for _, text := range in.Hosts {
		h, err := parseRouteHost(text)
		if err != nil {
			fail("spec.hostnames", remedyHost, fmt.Errorf("%q: %w", text, err))
			continue
		}
		x.hosts = append(x.hosts, h)
	}
	for i := range in.Matches {
		x.match(&in.Matches[i], i, s, fail)
	}
	if len(in.Matches) == 0 {
		x.match(&v1alpha1.RouteMatch{}, 0, s, fail)
	}
	namespace, _, _ := strings.Cut(in.Policy, "/")
	if x.failure == nil && in.Policy != "" && slices.ContainsFunc(x.hosts, func(h hostPattern) bool { return !granted.allow(namespace, h) }) {
		x.failure = routeNotGranted
	}
	return x
}

// match compiles a match of the route, and enters it for the loose reading too where that needs it.
func (x *route) match(in *v1alpha1.RouteMatch, order int, s *shared, fail report) {
	field := fmt.Sprintf("spec.rules[%d].matches[%d]", x.from.Rule, order)
	path, reachable := routePath(in.Path, s, func(remedy string, err error) { fail(field+".path", remedy, err) })
	if !reachable {
		return
	}
	m := &match{path: path, order: order, field: field, route: &routeMatch{route: x}}
	if in.Method != "" {
		m.methods = s.methodSet([]string{in.Method})
	}
	m.route.headers = newValueMatches(in.Headers, strings.ToLower, field+".headers", fail)
	m.route.query = newValueMatches(in.Query, func(name string) string { return name }, field+".queryParams", fail)
	x.matches = append(x.matches, m)
	if path, differs := m.path.loose(); differs {
		l := *m
		l.loose, l.path = true, path
		x.matches = append(x.matches, &l)
	}
}

// routePath compiles the path of a match; none is the prefix "/". A prefix's final slash counts for nothing. A path that
// no request can have is not reachable.
//
// Envoy compares the path as the client sent it, so a text in another form than the canonical one stands for requests
// that cannot be told from others here.
func routePath(in *v1alpha1.PathMatch, s *shared, fail func(remedy string, err error)) (p pathPattern, reachable bool) {
	if in == nil {
		in = &v1alpha1.PathMatch{Prefix: "/"}
	}
	written := *in
	if trimmed := strings.TrimRight(in.Prefix, "/"); trimmed != "" {
		written.Prefix = trimmed
	}
	p, _, err := s.path(&written)
	literal := written.Exact + written.Prefix
	switch {
	case err != nil && literal != "":
		return p, false
	case err == nil && p.kind == pathTemplate:
		err = errRouteTemplate
	}
	if err != nil {
		fail("correct the path", err)
		return pathPattern{kind: pathAny}, true
	}
	if literal != "" && p.text != literal {
		fail("write "+p.text, errRouteText)
	}
	return p, true
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

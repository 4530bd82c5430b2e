package policy

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// routeOracle decides as the Gateway API says, naively, and leaves the second stage to the oracle.
type routeOracle struct {
	oracle
	routes []v1alpha1.Route
}

// fitting is a match of a Route that fits.
type fitting struct {
	route     *v1alpha1.Route
	match     *v1alpha1.RouteMatch
	text      string // the path's, in the form that fits
	loose     bool   // only the loosened text fits
	order     int
	regex     bool
	exactPath bool
}

// lead is where a reading of the path leads: to a policy, or, with none, to those that name the host.
type lead struct{ policy string }

func (o *routeOracle) decide(r *authz.Request) answer {
	strict, ok := o.lead(r, r.Route.Path, false)
	if raw, fine := o.lead(r, r.Path, false); ok && (!fine || raw != strict) {
		if !fine {
			return answer{Reason: authz.ReasonNoPolicy}
		}
		return answer{Reason: authz.ReasonAmbiguousPath}
	}
	loose, fine := strict, ok
	if r.Route.Loose != "" {
		loose, fine = o.lead(r, r.Route.Loose, true)
	}
	byHost := o.oracle.decide(r)
	switch {
	case !ok || !fine:
		return answer{Reason: authz.ReasonNoPolicy}
	case strict == loose && strict.policy == "":
		return byHost
	case o.isGone(strict) && o.isGone(loose):
		return answer{Reason: authz.ReasonNoPolicy}
	case strict == loose && o.isBroken(o.attached(strict.policy)):
		return answer{Reason: authz.ReasonPolicyInvalid, Policy: strict.policy}
	case strict != loose && (!o.usable(r, strict) || !o.usable(r, loose)):
		return answer{Reason: authz.ReasonAmbiguousPath}
	}
	a := o.rule(r, strict, r.Route.Path, false)
	b := a
	if r.Route.Loose != "" {
		b = o.rule(r, loose, r.Route.Loose, true)
	}
	return o.settle(r, a, b)
}

func (o *routeOracle) attached(name string) *v1alpha1.AuthPolicy {
	for _, p := range o.policies {
		if p.Namespace+"/"+p.Name == name {
			return p
		}
	}
	return nil
}

func (o *routeOracle) isGone(at lead) bool { return at.policy != "" && o.attached(at.policy) == nil }

// usable reports whether there are rules where the reading leads.
func (o *routeOracle) usable(r *authz.Request, at lead) bool {
	if at.policy == "" {
		return o.oracle.decide(r).Reason != authz.ReasonNoPolicy
	}
	p := o.attached(at.policy)
	return p != nil && !o.isBroken(p)
}

func (o *routeOracle) rule(r *authz.Request, at lead, path string, loose bool) *candidate {
	if at.policy == "" {
		return o.winner(o.mostSpecific(r.Route.Host, o.policyHosts()), r, path, loose)
	}
	alone := *o.attached(at.policy)
	alone.Spec.Hosts = []string{"alone.test"}
	only := oracle{[]*v1alpha1.AuthPolicy{&alone}, o.schemes}
	return only.winner("alone.test", r, path, loose)
}

func (o *routeOracle) policyHosts() (hosts []string) {
	for _, p := range o.policies {
		hosts = append(hosts, p.Spec.Hosts...)
	}
	return hosts
}

func (o *routeOracle) mostSpecific(host string, patterns []string) (best string) {
	for _, p := range patterns {
		if p != "*" && !o.covers(p, host) {
			continue
		}
		exact, before := !strings.HasPrefix(p, "*"), best != "" && !strings.HasPrefix(best, "*")
		if best == "" || exact && !before || exact == before && len(p) > len(best) {
			best = p
		}
	}
	return best
}

// lead finds where the Route leads that the reading falls under, on each listener. It is not ok where they, or gateways,
// differ.
func (o *routeOracle) lead(r *authz.Request, path string, loose bool) (at lead, ok bool) {
	var served, redirected []lead
	for _, listener := range someListeners {
		best, ok := o.bestOn(listener, r, path, loose)
		switch {
		case !ok:
			return lead{}, false
		case best == nil:
		case best.route.Redirects:
			redirected = append(redirected, lead{best.route.Policy})
		default:
			served = append(served, lead{best.route.Policy})
		}
	}
	leads := served
	if len(leads) == 0 {
		leads = redirected
	}
	switch leads = slices.Compact(leads); len(leads) {
	case 0:
		return lead{}, true
	case 1:
		return leads[0], true
	default:
		return lead{}, false
	}
}

// bestOn finds the Route on one listener, by comparing each with each. What other listeners have for the host does not
// matter.
func (o *routeOracle) bestOn(listener string, r *authz.Request, path string, loose bool) (found *fitting, ok bool) {
	var hosts []string
	mere := func(x *v1alpha1.Route) bool { return x.Redirects && x.Policy == "" && x.Denied == "" }
	for i := range o.routes {
		if slices.Contains(o.routes[i].Listeners, listener) {
			hosts = append(hosts, o.routes[i].Hosts...)
		}
	}
	host := o.mostSpecific(r.Route.Host, hosts)
	var fit []fitting
	wide := map[string]bool{} // policies of what fits as some gateway reads it
	for i := range o.routes {
		x := &o.routes[i]
		if !slices.Contains(x.Hosts, host) || !slices.Contains(x.Listeners, listener) || mere(x) {
			continue
		}
		if fitsWider(x, r, path) {
			if x.Denied != "" {
				return nil, false
			}
			wide[x.Policy] = true
		}
		for _, f := range o.fitting(x, r, path, loose) {
			if x.Denied != "" {
				return nil, false
			}
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		delete(wide, "")
		return nil, len(wide) == 0
	}
	best := slices.MinFunc(fit, prefers)
	if delete(wide, best.route.Policy); len(wide) > 0 && !best.exactPath {
		return nil, false
	}
	for _, f := range fit {
		if !best.regex && !best.exactPath && f.regex && f.route.Policy != best.route.Policy {
			return nil, false
		}
	}
	for _, f := range fit {
		if f.route.Policy != best.route.Policy && f.alike(best) && !best.firstEverywhere(f) {
			return nil, false
		}
	}
	return &best, true
}

// alike reports whether the paths are equally specific, as far as is known.
func (f fitting) alike(g fitting) bool {
	switch {
	case f.regex != g.regex || f.exactPath != g.exactPath:
		return false
	case f.unordered(g):
		return f.regex || strings.Trim(f.text, "/") == strings.Trim(g.text, "/")
	default:
		return len(f.text) == len(g.text)
	}
}

// unordered reports whether gateways make paths of their own of the one or the other.
func (f fitting) unordered(g fitting) bool {
	const grpc = v1alpha1.KindGRPCRoute
	return f.regex && (f.route.Kind == grpc || g.route.Kind == grpc) || !f.exactPath && f.route.Kind != g.route.Kind
}

// firstEverywhere reports whether f is before g in Envoy Gateway and Istio both, or they are rules of one route in order.
func (f fitting) firstEverywhere(g fitting) bool {
	if f.unordered(g) {
		return false
	}
	has := func(x fitting) int { return min(len(x.match.Method), 1) }
	exact := func(list []v1alpha1.RouteValueMatch) (n int) {
		for _, v := range list {
			if !v.Regex {
				n++
			}
		}
		return n
	}
	istio := func(x fitting) []int { return []int{has(x), len(x.match.Headers), len(x.match.Query)} }
	envoyGateway := func(x fitting) []int {
		return []int{has(x) + len(x.match.Headers), has(x) + exact(x.match.Headers), len(x.match.Query), exact(x.match.Query)}
	}
	a, b := slices.Compare(istio(f), istio(g)), slices.Compare(envoyGateway(f), envoyGateway(g))
	one := f.route.Object() == g.route.Object()
	return a > 0 && b > 0 || a == 0 && b == 0 && one
}

func (o *routeOracle) fitting(x *v1alpha1.Route, r *authz.Request, path string, loose bool) (out []fitting) {
	matches := x.Matches
	if len(matches) == 0 {
		matches = []v1alpha1.RouteMatch{{}}
	}
	for i := range matches {
		m := &matches[i]
		if !holds(m, r) {
			continue
		}
		f := fitting{route: x, match: m, order: i}
		if f.pathFits(m.Path, path, false) || loose && f.pathFits(m.Path, path, true) {
			out = append(out, f)
		}
	}
	return out
}

// holds reports whether everything but the path fits.
func holds(m *v1alpha1.RouteMatch, r *authz.Request) bool {
	ok := m.Method == "" || m.Method == r.Method
	for _, h := range m.Headers {
		value, n := r.Header(strings.ToLower(h.Name))
		ok = ok && n == 1 && valueFits(h, value)
	}
	for _, q := range m.Query {
		value, found := strings.CutPrefix(r.Query, q.Name+"=")
		ok = ok && found && valueFits(q, value)
	}
	return ok
}

// fitsWider reports whether a match of the Route fits as some gateway reads it.
func fitsWider(x *v1alpha1.Route, r *authz.Request, path string) bool {
	return slices.ContainsFunc(x.Matches, func(m v1alpha1.RouteMatch) bool {
		whole := regexp.MustCompile("^(" + m.Wider + ")$")
		return m.Wider != "" && holds(&m, r) && (whole.MatchString(path) || r.HasQuery && whole.MatchString(path+"?"+r.Query))
	})
}

func valueFits(v v1alpha1.RouteValueMatch, value string) bool {
	if v.Regex {
		return regexp.MustCompile("^(" + v.Value + ")$").MatchString(value)
	}
	return v.Value == value
}

// pathFits tries the path as it is written, or loosened, and notes what fits.
func (f *fitting) pathFits(p *v1alpha1.PathMatch, path string, loosen bool) bool {
	written := v1alpha1.PathMatch{Prefix: "/"}
	if p != nil {
		written = *p
	}
	if loosen {
		written = *loosened(&written)
	}
	f.loose, f.regex, f.exactPath = loosen, written.Regex != "", written.Exact != ""
	f.text = written.Exact + written.Prefix + written.Regex
	switch {
	case f.exactPath:
		return path == f.text
	case f.regex:
		return !loosen && regexp.MustCompile("^("+f.text+")$").MatchString(path)
	}
	return path == f.text || strings.HasPrefix(path, strings.TrimSuffix(f.text, "/")+"/")
}

// prefers compares as HTTPRouteRule's documentation does; of two expressions the longer goes first.
func prefers(a, b fitting) int {
	yes := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	length := func(f fitting) int {
		if f.exactPath {
			return 0
		}
		return -len(f.text)
	}
	return cmp.Or(
		yes(a.exactPath)-yes(b.exactPath),
		yes(!a.regex)-yes(!b.regex),
		length(a)-length(b),
		yes(!a.loose)-yes(!b.loose),
		yes(a.match.Method != "")-yes(b.match.Method != ""),
		len(b.match.Headers)-len(a.match.Headers),
		len(b.match.Query)-len(a.match.Query),
		a.route.Created.Compare(b.route.Created),
		strings.Compare(a.route.Namespace+"/"+a.route.Name, b.route.Namespace+"/"+b.route.Name),
		strings.Compare(a.route.Kind, b.route.Kind),
		a.route.Rule-b.route.Rule,
		a.order-b.order,
	)
}

package policy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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
	var leads []lead
	for _, listener := range someListeners {
		at, found, ok := o.leadOn(listener, r, path, loose)
		if !ok {
			return lead{}, false
		}
		if found {
			leads = append(leads, at)
		}
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

// leadOn finds the Route on one listener, by comparing each with each.
func (o *routeOracle) leadOn(listener string, r *authz.Request, path string, loose bool) (at lead, found, ok bool) {
	var hosts []string
	for i := range o.routes {
		hosts = append(hosts, o.routes[i].Hosts...)
	}
	host := o.mostSpecific(r.Route.Host, hosts)
	var fit []fitting
	for i := range o.routes {
		x := &o.routes[i]
		if !slices.Contains(x.Hosts, host) || !slices.Contains(x.Listeners, listener) {
			continue
		}
		for _, f := range o.fitting(x, r, path, loose) {
			if x.Denied != "" {
				return lead{}, false, false
			}
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		return lead{}, false, true
	}
	best := slices.MinFunc(fit, prefers)
	for _, f := range fit {
		if !best.regex && !best.exactPath && f.regex && f.route.Policy != best.route.Policy {
			return lead{}, false, false
		}
	}
	return lead{best.route.Policy}, true, true
}

func (o *routeOracle) fitting(x *v1alpha1.Route, r *authz.Request, path string, loose bool) (out []fitting) {
	matches := x.Matches
	if len(matches) == 0 {
		matches = []v1alpha1.RouteMatch{{}}
	}
	for i := range matches {
		m := &matches[i]
		if m.Method != "" && m.Method != r.Method {
			continue
		}
		holds := true
		for _, h := range m.Headers {
			value, n := r.Header(strings.ToLower(h.Name))
			holds = holds && n == 1 && valueFits(h, value)
		}
		for _, q := range m.Query {
			value, found := strings.CutPrefix(r.Query, q.Name+"=")
			holds = holds && found && valueFits(q, value)
		}
		if !holds {
			continue
		}
		f := fitting{route: x, match: m, order: i}
		if f.pathFits(m.Path, path, false) || loose && f.pathFits(m.Path, path, true) {
			out = append(out, f)
		}
	}
	return out
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
		a.route.Rule-b.route.Rule,
		a.order-b.order,
	)
}

func drawRouteMatch(t *rapid.T) v1alpha1.RouteMatch {
	m := v1alpha1.RouteMatch{Path: drawPathMatch(t)}
	if m.Path != nil && m.Path.Template != "" {
		m.Path = &v1alpha1.PathMatch{Prefix: drawPath(t, someSegments)}
	}
	if rapid.IntRange(0, 2).Draw(t, "method") == 0 {
		m.Method = rapid.SampledFrom(someMethods).Draw(t, "method")
	}
	if rapid.IntRange(0, 2).Draw(t, "header") == 0 {
		m.Headers = append(m.Headers, v1alpha1.RouteValueMatch{Name: "X-Env", Value: "pr.*", Regex: rapid.Bool().Draw(t, "regex")})
	}
	if rapid.IntRange(0, 2).Draw(t, "query") == 0 {
		m.Query = append(m.Query, v1alpha1.RouteValueMatch{Name: "v", Value: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")})
	}
	return m
}

// drawRoutes draws Routes, each rule once. A rule's section is its number.
func drawRoutes(t *rapid.T, name string, hosts, policies []string) []v1alpha1.Route {
	var list []v1alpha1.Route
	for i := range rapid.IntRange(1, 6).Draw(t, "routes") {
		x := v1alpha1.Route{
			Kind: v1alpha1.KindHTTPRoute, Namespace: rapid.SampledFrom([]string{"shop", "shop-a"}).Draw(t, "namespace"),
			Name: fmt.Sprint(name, i%2), Rule: i, Section: fmt.Sprint("r", i),
			Created: time.Unix(int64(i%2), 0),
			Hosts:   rapid.SliceOfNDistinct(rapid.SampledFrom(hosts), 1, 2, rapid.ID).Draw(t, "hosts"),
			Policy:  rapid.SampledFrom(policies).Draw(t, "policy"),

			Listeners: rapid.SampledFrom([][]string{someListeners, someListeners, someListeners[:1], someListeners[1:]}).Draw(t, "listeners"),
		}
		if rapid.IntRange(0, 15).Draw(t, "denied") == 0 {
			x.Denied = "it was not read"
		}
		for range rapid.IntRange(0, 2).Draw(t, "matches") {
			x.Matches = append(x.Matches, drawRouteMatch(t))
		}
		list = append(list, x)
	}
	return list
}

var someListeners = []string{"in/web/http", "out/web/https"}

var somePolicies = []string{"", "shop/p0", "shop/p1", "shop/p2", "shop/p3"}

func drawRouted(t *rapid.T) ([]*v1alpha1.AuthPolicy, Input) {
	policies := drawPolicies(t, "p", someHosts)
	in := inputOf(policies)
	in.Routes = drawRoutes(t, "n", append([]string{"*"}, someHosts...), somePolicies)
	return policies, in
}

func drawRoutedRequest(t *rapid.T) *authz.Request {
	r := drawRequest(t)
	r.Query = rapid.SampledFrom([]string{"", "v=1", "v=2", "w=1"}).Draw(t, "query")
	r.HasQuery = r.Query != ""
	return r
}

// A Set with Routes decides as the oracle does, whatever order they come in.
func TestRoutesAsTheOracle(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		policies, in := drawRouted(t)
		oracle := &routeOracle{oracle{policies, threeSchemes}, slices.Clone(in.Routes)}
		in.Routes = rapid.Permutation(in.Routes).Draw(t, "order")
		set, _ := compiler().Compile(in)
		for range 8 {
			r := drawRoutedRequest(t)
			d := set.Check(t.Context(), r)
			if diff := gocmp.Diff(oracle.decide(r), answerOf(&d)); diff != "" {
				t.Fatalf("%s %s%s?%s (-oracle +set):\n%s", r.Method, r.Host, r.Path, r.Query, diff)
			}
			if err := checkHygiene(set, r, &d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A request whose Route is found, and the same one with Envoy Gateway's name of that Route, are decided alike.
func TestNamedAsMatched(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		_, in := drawRouted(t)
		set, _ := compiler().Compile(in)
		r := drawRoutedRequest(t)
		d, trace := set.Explain(t.Context(), r)
		i := slices.IndexFunc(in.Routes, func(x v1alpha1.Route) bool { return trace.Route == (&route{from: x}).String() })
		if i < 0 || d.Reason == authz.ReasonNoPolicy || d.Reason == authz.ReasonAmbiguousPath {
			return
		}
		x := in.Routes[i]
		for field, value := range map[string]string{"kind": x.Kind, "namespace": x.Namespace, "name": x.Name, "sectionName": x.Section} {
			r.RouteMetadata = append(r.RouteMetadata, authz.Field{Name: resources + "0." + field, Value: value})
		}
		if named := set.Check(t.Context(), r); !gocmp.Equal(answerOf(&d), answerOf(&named)) {
			t.Fatalf("matched %+v, named %+v", answerOf(&d), answerOf(&named))
		}
	})
}

// Routes of other hosts, and policies attached to them, change no answer.
func TestUnrelatedRouteChangesNothing(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		_, in := drawRouted(t)
		before, _ := compiler().Compile(in)
		others := []string{"other.test", "*.other.test", "xa.test", "*.d.a.testing"}
		for _, p := range drawPolicies(t, "o", others) {
			p.Spec.Hosts = nil
			in.Policies = append(in.Policies, Document{Policy: p})
		}
		in.Routes = append(drawRoutes(t, "other", others, []string{"", "shop/o0", "shop/o1", "shop/p0"}), in.Routes...)
		after, _ := compiler().Compile(in)
		for range 4 {
			r := drawRoutedRequest(t)
			a, b := before.Check(t.Context(), r), after.Check(t.Context(), r)
			if diff := gocmp.Diff(renderDecision(&a), renderDecision(&b)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// A Compiler that has seen other Routes before makes the Set that a new one makes.
func TestCompilerForgetsRoutes(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		old := compiler()
		policies, in := drawRouted(t)
		for _, p := range policies { // one in error keeps what it was
			p.Spec.Security = []v1alpha1.SecurityRequirement{{}}
			for i := range p.Spec.Rules {
				p.Spec.Rules[i].Security = nil
			}
		}
		for range 3 {
			in.Routes = append(in.Routes[rapid.IntRange(0, len(in.Routes)).Draw(t, "gone"):],
				drawRoutes(t, rapid.SampledFrom([]string{"n", "m"}).Draw(t, "name"), someHosts, somePolicies)...)
			in.HostGrants = rapid.SampledFrom([][]HostGrant{nil, {{Namespace: "shop", Hosts: []string{"*.a.test"}}}}).Draw(t, "grants")
			a, errsA := old.Compile(in)
			b, errsB := compiler().Compile(in)
			if diff := gocmp.Diff(errsA, errsB); diff != "" {
				t.Fatalf("errors (-old +new):\n%s", diff)
			}
			for range 4 {
				r := drawRoutedRequest(t)
				da, db := a.Check(t.Context(), r), b.Check(t.Context(), r)
				if diff := gocmp.Diff(renderDecision(&da), renderDecision(&db)); diff != "" {
					t.Fatalf("(-old +new):\n%s", diff)
				}
			}
		}
	})
}

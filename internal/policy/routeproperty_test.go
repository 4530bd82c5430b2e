package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

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
		m.Query = append(m.Query, v1alpha1.RouteValueMatch{Name: "v", Value: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value"), Regex: rapid.Bool().Draw(t, "regex")})
	}
	if rapid.IntRange(0, 5).Draw(t, "wider") == 0 {
		m.Wider = rapid.SampledFrom([]string{"/.*", ".*/y", ".*=1", "(?i)/[^/]+/Z"}).Draw(t, "wider")
	}
	return m
}

// drawRoutes draws Routes, each rule once. A rule's section is its number.
func drawRoutes(t *rapid.T, name string, hosts, policies []string) []v1alpha1.Route {
	var list []v1alpha1.Route
	for i := range rapid.IntRange(1, 6).Draw(t, "routes") {
		x := v1alpha1.Route{
			Kind:      rapid.SampledFrom([]string{v1alpha1.KindHTTPRoute, v1alpha1.KindHTTPRoute, v1alpha1.KindGRPCRoute}).Draw(t, "kind"),
			Namespace: rapid.SampledFrom([]string{"shop", "shop-a"}).Draw(t, "namespace"),
			Name:      fmt.Sprint(name, i%2), Rule: i, Section: fmt.Sprint("r", i),
			Created: time.Unix(int64(i%2), 0),
			Hosts:   rapid.SliceOfNDistinct(rapid.SampledFrom(hosts), 1, 2, rapid.ID).Draw(t, "hosts"),
			Policy:  rapid.SampledFrom(policies).Draw(t, "policy"),

			Listeners: rapid.SampledFrom([][]string{someListeners, someListeners, someListeners[:1], someListeners[1:2], someListeners[1:]}).Draw(t, "listeners"),
		}
		x.Redirects = rapid.IntRange(0, 3).Draw(t, "redirects") == 0
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

var someListeners = []string{"in/web:80", "out/web:80", "out/web:443/https"}

var somePolicies = []string{"", "shop/p0", "shop/p1", "shop/p2", "shop/p3"}

func drawRouted(t *rapid.T) ([]*v1alpha1.AuthPolicy, Input) {
	policies := drawPolicies(t, "p", someHosts)
	in := inputOf(policies)
	in.RoutesWatched = true
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
			if diff := cmp.Diff(oracle.decide(r), answerOf(&d)); diff != "" {
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
		if named := set.Check(t.Context(), r); !cmp.Equal(answerOf(&d), answerOf(&named)) {
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
			if diff := cmp.Diff(renderDecision(&a), renderDecision(&b)); diff != "" {
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
			if diff := cmp.Diff(errsA, errsB); diff != "" {
				t.Fatalf("errors (-old +new):\n%s", diff)
			}
			for range 4 {
				r := drawRoutedRequest(t)
				da, db := a.Check(t.Context(), r), b.Check(t.Context(), r)
				if diff := cmp.Diff(renderDecision(&da), renderDecision(&db)); diff != "" {
					t.Fatalf("(-old +new):\n%s", diff)
				}
			}
		}
	})
}

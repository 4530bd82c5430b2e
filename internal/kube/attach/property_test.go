package attach

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

var (
	someNamespaces = rapid.SampledFrom([]string{"infra", "shop", "stranger"})
	someNames      = rapid.SampledFrom([]string{"a", "b"})
	someSections   = rapid.SampledFrom([]string{"", "x", "y"})
	someHosts      = rapid.SampledFrom([]gatewayv1.Hostname{"", "example.com", "*.example.com", "api.example.com", "*.com"})
	someKinds      = rapid.SampledFrom([]string{v1alpha1.KindGateway, v1alpha1.KindHTTPRoute, v1alpha1.KindGRPCRoute})
)

// cluster draws a small cluster in which names often meet.
func cluster(t *rapid.T) Input {
	in := Input{Namespaces: map[string]map[string]string{"infra": {}, "shop": {"team": "shop"}, "stranger": nil}}
	for _, m := range metas(t, "gateway") {
		in.Gateways = append(in.Gateways, &gatewayv1.Gateway{ObjectMeta: m, Spec: gatewayv1.GatewaySpec{Listeners: someListeners(t)}})
	}
	for _, m := range metas(t, "httpRoute") {
		in.HTTPRoutes = append(in.HTTPRoutes, httpRoute(t, m))
	}
	for _, m := range metas(t, "grpcRoute") {
		spec := gatewayv1.GRPCRouteSpec{CommonRouteSpec: parents(t), Rules: []gatewayv1.GRPCRouteRule{{}, {Name: new(gatewayv1.SectionName("y"))}}}
		in.GRPCRoutes = append(in.GRPCRoutes, &gatewayv1.GRPCRoute{ObjectMeta: m, Spec: spec, Status: gatewayv1.GRPCRouteStatus{RouteStatus: refusals(t, spec.CommonRouteSpec)}})
	}
	for _, m := range metas(t, "policy") {
		p := &v1alpha1.AuthPolicy{ObjectMeta: m}
		for range rapid.IntRange(1, 4).Draw(t, "targets") {
			p.Spec.TargetRefs = append(p.Spec.TargetRefs, v1alpha1.TargetReference{
				Kind: someKinds.Draw(t, "kind"), Namespace: someNamespaces.Draw(t, "namespace"), Name: someNames.Draw(t, "name"),
				SectionName: someSections.Draw(t, "section"),
			})
		}
		in.Policies = append(in.Policies, p)
	}
	for _, m := range metas(t, "grant") {
		g := &gatewayv1.ReferenceGrant{ObjectMeta: m}
		g.Spec.From = []gatewayv1.ReferenceGrantFrom{{Group: v1alpha1.Group, Kind: v1alpha1.KindAuthPolicy, Namespace: gatewayv1.Namespace(someNamespaces.Draw(t, "from"))}}
		to := gatewayv1.ReferenceGrantTo{Group: v1alpha1.GatewayGroup, Kind: gatewayv1.Kind(someKinds.Draw(t, "kind"))}
		if rapid.Bool().Draw(t, "named") {
			to.Name = new(gatewayv1.ObjectName(someNames.Draw(t, "name")))
		}
		g.Spec.To = []gatewayv1.ReferenceGrantTo{to}
		in.Grants = append(in.Grants, g)
	}
	return in
}

// metas draws distinct names of objects, of few ages.
func metas(t *rapid.T, what string) []metav1.ObjectMeta {
	var all []metav1.ObjectMeta
	for _, namespace := range []string{"infra", "shop", "stranger"} {
		for _, name := range []string{"a", "b"} {
			if rapid.Bool().Draw(t, what+" "+namespace+"/"+name) {
				born := time.Unix(int64(rapid.IntRange(1, 3).Draw(t, "age")), 0)
				all = append(all, metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(born)})
			}
		}
	}
	return all
}

func someListeners(t *rapid.T) []gatewayv1.Listener {
	var all []gatewayv1.Listener
	for i, name := range []gatewayv1.SectionName{"x", "y"}[:rapid.IntRange(1, 2).Draw(t, "listeners")] {
		from := rapid.SampledFrom([]gatewayv1.FromNamespaces{"All", "Same", "Selector"}).Draw(t, "from")
		all = append(all, gatewayv1.Listener{
			Name: name, Port: int32(80 + i*rapid.IntRange(0, 1).Draw(t, "port")), Hostname: new(someHosts.Draw(t, "hostname")),
			Protocol: rapid.SampledFrom([]gatewayv1.ProtocolType{gatewayv1.HTTPProtocolType, gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType}).Draw(t, "protocol"),
			AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{
				From: &from, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}},
			}},
		})
	}
	return all
}

func parents(t *rapid.T) gatewayv1.CommonRouteSpec {
	var refs []gatewayv1.ParentReference
	for range rapid.IntRange(1, 2).Draw(t, "parents") {
		refs = append(refs, gatewayv1.ParentReference{
			Namespace: new(gatewayv1.Namespace(someNamespaces.Draw(t, "namespace"))), Name: gatewayv1.ObjectName(someNames.Draw(t, "name")),
			SectionName: new(gatewayv1.SectionName(someSections.Draw(t, "section"))),
		})
	}
	return gatewayv1.CommonRouteSpec{ParentRefs: refs}
}

// refusals draws a status that refuses the route for some of its parentRefs.
func refusals(t *rapid.T, spec gatewayv1.CommonRouteSpec) (status gatewayv1.RouteStatus) {
	for _, ref := range spec.ParentRefs {
		if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
			status.Parents = append(status.Parents, gatewayv1.RouteParentStatus{ParentRef: ref, Conditions: []metav1.Condition{{Type: "Accepted", Status: "False"}}})
		}
	}
	return status
}

func httpRoute(t *rapid.T, m metav1.ObjectMeta) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: m, Spec: gatewayv1.HTTPRouteSpec{CommonRouteSpec: parents(t)}}
	r.Status.RouteStatus = refusals(t, r.Spec.CommonRouteSpec)
	for range rapid.IntRange(0, 2).Draw(t, "hostnames") {
		if h := someHosts.Draw(t, "hostname"); h != "" {
			r.Spec.Hostnames = append(r.Spec.Hostnames, h)
		}
	}
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{{Name: new(gatewayv1.SectionName("x"))}, {}}
	return r
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := cluster(t)
		want := Resolve(in)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shuffle(r, in.Policies)
		shuffle(r, in.Gateways)
		shuffle(r, in.HTTPRoutes)
		shuffle(r, in.GRPCRoutes)
		shuffle(r, in.Grants)
		if diff := gocmp.Diff(want, Resolve(in)); diff != "" {
			t.Fatalf("another order, another output (-want +got):\n%s", diff)
		}
	})
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// TestMostSpecificGrantedPolicyWins compares with the rules, read off one by one: a policy on a route always beats one
// on a Gateway, and none comes from a namespace that was not granted.
func TestMostSpecificGrantedPolicyWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := cluster(t)
		for _, r := range Resolve(in).Routes {
			for _, at := range r.Listeners {
				for _, h := range r.Hosts {
					if want := expected(&in, &r, at, h); r.Policy != want {
						t.Fatalf("%s rule %d on %s for %s: policy %q, want %q", r.Object(), r.Rule, at, h, r.Policy, want)
					}
				}
			}
		}
	})
}

// listenerFor returns the name of the Gateway's listener that a host of a route belongs to, of those that Envoy has as
// one: the one with the longest hostname that takes the route.
func listenerFor(in *Input, r *v1alpha1.Route, namespace, gateway, port, host string) string {
	best, longest := "", -1
	for _, g := range in.Gateways {
		for _, l := range g.Spec.Listeners {
			hostname := string(*l.Hostname)
			fits := hostname == "" || hostname == host || strings.HasPrefix(hostname, "*.") && strings.HasSuffix(host, hostname[1:])
			if g.Namespace == namespace && g.Name == gateway && fmt.Sprint(l.Port) == port && fits && len(hostname) > longest && takes(in, r, g, &l) {
				best, longest = string(l.Name), len(hostname)
			}
		}
	}
	return best
}

// takes reports whether the listener allows the route's namespace, and the first parentRef of the route that names the
// listener was not refused.
func takes(in *Input, r *v1alpha1.Route, g *gatewayv1.Gateway, l *gatewayv1.Listener) bool {
	from := *l.AllowedRoutes.Namespaces.From
	if from == "Same" && r.Namespace != g.Namespace || from == "Selector" && r.Namespace != "shop" {
		return false
	}
	var refs []gatewayv1.ParentReference
	var status []gatewayv1.RouteParentStatus
	for _, x := range in.HTTPRoutes {
		if r.Kind == v1alpha1.KindHTTPRoute && x.Namespace == r.Namespace && x.Name == r.Name {
			refs, status = x.Spec.ParentRefs, x.Status.Parents
		}
	}
	for _, x := range in.GRPCRoutes {
		if r.Kind == v1alpha1.KindGRPCRoute && x.Namespace == r.Namespace && x.Name == r.Name {
			refs, status = x.Spec.ParentRefs, x.Status.Parents
		}
	}
	at := slices.IndexFunc(refs, func(p gatewayv1.ParentReference) bool {
		return string(*p.Namespace) == g.Namespace && string(p.Name) == g.Name && (*p.SectionName == "" || *p.SectionName == l.Name)
	})
	return at >= 0 && !slices.ContainsFunc(status, func(s gatewayv1.RouteParentStatus) bool { return gocmp.Equal(s.ParentRef, refs[at]) })
}

// expected returns the policy for a rule on what Envoy has as one listener: "namespace/gateway:port", or one of the
// Gateway's alone, "namespace/gateway:port/listener", perhaps with more behind it.
func expected(in *Input, r *v1alpha1.Route, at, host string) string {
	type candidate struct {
		level int
		born  time.Time
		name  string
	}
	var all []candidate
	at, _, _ = strings.Cut(at, " for ")
	parts := strings.Split(at, "/")
	namespace := parts[0]
	gateway, port, _ := strings.Cut(parts[1], ":")
	listener := listenerFor(in, r, namespace, gateway, port, host)
	if len(parts) > 2 {
		listener = parts[2]
	}
	for _, p := range in.Policies {
		for _, ref := range p.Spec.TargetRefs {
			level := -1
			switch {
			case ref.Kind == r.Kind && ref.Namespace == r.Namespace && ref.Name == r.Name && ref.SectionName != "" && ref.SectionName == r.Section:
				level = 0
			case ref.Kind == r.Kind && ref.Namespace == r.Namespace && ref.Name == r.Name && ref.SectionName == "":
				level = 1
			case ref.Kind == v1alpha1.KindGateway && ref.Namespace == namespace && ref.Name == gateway && ref.SectionName == listener:
				level = 2
			case ref.Kind == v1alpha1.KindGateway && ref.Namespace == namespace && ref.Name == gateway && ref.SectionName == "":
				level = 3
			}
			if level >= 0 && allowed(in, p.Namespace, ref) {
				all = append(all, candidate{level, p.CreationTimestamp.Time, p.Namespace + "/" + p.Name})
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return slices.MinFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.level, b.level), a.born.Compare(b.born), cmp.Compare(a.name, b.name))
	}).name
}

// allowed reports whether a namespace's policies may have the target.
func allowed(in *Input, namespace string, ref v1alpha1.TargetReference) bool {
	return namespace == ref.Namespace || slices.ContainsFunc(in.Grants, func(g *gatewayv1.ReferenceGrant) bool {
		from, to := g.Spec.From[0], g.Spec.To[0]
		return g.Namespace == ref.Namespace && string(from.Namespace) == namespace && string(to.Kind) == ref.Kind &&
			(to.Name == nil || string(*to.Name) == ref.Name)
	})
}

// TestNothingElseChanges adds a route, and a policy for it alone: neither changes anything for other routes.
func TestNothingElseChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := cluster(t)
		before := Resolve(in)
		name := metav1.ObjectMeta{Namespace: someNamespaces.Draw(t, "namespace"), Name: "added"}
		in.HTTPRoutes = append(in.HTTPRoutes, httpRoute(t, name))
		in.Policies = append(in.Policies, &v1alpha1.AuthPolicy{ObjectMeta: name, Spec: v1alpha1.AuthPolicySpec{
			TargetRefs: []v1alpha1.TargetReference{{Kind: v1alpha1.KindHTTPRoute, Name: name.Name, SectionName: rapid.SampledFrom([]string{"", "x"}).Draw(t, "section")}},
		}})
		after := Resolve(in)
		after.Routes = slices.DeleteFunc(after.Routes, func(r v1alpha1.Route) bool { return r.Name == "added" })
		if diff := gocmp.Diff(before.Routes, after.Routes, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("another route's policy has changed (-before +after):\n%s", diff)
		}
		reasons := func(out Output) (all []string) {
			for _, target := range out.Targets {
				if target.Ref.Name != "added" {
					all = append(all, fmt.Sprint(target.Policy, target.Ref, target.Reason))
				}
			}
			return all
		}
		if diff := gocmp.Diff(reasons(before), reasons(after)); diff != "" {
			t.Fatalf("another policy's verdict has changed (-before +after):\n%s", diff)
		}
	})
}

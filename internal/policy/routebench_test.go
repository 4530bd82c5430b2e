package policy

import (
	"fmt"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// manyRoutes makes n Routes, ten for each host, with a policy for each host.
func manyRoutes(n int) Input {
	in := manyPolicies(n / 10)
	in.RoutesWatched = true
	for i := range in.Policies {
		in.Policies[i].Policy.Spec.Hosts = nil
	}
	for i := range n {
		host, rule := i/10, i%10
		x := v1alpha1.Route{
			Kind: v1alpha1.KindHTTPRoute, Namespace: "shop", Name: fmt.Sprintf("r%05d", host), Rule: rule,
			Hosts: []string{fmt.Sprintf("h%05d.example.com", host)}, Listeners: []string{"infra/web/http", "infra/web/https"},
			Policy: fmt.Sprintf("shop/p%05d", host),
		}
		switch rule {
		case 0:
			x.Matches = []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Exact: "/v1/orders"}, Method: "GET"}}
		case 1:
			x.Matches = []v1alpha1.RouteMatch{
				{Path: &v1alpha1.PathMatch{Prefix: "/v1/files"}, Headers: []v1alpha1.RouteValueMatch{{Name: "X-Env", Value: "test"}}},
				{Path: &v1alpha1.PathMatch{Prefix: "/v1/files"}, Query: []v1alpha1.RouteValueMatch{{Name: "v", Value: "2"}}},
			}
		case 2:
			x.Matches = []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Prefix: "/v1"}}}
		case 3:
			x.Matches = []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Regex: "/v[0-9]+/other/.*"}}}
		default:
			x.Matches = []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Prefix: fmt.Sprintf("/v1/more/%d", rule)}}}
		}
		in.Routes = append(in.Routes, x)
	}
	return in
}

func withRoute(r *authz.Request, name string) *authz.Request {
	for field, value := range map[string]string{"kind": "HTTPRoute", "namespace": "shop", "name": name} {
		r.RouteMetadata = append(r.RouteMetadata, authz.Field{Name: resources + "0." + field, Value: value})
	}
	return r
}

// Finding the Route allocates nothing: neither where it is matched, nor where Envoy names it.
func TestRouteAllocatesNothing(t *testing.T) {
	set := compileAll(t, manyRoutes(100))
	for _, path := range []string{"/v1/orders", "/v1/orders/42", "/v1/files/a/b"} {
		matched := likeEnvoy("h00005.example.com", path)
		matched.Query, matched.HasQuery = "v=1&w=2", true
		for _, r := range []*authz.Request{matched, withRoute(likeEnvoy("h00005.example.com", path), "r00005")} {
			allocated := testing.AllocsPerRun(100, func() {
				if d := set.Check(t.Context(), r); !d.Allowed() {
					t.Fatal(d.Reason, d.Err)
				}
			})
			if allocated > 3 {
				t.Errorf("%s, with %d fields of metadata: %v allocations; want the 3 of a check without Routes", path, len(r.RouteMetadata), allocated)
			}
		}
	}
}

func BenchmarkCheckRouted(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		set := compileAll(b, manyRoutes(n))
		host := fmt.Sprintf("h%05d.example.com", n/20)
		for _, tc := range []struct{ name, path string }{{"exact", "/v1/orders"}, {"prefix", "/v1/files/a/b"}} {
			for how, r := range map[string]*authz.Request{
				"matched": likeEnvoy(host, tc.path), "named": withRoute(likeEnvoy(host, tc.path), fmt.Sprintf("r%05d", n/20)),
			} {
				b.Run(fmt.Sprintf("%s/%s/routes=%d", tc.name, how, n), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if d := set.Check(b.Context(), r); !d.Allowed() {
							b.Fatal(d.Reason, d.Err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkCompileRoutes is 10,000 Routes on 1,000 hosts, with the policies of all hosts.
func BenchmarkCompileRoutes(b *testing.B) {
	in := manyRoutes(10_000)
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			compileAll(b, in)
		}
	})
	b.Run("one changed", func(b *testing.B) {
		c, err := NewCompiler()
		if err != nil {
			b.Fatal(err)
		}
		c.Compile(in)
		for i := 0; b.Loop(); i++ {
			in.Routes[5000].Matches = []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Exact: fmt.Sprintf("/v1/orders-%d", i)}}}
			c.Compile(in)
		}
	})
}

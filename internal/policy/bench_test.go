package policy

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// fixed is an authenticator with one key, as cheap as one can be.
type fixed struct {
	in        *authz.Locations
	principal *authz.Principal
}

func (f *fixed) Extract(r *authz.Request) (authz.Credential, error) { return f.in.Find(r) }

func (f *fixed) Verify(_ context.Context, _ *authz.Request, c authz.Credential) (*authz.Principal, error) {
	if c.Value.Reveal() != "secret" {
		return nil, errUnknownKey
	}
	return f.principal, nil
}

var errUnknownKey = authz.Fail(authz.ReasonUnknownKey, nil)

func (f *fixed) Challenge(realm string) authz.Challenge {
	return authz.Challenge{Scheme: "ApiKey", Params: []authz.Field{{Name: "realm", Value: realm}}}
}

// manyPolicies makes n policies, each with its host and rules of several kinds.
func manyPolicies(n int) Input {
	in := Input{Schemes: map[string]*Scheme{"shop/partner-key": {
		Name: "shop/partner-key", Kind: KindAPIKey,
		Authenticator: &fixed{
			in: authz.NewLocations([]authz.Location{{Header: "x-api-key"}}, false),
			principal: &authz.Principal{
				Subject: "app:shop/acme", App: "shop/acme", KeyID: "shop/acme/2026",
				Scopes: authz.NewScopes("orders:read", "orders:write"), Attributes: map[string]string{"tenant": "t1"},
			},
		},
	}}}
	for i := range n {
		p := &v1alpha1.AuthPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%05d", i), Namespace: "shop"},
			Spec: v1alpha1.AuthPolicySpec{
				Hosts: []string{fmt.Sprintf("h%05d.example.com", i)},
				Requirements: v1alpha1.Requirements{
					Security: []v1alpha1.SecurityRequirement{{"partner-key": {"orders:read"}}},
				},
				Rules: []v1alpha1.Rule{
					{Name: "exact", Match: []v1alpha1.Match{{Path: &v1alpha1.PathMatch{Exact: "/v1/orders"}}}},
					{Name: "template", Match: []v1alpha1.Match{{Path: &v1alpha1.PathMatch{Template: "/v1/orders/{id}"}, Methods: []string{"GET"}}}},
					{Name: "prefix", Match: []v1alpha1.Match{{Path: &v1alpha1.PathMatch{Prefix: "/v1/files"}}}},
					{
						Name:         "cel",
						Match:        []v1alpha1.Match{{Path: &v1alpha1.PathMatch{Template: "/v1/tenants/{tenant}"}}},
						Requirements: v1alpha1.Requirements{Authorize: []v1alpha1.Condition{{CEL: "principal.attributes.tenant == request.params.tenant"}}},
					},
				},
			},
		}
		p.SetDefaults()
		in.Policies = append(in.Policies, Document{Policy: p})
	}
	return in
}

// likeEnvoy is a request with the headers that a browser and Envoy put in.
func likeEnvoy(host, path string) *authz.Request {
	r := &authz.Request{
		ID: "7d1f", Method: "GET", Scheme: "https", Host: host, Path: path, Protocol: "HTTP/2", RawHeaders: true,
		Source: authz.Peer{Address: "10.1.2.3"}, Now: time.Now(),
	}
	for _, name := range []string{
		"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "origin", "pragma", "priority", "referer",
		"sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "user-agent",
		"x-forwarded-for", "x-forwarded-proto", "x-request-id",
	} {
		r.Headers = append(r.Headers, authz.Header{Name: name, Value: "some value of a usual length"})
	}
	r.Headers = append(r.Headers, authz.Header{Name: "x-api-key", Value: "secret"})
	if err := r.Canonicalize(); err != nil {
		panic(err)
	}
	return r
}

func compileAll(tb testing.TB, in Input) *Set {
	tb.Helper()
	c, err := NewCompiler()
	if err != nil {
		tb.Fatal(err)
	}
	set, errs := c.Compile(in)
	if len(errs) > 0 {
		tb.Fatal(errs[0])
	}
	return set
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		set := compileAll(b, manyPolicies(n))
		host := fmt.Sprintf("h%05d.example.com", n/2)
		for _, tc := range []struct{ name, path string }{
			{"exact", "/v1/orders"}, {"template", "/v1/orders/42"}, {"prefix", "/v1/files/a/b"}, {"cel", "/v1/tenants/t1"},
		} {
			b.Run(fmt.Sprintf("%s/policies=%d", tc.name, n), func(b *testing.B) {
				r := likeEnvoy(host, tc.path)
				b.ReportAllocs()
				for b.Loop() {
					if d := set.Check(b.Context(), r); !d.Allowed() {
						b.Fatal(d.Reason, d.Err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("denied/policies=%d", n), func(b *testing.B) {
			r := likeEnvoy(host, "/v1/orders")
			r.Headers[len(r.Headers)-1].Value = "wrong"
			b.ReportAllocs()
			for b.Loop() {
				if d := set.Check(b.Context(), r); d.Reason != authz.ReasonUnknownKey {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}

// BenchmarkCheckManyRules is one host with thousands of rules.
func BenchmarkCheckManyRules(b *testing.B) {
	in := manyPolicies(1)
	spec := &in.Policies[0].Policy.Spec
	for i := range 3000 {
		path := &v1alpha1.PathMatch{Exact: fmt.Sprintf("/e/%d", i)}
		switch i % 3 {
		case 1:
			path = &v1alpha1.PathMatch{Prefix: fmt.Sprintf("/p/%d", i)}
		case 2:
			path = &v1alpha1.PathMatch{Template: fmt.Sprintf("/t/{x}/%d", i)}
		}
		spec.Rules = append(spec.Rules, v1alpha1.Rule{Name: fmt.Sprintf("r%d", i), Match: []v1alpha1.Match{{Path: path}}})
	}
	set := compileAll(b, in)
	for _, path := range []string{"/e/2997", "/p/2998/x/y", "/t/a/2999"} {
		b.Run(path, func(b *testing.B) {
			r := likeEnvoy("h00000.example.com", path)
			b.ReportAllocs()
			for b.Loop() {
				if d := set.Check(b.Context(), r); !d.Allowed() {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	in := manyPolicies(10_000)
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
			p := in.Policies[5000].Policy.DeepCopy()
			p.Spec.Rules[0].Match[0].Path.Exact = fmt.Sprintf("/v1/orders-%d", i)
			in.Policies[5000].Policy = p
			c.Compile(in)
		}
	})
	b.Run("decoded anew", func(b *testing.B) {
		c, err := NewCompiler()
		if err != nil {
			b.Fatal(err)
		}
		c.Compile(in)
		for b.Loop() {
			b.StopTimer()
			for i := range in.Policies {
				in.Policies[i].Policy = in.Policies[i].Policy.DeepCopy()
			}
			b.StartTimer()
			c.Compile(in)
		}
	})
}

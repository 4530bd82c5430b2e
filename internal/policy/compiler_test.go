package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// policyOf makes an object as the Kubernetes API would hand it over, not validated.
func policyOf(name string, spec v1alpha1.AuthPolicySpec) *v1alpha1.AuthPolicy {
	p := &v1alpha1.AuthPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}, Spec: spec}
	if spec.Security == nil {
		p.Spec.Security = []v1alpha1.SecurityRequirement{{}}
	}
	p.SetDefaults()
	return p
}

func oneRule(m v1alpha1.Match) v1alpha1.AuthPolicySpec {
	return v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}, Rules: []v1alpha1.Rule{{Name: "r", Match: []v1alpha1.Match{m}}}}
}

func get(host, path string) *authz.Request {
	r := &authz.Request{Method: "GET", Host: host, Path: path}
	if err := r.Canonicalize(); err != nil {
		panic(err)
	}
	return r
}

func TestCompileErrors(t *testing.T) {
	path := func(p v1alpha1.PathMatch) v1alpha1.AuthPolicySpec { return oneRule(v1alpha1.Match{Path: &p}) }
	with := func(r v1alpha1.Requirements) v1alpha1.AuthPolicySpec {
		return v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}, Requirements: r}
	}
	many := v1alpha1.SecurityRequirement{}
	schemes := map[string]*Scheme{}
	for i := range maxSchemes + 1 {
		name := fmt.Sprintf("s%d", i)
		many[name] = nil
		schemes["shop/"+name] = &Scheme{Name: "shop/" + name, Kind: KindAPIKey, Authenticator: newStub(name, KindAPIKey)}
	}
	for _, tc := range []struct {
		name string
		spec v1alpha1.AuthPolicySpec
		want string
	}{
		{
			"regex", path(v1alpha1.PathMatch{Regex: "/("}),
			"spec.rules[0].match[0].path.regex: error parsing regexp: missing closing ): `/(`; correct the pattern",
		},
		{
			"parentheses", path(v1alpha1.PathMatch{Regex: "/a)|(/b"}),
			"spec.rules[0].match[0].path.regex: error parsing regexp: unexpected ): `/a)|(/b`; correct the pattern",
		},
		{
			"exact", path(v1alpha1.PathMatch{Exact: "/a/../b"}),
			"spec.rules[0].match[0].path.exact: no request can have this path: the path holds an empty segment or a dot segment; correct the pattern",
		},
		{
			"prefix", path(v1alpha1.PathMatch{Prefix: "a"}),
			"spec.rules[0].match[0].path.prefix: no request can have this path: the target is not a path: it must begin with '/'; correct the pattern",
		},
		{"no path", path(v1alpha1.PathMatch{}), "spec.rules[0].match[0].path: the path names none of exact, prefix, template and regex; correct the pattern"},
		{
			"brace", path(v1alpha1.PathMatch{Template: "/a{id}"}),
			"spec.rules[0].match[0].path.template: a parameter takes a whole segment: {name}, or {name=**} at the end; correct the pattern",
		},
		{
			"parameter's name", path(v1alpha1.PathMatch{Template: "/{1a}"}),
			"spec.rules[0].match[0].path.template: a parameter's name has letters, digits and '_' and does not begin with a digit; correct the pattern",
		},
		{
			"rest", path(v1alpha1.PathMatch{Template: "/{a=**}/b"}),
			"spec.rules[0].match[0].path.template: {name=**} must be the last segment; correct the pattern",
		},
		{
			"parameter twice", path(v1alpha1.PathMatch{Template: "/{a}/{a}"}),
			"spec.rules[0].match[0].path.template: two parameters have the same name; correct the pattern",
		},
		{
			"source", oneRule(v1alpha1.Match{Sources: []string{"10.0.0.0/8", "ten"}}),
			`spec.rules[0].match[0].sources[1]: netip.ParsePrefix("ten"): no '/'; write a prefix such as 10.0.0.0/8 or 192.0.2.1/32`,
		},
		{
			"no security", with(v1alpha1.Requirements{Security: []v1alpha1.SecurityRequirement{}}),
			"spec.security: nothing says who may pass; name schemes; [{}] lets everybody in",
		},
		{
			"schemes", with(v1alpha1.Requirements{Security: []v1alpha1.SecurityRequirement{many}}),
			"spec.security: more than 16 different schemes; split the rule, or accept fewer schemes",
		},
		{
			"condition", with(v1alpha1.Requirements{Authorize: []v1alpha1.Condition{{Code: "x"}}}),
			"spec.authorize[0]: the condition names neither cel nor apps; name one of them",
		},
		{
			"identity", with(v1alpha1.Requirements{Identity: &v1alpha1.Identity{Headers: []v1alpha1.IdentityHeader{{Name: "X-A", Value: "principal.claims"}}}}),
			"spec.identity.headers[0].value: it yields map(string, dyn), which has no text; use string(…) or a field of it; " + remedyCEL,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := NewCompiler()
			if err != nil {
				t.Fatal(err)
			}
			in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", tc.spec), policyOf("q", oneRule(v1alpha1.Match{Path: &v1alpha1.PathMatch{Exact: "/q"}}))})
			in.Schemes = schemes
			set, errs := c.Compile(in)
			if len(errs) != 1 || errs[0].Error() != "AuthPolicy shop/p: "+tc.want {
				t.Errorf("got  %v\nwant AuthPolicy shop/p: %s", errs, tc.want)
			}
			if d := set.Check(t.Context(), get("a.test", "/anything")); d.Reason != authz.ReasonPolicyInvalid {
				t.Errorf("%v; want the policy's host denied", d.Reason)
			}
			unread := strings.Contains(tc.want, ".match[")
			if d := set.Check(t.Context(), get("a.test", "/q")); (d.Reason == authz.ReasonPolicyInvalid) != unread {
				t.Errorf("another policy's route: %v; want it denied: %t", d.Reason, unread)
			}
		})
	}
}

func TestCompileBadHost(t *testing.T) {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	p := policyOf("p", v1alpha1.AuthPolicySpec{Hosts: []string{"*", "a.test", "A.test"}})
	set, errs := c.Compile(inputOf([]*v1alpha1.AuthPolicy{p}))
	want := "AuthPolicy shop/p: spec.hosts[0]: the host is not one host name or address; " + remedyHost
	if len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got  %v\nwant %s", errs, want)
	}
	if d := set.Check(t.Context(), get("a.test", "/")); d.Reason != authz.ReasonPolicyInvalid {
		t.Errorf("a.test: %v", d.Reason)
	}
}

// What has not changed is not compiled again, and what a policy depends on counts.
func TestCompileReuses(t *testing.T) {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	login := &Scheme{Name: "shop/login", Kind: KindJWT, Authenticator: newStub("login", KindJWT)}
	secured := v1alpha1.AuthPolicySpec{Hosts: []string{"p.test"}}
	secured.Security = []v1alpha1.SecurityRequirement{{"login": nil}}
	list := []*v1alpha1.AuthPolicy{policyOf("p", secured), policyOf("q", v1alpha1.AuthPolicySpec{Hosts: []string{"q.test"}})}
	in := inputOf(list)
	in.Schemes = map[string]*Scheme{"shop/login": login}

	compile := func() (p, q *policy) {
		t.Helper()
		if _, errs := c.Compile(in); len(errs) > 0 {
			t.Fatal(errs[0])
		}
		return c.states["shop/p"].inForce, c.states["shop/q"].inForce
	}
	p, q := compile()
	routes := c.hosts[hostPattern{name: "q.test"}].routes

	for i := range in.Policies { // decoded anew, and the same
		in.Policies[i].Policy = in.Policies[i].Policy.DeepCopy()
	}
	if p2, q2 := compile(); p2 != p || q2 != q || c.hosts[hostPattern{name: "q.test"}].routes != routes {
		t.Error("unchanged policies were compiled again")
	}

	in.Policies[1].Policy = in.Policies[1].Policy.DeepCopy()
	in.Policies[1].Policy.Spec.Hosts = []string{"q2.test"}
	p2, q2 := compile()
	if p2 != p || q2 == q {
		t.Error("one policy has changed: not it alone was compiled again")
	}

	in.Schemes["shop/login"] = &Scheme{Name: "shop/login", Kind: KindJWT, Authenticator: newStub("login", KindJWT)}
	p3, q3 := compile()
	if p3 == p || q3 != q2 {
		t.Error("a scheme has changed: not the policy that names it alone was compiled again")
	}
}

// A scheme is looked for in the policy's namespace, then in the shared one, at each compilation.
func TestCompileSharedNamespace(t *testing.T) {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	spec := v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}
	spec.Security = []v1alpha1.SecurityRequirement{{"login": nil}}
	in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)})
	in.Schemes = map[string]*Scheme{}
	for _, ns := range []string{"one", "two"} {
		in.Schemes[ns+"/login"] = &Scheme{Name: ns + "/login", Kind: KindJWT, Authenticator: newStub("login", KindJWT)}
	}
	r := get("a.test", "/")
	r.Headers = []authz.Header{{Name: "x-test-login", Value: "subject=alice"}}
	check := func(want string) {
		t.Helper()
		set, errs := c.Compile(in)
		d := set.Check(t.Context(), r)
		got := d.Scheme
		if len(errs) > 0 {
			got = errs[0].Message
		}
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	check(`there is no usable AuthScheme "login" in namespace shop`)
	in.SharedNamespace = "one"
	check("one/login")
	in.SharedNamespace = "two"
	check("two/login")
	in.Schemes["shop/login"] = &Scheme{Name: "shop/login", Kind: KindJWT, Authenticator: newStub("login", KindJWT)}
	check("shop/login")
	delete(in.Schemes, "shop/login")
	check("two/login")
	in.SharedNamespace = "three"
	check(`there is no usable AuthScheme "login" in namespace shop or three`)
}

func TestRoutesRead(t *testing.T) {
	for field, want := range map[string]bool{
		"spec.security[0].x": true, "spec.rules[0].security": true, "spec.rules[12].name": true, "metadata.labels": true, "spec.mode": true,
		"spec.hosts[1]": true, "spec.rules[0].identity.headers[0].name": true, "spec.cors": true,
		"spec.rules[0].match[0].path": false, "spec.rules[0]": false, "spec.rules": false, "spec": false, "": false, "spec.rules[0].mach": false,
		"spec.ruels": false, "spec.rules[0].names": false, "spec.modes": false,
	} {
		if got := routesRead(v1alpha1.Errors{{Field: "spec.mode"}, {Field: field}}); got != want {
			t.Errorf("%s: %t; want %t", field, got, want)
		}
	}
	if !routesRead(nil) || routesRead(errors.New("other")) {
		t.Error("no error, or one without fields, is taken wrongly")
	}
}

func TestGrants(t *testing.T) {
	g := newGrants([]HostGrant{{"shop", []string{"a.test", "*.b.test", "not a host"}}, {"shop", []string{"c.test"}}})
	got := map[string]bool{}
	for _, text := range []string{"a.test", "x.a.test", "*.a.test", "b.test", "x.b.test", "x.y.b.test", "*.b.test", "*.x.b.test", "xb.test", "*.test", "c.test"} {
		h, err := parseHost(text)
		if err != nil {
			t.Fatal(err)
		}
		got[text] = g.allow("shop", h)
		if g.allow("other", h) || !grants(nil).allow("other", h) {
			t.Errorf("%s: granted to a namespace without grants, or not granted without any", text)
		}
	}
	want := map[string]bool{
		"a.test": true, "x.a.test": false, "*.a.test": false, "b.test": false, "x.b.test": true, "x.y.b.test": true,
		"*.b.test": true, "*.x.b.test": true, "xb.test": false, "*.test": false, "c.test": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Routes that have not changed are not compiled again, whatever becomes of policies, and neither are their hosts.
func TestCompileReusesRoutes(t *testing.T) {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", v1alpha1.AuthPolicySpec{})})
	for _, host := range []string{"a.test", "b.test"} {
		in.Routes = append(in.Routes, v1alpha1.Route{Kind: "HTTPRoute", Namespace: "shop", Name: host, Hosts: []string{host}, Policy: "shop/p"})
	}
	compile := func() (set *Set, a, b *virtualHost) {
		t.Helper()
		set, errs := c.Compile(in)
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		return set, c.virtual[hostPattern{name: "a.test"}], c.virtual[hostPattern{name: "b.test"}]
	}
	_, a, b := compile()
	in.Routes = append([]v1alpha1.Route(nil), in.Routes...) // made anew, and the same
	in.Routes[0].Hosts = []string{"a.test"}
	in.Policies[0].Policy = policyOf("p", v1alpha1.AuthPolicySpec{Rules: []v1alpha1.Rule{{Name: "other"}}})
	set, a2, b2 := compile()
	if a2 != a || b2 != b {
		t.Error("unchanged Routes were compiled again")
	}
	if d := set.Check(t.Context(), get("a.test", "/")); d.Rule != "other" {
		t.Errorf("rule %q; want that of the policy's new version", d.Rule)
	}
	in.Routes[1].Matches = []v1alpha1.RouteMatch{{Method: "GET"}}
	if _, a3, b3 := compile(); a3 != a || b3 == b {
		t.Error("one Route has changed: not its host alone was compiled again")
	}
}

package policy

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestEngineBeforeTheFirstSet(t *testing.T) {
	var e Engine
	d := e.Check(t.Context(), get("a.test", "/"))
	if d.Allowed() || d.Reason.Class() != authz.ClassUnavailable {
		t.Errorf("%v; want it could not be told", d.Reason)
	}
}

func TestZeroSetDenies(t *testing.T) {
	d := new(Set).Check(t.Context(), get("a.test", "/"))
	if d.Allowed() || d.Reason != authz.ReasonNoPolicy {
		t.Errorf("%v; want no_policy", d.Reason)
	}
}

// Checks go on while Sets are compiled and put in force, each by one Set as a whole.
func TestEngineSwap(t *testing.T) {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	compile := func(header string) *Set {
		spec := v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}
		spec.Identity = &v1alpha1.Identity{Headers: []v1alpha1.IdentityHeader{{Name: "X-One", Value: "'" + header + "'"}, {Name: "X-Two", Value: "'" + header + "'"}}}
		set, errs := c.Compile(inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)}))
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		return set
	}
	var e Engine
	e.Swap(compile("first"))
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d := e.Check(t.Context(), get("a.test", "/"))
				if m := d.Mutation(); len(m.Set) != 2 || m.Set[0].Value != m.Set[1].Value {
					t.Errorf("%+v mixes two Sets", m.Set)
					return
				}
			}
		})
	}
	for header := range strings.FieldsSeq("a b c d e f g h") {
		e.Swap(compile(header))
	}
	close(done)
	all.Wait()
}

// Each scheme is verified at most once a request, however many alternatives name it, and not at all if an alternative
// lacks another credential.
func TestVerifiesOnce(t *testing.T) {
	login, key := newStub("login", KindJWT), newStub("key", KindAPIKey)
	var logins, keys int
	login.verified, key.verified = &logins, &keys
	spec := v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}
	spec.Security = []v1alpha1.SecurityRequirement{{"login": {"a"}}, {"login": {"b"}}, {"login": {"c"}, "key": nil}, {"login": {"d"}, "key": {"d"}}}
	in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)})
	in.Schemes = map[string]*Scheme{
		"shop/login": {Name: "shop/login", Kind: KindJWT, Authenticator: login},
		"shop/key":   {Name: "shop/key", Kind: KindAPIKey, Authenticator: key},
	}
	set := compileAll(t, in)
	for _, tc := range []struct {
		login, key   string
		logins, keys int
		reason       authz.Reason
	}{
		{"subject=alice", "", 1, 0, authz.ReasonMissingScope},
		{"subject=alice;scopes=d", "scopes=d", 1, 1, authz.ReasonAuthenticated},
		{"token_expired", "scopes=d", 1, 0, authz.ReasonTokenExpired},
		{"", "scopes=d", 0, 0, authz.ReasonNoCredential},
	} {
		r := get("a.test", "/")
		for name, value := range map[string]string{"x-test-login": tc.login, "x-test-key": tc.key} {
			if value != "" {
				r.Headers = append(r.Headers, authz.Header{Name: name, Value: value})
			}
		}
		logins, keys = 0, 0
		if d := set.Check(t.Context(), r); d.Reason != tc.reason || logins != tc.logins || keys != tc.keys {
			t.Errorf("%+v: %v, %d logins and %d keys verified", tc, d.Reason, logins, keys)
		}
	}
}

// A trace is for reading: it goes to JSON, and no credential is in it.
func TestTraceHoldsNoSecret(t *testing.T) {
	spec := oneRule(v1alpha1.Match{Path: &v1alpha1.PathMatch{Template: "/orders/{id}"}})
	spec.Security = []v1alpha1.SecurityRequirement{{"login": {"read"}}, {"key": nil}}
	spec.Authorize = []v1alpha1.Condition{{CEL: "request.params.id == '1'"}, {CEL: "int(request.headers['x-test-login']) != 1"}}
	spec.Rules = append(spec.Rules, v1alpha1.Rule{Name: "other"})
	in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)})
	in.Schemes = map[string]*Scheme{
		"shop/login": {Name: "shop/login", Kind: KindJWT, Authenticator: newStub("login", KindJWT)},
		"shop/key":   {Name: "shop/key", Kind: KindAPIKey, Authenticator: newStub("key", KindAPIKey)},
	}
	set := compileAll(t, in)
	r := get("a.test", "/orders/1")
	r.Headers = []authz.Header{
		{Name: "x-test-login", Value: "subject=alice;key=hunter2"},
		{Name: "cookie", Value: "test_key=subject=bob; session=hunter2"},
	}
	d, trace := set.Explain(t.Context(), r)
	text, err := json.Marshal(trace)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") || d.Err != nil && strings.Contains(d.Err.Error(), "hunter2") {
		t.Errorf("a credential stands in %s or %v", text, d.Err)
	}
	want := `{"method":"GET","host":"a.test","path":"/orders/1","foundBy":"host","policy":"shop/p","rule":"r","match":"template /orders/{id}",` +
		`"params":[{"name":"id","value":"1"}],"others":[{"policy":"shop/p","rule":"other","match":"any path","why":"less specific"}],` +
		`"alternatives":[{"schemes":[{"scheme":"login","outcome":"held","lacking":["read"]}],"held":false,"reason":"missing_scope"},` +
		`{"schemes":[{"scheme":"key","outcome":"held"}],"held":true,"reason":"authenticated"}],` +
		`"conditions":[{"condition":"request.params.id == '1'","held":true},{"condition":"int(request.headers['x-test-login']) != 1","held":false,` +
		`"reason":"condition_error","detail":"the expression has no value here: something is missing or of another type"}],` +
		`"decision":{"verdict":"deny","reason":"condition_error","detail":"the expression has no value here: something is missing or of another type"}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestTraceHidesCookies(t *testing.T) {
	spec := v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}
	spec.Security = []v1alpha1.SecurityRequirement{{"key": nil}}
	in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)})
	in.Schemes = map[string]*Scheme{"shop/key": {Name: "shop/key", Kind: KindAPIKey, Authenticator: newStub("key", KindAPIKey)}}
	r := get("a.test", "/")
	r.Headers = []authz.Header{{Name: "cookie", Value: "test_key=subject=bob; session=hunter2"}}
	d, trace := compileAll(t, in).Explain(t.Context(), r)
	if !d.Allowed() || d.Mutation().Set[len(d.Mutation().Set)-1].Value != "session=hunter2" {
		t.Fatalf("%v %+v; want the other cookie kept", d.Reason, d.Mutation())
	}
	if text, _ := json.Marshal(trace); strings.Contains(string(text), "hunter2") {
		t.Errorf("a cookie stands in %s", text)
	}
}

// A scheme that explains its refusal does so in the trace too.
func TestTraceExplains(t *testing.T) {
	spec := v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}
	spec.Security = []v1alpha1.SecurityRequirement{{"signed": nil}}
	in := inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)})
	in.Schemes = map[string]*Scheme{"shop/signed": {Name: "shop/signed", Kind: KindSignature, Authenticator: newStub("signed", KindSignature)}}
	r := get("a.test", "/")
	r.Headers = []authz.Header{{Name: "x-test-signed", Value: "explained"}}
	_, trace := compileAll(t, in).Explain(t.Context(), r)
	want := []TriedScheme{{Scheme: "signed", Outcome: "refused", Reason: "bad_signature", Detail: "bad_signature", Explanation: "GET\n"}}
	if diff := cmp.Diff(want, trace.Alternatives[0].Schemes); diff != "" {
		t.Error(diff)
	}
}

// The list of other matches is bounded.
func TestTraceBoundsOthers(t *testing.T) {
	spec := v1alpha1.AuthPolicySpec{Hosts: []string{"a.test"}}
	for name := range strings.SplitSeq(strings.Repeat("r", 50), "") {
		name += string(rune('a' + len(spec.Rules)%26))
		spec.Rules = append(spec.Rules, v1alpha1.Rule{
			Name: name, Match: []v1alpha1.Match{{Path: &v1alpha1.PathMatch{Exact: "/" + strings.Repeat(name, len(spec.Rules)+1)}}},
		})
	}
	spec.Rules = append(spec.Rules, v1alpha1.Rule{Name: "any"}, v1alpha1.Rule{Name: "posts", Match: []v1alpha1.Match{{Methods: []string{"POST"}}}})
	_, trace := compileAll(t, inputOf([]*v1alpha1.AuthPolicy{policyOf("p", spec)})).Explain(t.Context(), get("a.test", "/x"))
	if len(trace.Others) != maxOthers || trace.OthersLeft != 51-maxOthers || trace.Others[0].Rule != "posts" || trace.Others[0].Why != "method" {
		t.Errorf("%d others, %d left, the first %+v", len(trace.Others), trace.OthersLeft, trace.Others[0])
	}
}

// The usual check allocates what expressions see, and the two lists of its mutation.
func TestCheckAllocatesLittle(t *testing.T) {
	in := manyPolicies(1)
	in.Policies[0].Policy.Spec.Hosts = []string{"h.example.com", "*.h.example.com"}
	set := compileAll(t, in)
	for _, host := range []string{"h.example.com", "a.b.h.example.com"} {
		for _, path := range []string{"/v1/orders", "/v1/orders/42", "/v1/files/a/b"} {
			r := likeEnvoy(host, path)
			allocated := testing.AllocsPerRun(100, func() {
				if d := set.Check(t.Context(), r); !d.Allowed() {
					t.Fatal(d.Reason)
				}
			})
			if allocated > 3 {
				t.Errorf("%s%s: %v allocations; want 3", host, path, allocated)
			}
		}
	}
}

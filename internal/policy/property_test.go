package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// The properties draw from few words, so that policies, rules and requests meet.
var (
	someHosts    = []string{"a.test", "b.a.test", "c.b.a.test", "*.a.test", "*.b.a.test"}
	someSegments = []string{"x", "y", "z", "a%20b", "x;v", ""}
	someMethods  = []string{"GET", "POST", "PUT"}
	someScopes   = []string{"read", "write"}
	someAnswers  = []string{
		"subject=u;scopes=read", "subject=u;scopes=read write", "subject=u", "token_expired", "unknown_key", "unavailable", "malformed",
		"keys_unavailable", "bug",
	}
	threeSchemes = map[string]*Scheme{
		"shop/s1": {Name: "shop/s1", Kind: KindJWT, Authenticator: newStub("s1", KindJWT)},
		"shop/s2": {Name: "shop/s2", Kind: KindSignature, Authenticator: newStub("s2", KindSignature)},
		"shop/s3": {Name: "shop/s3", Kind: KindAPIKey, Authenticator: newStub("s3", KindAPIKey)},
	}
)

func drawPath(t *rapid.T, segments []string) string {
	n := rapid.IntRange(1, 3).Draw(t, "segments")
	path := ""
	for i := range n {
		s := rapid.SampledFrom(segments).Draw(t, "segment")
		if s == "" && i < n-1 {
			s = "x"
		}
		path += "/" + s
	}
	return path
}

func drawPathMatch(t *rapid.T) *v1alpha1.PathMatch {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return &v1alpha1.PathMatch{Exact: drawPath(t, someSegments)}
	case 1:
		return &v1alpha1.PathMatch{Prefix: drawPath(t, someSegments)}
	case 2, 3:
		parts := strings.Split(drawPath(t, someSegments), "/")
		for i := 1; i < len(parts); i++ {
			switch rapid.IntRange(0, 3).Draw(t, "param") {
			case 0, 1:
				parts[i] = fmt.Sprintf("{p%d}", i)
			case 2:
				if i == len(parts)-1 {
					parts[i] = "{rest=**}"
				}
			}
		}
		return &v1alpha1.PathMatch{Template: strings.Join(parts, "/")}
	case 4:
		return &v1alpha1.PathMatch{Regex: rapid.SampledFrom([]string{"/x.*", "/[xy]", "/x/y|/z", ".*z"}).Draw(t, "regex")}
	default:
		return nil
	}
}

func drawMatch(t *rapid.T) v1alpha1.Match {
	m := v1alpha1.Match{Path: drawPathMatch(t)}
	if rapid.Bool().Draw(t, "methods") {
		m.Methods = rapid.SliceOfNDistinct(rapid.SampledFrom(someMethods), 1, 2, rapid.ID).Draw(t, "method")
	}
	if rapid.IntRange(0, 3).Draw(t, "headers") == 0 {
		m.Headers = []v1alpha1.HeaderMatch{{Name: "X-Env", Value: rapid.SampledFrom([]string{"prod", "test"}).Draw(t, "env")}}
	}
	return m
}

func drawSecurity(t *rapid.T, schemes []string) []v1alpha1.SecurityRequirement {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) v1alpha1.SecurityRequirement {
		item := v1alpha1.SecurityRequirement{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(schemes), 0, 2, rapid.ID).Draw(t, "schemes") {
			item[name] = rapid.SliceOfNDistinct(rapid.SampledFrom(someScopes), 0, 2, rapid.ID).Draw(t, "scopes")
		}
		return item
	}), 1, 3).Draw(t, "security")
}

func drawPolicy(t *rapid.T, name string, hosts []string) *v1alpha1.AuthPolicy {
	schemes := []string{"s1", "s2", "s3"}
	if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
		schemes = append(schemes, "gone")
	}
	p := &v1alpha1.AuthPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}}
	p.CreationTimestamp = metav1.Unix(int64(rapid.IntRange(1, 3).Draw(t, "age")), 0)
	p.Spec.Hosts = rapid.SliceOfNDistinct(rapid.SampledFrom(hosts), 1, 2, rapid.ID).Draw(t, "hosts")
	p.Spec.Security = drawSecurity(t, schemes)
	for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
		r := v1alpha1.Rule{Name: fmt.Sprintf("r%d", i)}
		for range rapid.IntRange(0, 2).Draw(t, "matches") {
			r.Match = append(r.Match, drawMatch(t))
		}
		if rapid.Bool().Draw(t, "own security") {
			r.Security = drawSecurity(t, schemes)
		}
		p.Spec.Rules = append(p.Spec.Rules, r)
	}
	p.SetDefaults()
	return p
}

func drawPolicies(t *rapid.T, prefix string, hosts []string) []*v1alpha1.AuthPolicy {
	var list []*v1alpha1.AuthPolicy
	for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
		list = append(list, drawPolicy(t, fmt.Sprintf("%s%d", prefix, i), hosts))
	}
	return list
}

func drawRequest(t *rapid.T) *authz.Request {
	r := &authz.Request{
		Method: rapid.SampledFrom(someMethods).Draw(t, "method"), RawHeaders: true, Now: time.Unix(1, 0),
		Host: rapid.SampledFrom([]string{"a.test", "b.a.test", "c.b.a.test", "d.a.test", "test"}).Draw(t, "host"),
		Path: drawPath(t, append([]string{"%78", "a%20b;v", "y;v=1", "w"}, someSegments...)),
	}
	if rapid.Bool().Draw(t, "env") {
		r.Headers = append(r.Headers, authz.Header{Name: "x-env", Value: "prod"})
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		for range rapid.SampledFrom([]int{0, 0, 1, 1, 1, 1, 1, 2}).Draw(t, "credentials") {
			value := rapid.SampledFrom(someAnswers).Draw(t, name)
			r.Headers = append(r.Headers, authz.Header{Name: "x-test-" + name, Value: value})
		}
	}
	if err := r.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return r
}

func inputOf(policies []*v1alpha1.AuthPolicy) Input {
	in := Input{Schemes: threeSchemes}
	for _, p := range policies {
		in.Policies = append(in.Policies, Document{Policy: p})
	}
	return in
}

func answerOf(d *authz.Decision) answer {
	return answer{Allowed: d.Allowed(), Reason: d.Reason, Policy: d.Policy, Rule: d.Rule}
}

// sharedCompiler saves making an environment for each example; what it remembers is dropped.
func sharedCompiler(t *testing.T) func() *Compiler {
	t.Helper()
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return func() *Compiler {
		return &Compiler{env: c.env, values: c.values, reserved: c.reserved}
	}
}

// A Set decides as the oracle does; above all, no request is allowed whose rule's requirement does not hold, and none
// whose two readings fall under different rules.
func TestSetDecidesAsTheOracle(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		policies := drawPolicies(t, "p", someHosts)
		set, _ := compiler().Compile(inputOf(policies))
		oracle := &oracle{policies, threeSchemes}
		for range 8 {
			r := drawRequest(t)
			d := set.Check(t.Context(), r)
			if diff := cmp.Diff(oracle.decide(r), answerOf(&d)); diff != "" {
				t.Fatalf("%s %s%s (-oracle +set):\n%s", r.Method, r.Host, r.Path, diff)
			}
			if err := checkHygiene(set, r, &d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A policy for other hosts changes no answer, and neither does a broken one.
func TestUnrelatedPolicyChangesNothing(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		policies := drawPolicies(t, "p", someHosts)
		unrelated := drawPolicies(t, "o", []string{"other.test", "*.other.test", "xa.test", "*.d.a.testing"})
		before, _ := compiler().Compile(inputOf(policies))
		after, _ := compiler().Compile(inputOf(append(slices.Clone(unrelated), policies...)))
		for range 4 {
			r := drawRequest(t)
			a, b := before.Check(t.Context(), r), after.Check(t.Context(), r)
			if diff := cmp.Diff(renderDecision(&a), renderDecision(&b)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// What is allowed in two readings is what the loose reading alone would have been decided by.
func TestLooseReadingHasTheSameRule(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		set, _ := compiler().Compile(inputOf(drawPolicies(t, "p", someHosts)))
		r := drawRequest(t)
		d := set.Check(t.Context(), r)
		canonical, err := authz.CanonicalPath(r.Route.Loose)
		if !d.Allowed() || r.Route.Loose == "" || err != nil || canonical != r.Route.Loose {
			return
		}
		other := *r
		other.Path = r.Route.Loose
		if err := other.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		if o := set.Check(t.Context(), &other); o.Policy != d.Policy || o.Rule != d.Rule {
			t.Fatalf("%s is %s %s, %s is %s %s", r.Path, d.Policy, d.Rule, other.Path, o.Policy, o.Rule)
		}
	})
}

// A Compiler that has seen other versions before makes the Set that a new one makes.
func TestCompilerForgetsWhatIsGone(t *testing.T) {
	compiler := sharedCompiler(t)
	rapid.Check(t, func(t *rapid.T) {
		old := compiler()
		for range 3 {
			policies := drawPolicies(t, "p", someHosts)
			policies = slices.DeleteFunc(policies, (&oracle{schemes: threeSchemes}).isBroken) // these keep what they were
			a, errsA := old.Compile(inputOf(policies))
			b, errsB := compiler().Compile(inputOf(policies))
			if diff := cmp.Diff(errsA, errsB); diff != "" {
				t.Fatalf("errors (-old +new):\n%s", diff)
			}
			for range 4 {
				r := drawRequest(t)
				da, db := a.Check(t.Context(), r), b.Check(t.Context(), r)
				if diff := cmp.Diff(renderDecision(&da), renderDecision(&db)); diff != "" {
					t.Fatalf("(-old +new):\n%s", diff)
				}
			}
		}
	})
}

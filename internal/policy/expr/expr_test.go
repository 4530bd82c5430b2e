package expr

import (
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

func newEnv(t testing.TB) *Env {
	t.Helper()
	e, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// example is a caller with something in every field.
func example() *Input {
	alice := Caller{Scheme: "login", Principal: &authz.Principal{
		Subject: "alice", App: "mobile", KeyID: "k1", Scopes: authz.NewScopes("b", "a"),
		Claims: map[string]any{
			"org": "acme", "level": 3.0, "big": 12345678901.0, "half": 0.5, "admin": true, "none": nil, "empty": "", "int": json.Number("7"),
			"groups": []any{"dev", "ops"}, "mixed": []any{"dev", 1.0}, "spaced": []any{"a b"}, "blank": []any{""}, "no": []any{},
			"nested": map[string]any{"org": map[string]any{"id": "o1"}}, "inf": math.Inf(1),
			"long": strings.Repeat("x", maxText+1), "full": strings.Repeat("x", maxText), "crlf": "a\r\nb",
			"many": strings.Fields(strings.Repeat("x ", maxText)),
		},
		Attributes: map[string]string{"tenant": "t1", "a-b": "dashed"},
	}}
	partner := Caller{Scheme: "partner-key", Principal: &authz.Principal{Subject: "app:shop/acme", App: "shop/acme"}}
	return &Input{
		Request: &authz.Request{
			Method: "GET", Query: "a=1&b", Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Route:   authz.Route{Host: "a.test", Path: "/x/1"},
			Headers: []authz.Header{{Name: "x-one", Value: "a"}, {Name: "x-two", Value: "c"}, {Name: "x-one", Value: "b"}},
			Source:  authz.Peer{Address: "192.0.2.1"},
		},
		Params:    []authz.Field{{Name: "id", Value: "1"}},
		Principal: alice, Principals: []Caller{alice, partner},
	}
}

func TestConditions(t *testing.T) {
	env := newEnv(t)
	in := example()
	for source, want := range map[string]bool{
		"true":                        true,
		"principal.subject == 'bob'":  false,
		"'a' in principal.scopes":     true,
		"principal.scopes[0] == 'a'":  true,
		"principal.claims.level >= 3": true,
		"principal.claims.level == 3": true,
		"principal.claims.int == 7":   true,
		"principal.claims.admin == true && principal.claims.nested.org.id == 'o1'":       true,
		"'dev' in principal.claims.groups && !('hr' in principal.claims.groups)":         true,
		"principal.claims.groups.exists(g, g.startsWith('op'))":                          true,
		"has(principal.claims.org) && !has(principal.claims.missing)":                    true,
		"principal.attributes['a-b'] == 'dashed'":                                        true,
		"principals['partner-key'].app == 'shop/acme'":                                   true,
		"principals.exists(name, principals[name].app == 'shop/acme')":                   true,
		"has(principals.login) && !has(principals.other)":                                true,
		"principal == principals.login && principal != principals['partner-key']":        true,
		"request.headers['x-one'] == 'a, b' && request.headers.size() == 2":              true,
		"request.path.matches('^/x/[0-9]+$') && request.params.id == '1'":                true,
		"request.query.contains('a=1') && request.host == 'a.test'":                      true,
		"request.source == '192.0.2.1' && request.method == 'GET'":                       true,
		"now - timestamp('2026-01-02T03:04:04Z') == duration('1s')":                      true,
		"has(principal.app) && has(principal.claims) && has(request.params.id)":          true,
		"[principal.subject, principal.app].exists_one(x, x == 'alice')":                 true,
		"type(principal.subject) == string && size(principal.claims.groups) == 2":        true,
		"principal.claims.missing == 'x' || principal.subject == 'alice'":                true,
		"dyn(principal) == dyn(principals.login)":                                        true,
		"dyn(request) == dyn(principal)":                                                 false,
		"principal.claims.exists(k, k == 'org')":                                         true,
		"request.headers.all(h, h.startsWith('x-'))":                                     true,
		"principal.keyId == 'k1' ? principal.scheme == 'login' : principal.scheme == ''": true,
	} {
		c, err := env.Condition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := c.Holds(in); err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", source, got, err, want)
		}
	}
}

// Errors at run time say what is wrong without a word of the request.
func TestConditionErrors(t *testing.T) {
	env := newEnv(t)
	in := example()
	in.Request.Headers = append(in.Request.Headers, authz.Header{Name: "secret", Value: "hunter2"})
	const noValue = "the expression has no value here: something is missing or of another type"
	for source, want := range map[string]string{
		"principal.claims.missing == 'x'":                               "there is no missing",
		"request.params['nope'] == 'x'":                                 "there is no nope",
		"principals.other.subject == 'x'":                               "there is no other",
		"principal.claims[request.headers['secret']] == 'x'":            noValue,
		"int(request.headers['secret']) == 1":                           noValue,
		"principal.claims.org >= 3":                                     noValue,
		"principal.claims.org.id == 'x'":                                "there is no id",
		"principal.claims.org && true":                                  noValue,
		"dyn(principal).subject == 'alice'":                             "there is no subject",
		"principal.scopes[9] == 'a'":                                    noValue,
		"1 / (principal.scopes.size() - 2) == 1":                        noValue,
		"request.headers['secret'].matches('hunter') ? 1/0 > 0 : false": noValue,
		"['1', '2', '3', '4', '5', '6', '7', '8'].exists(b, principal.claims.many.exists(a, a == b))": "the expression costs too much for this request",
	} {
		c, err := env.Condition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := c.Holds(in)
		if got || err == nil || err.Error() != want {
			t.Errorf("%s = %v, %v; want %s", source, got, err, want)
		}
	}
}

func TestConditionRefused(t *testing.T) {
	env := newEnv(t)
	for source, want := range map[string]string{
		"":                           "column 1: Syntax error: mismatched input '<EOF>' expecting",
		"principal.subject ==":       "column 21: Syntax error",
		"principal.sbject == 'x'":    "column 10: undefined field 'sbject'",
		"principals.partner-key.app": "column 19: found no matching overload for '_-_'",
		"subject == 'x'":             "column 1: undeclared reference to 'subject'",
		"principal.subject":          "it yields string, a condition must yield bool; compare it with something",
		"principal.claims.admin":     "it yields dyn, a condition must yield bool; compare it with something",
		"principal.subject == 1":     "column 19: found no matching overload for '_==_' applied to '(string, int)'",
		"request.path.matches('(')":  "error parsing regexp: missing closing )",
		"request.path.matches('^/users/' + principal.subject)":                                                       "the pattern of matches() must be a literal",
		"matches(request.path, principal.claims.pattern)":                                                            "the pattern of matches() must be a literal",
		"principal.claims.a.exists(a, principal.claims.b.exists(b, principal.claims.c.exists(c, a == b && b == c)))": "units, the limit is 100000; nest fewer loops",
		"'" + strings.Repeat("x", maxSource) + "' == ''":                                                             "size",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200):                                                 "recursion",
	} {
		_, err := env.Condition(source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v; want …%s…", source, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: more than one line: %v", source, err)
		}
	}
}

func TestValues(t *testing.T) {
	env := newEnv(t)
	in := example()
	for source, want := range map[string]string{
		"'gold'":                                         "gold",
		"principal.subject":                              "alice",
		"principal.app":                                  "mobile",
		"principal.keyId":                                "k1",
		"principal.scheme":                               "login",
		"principal.scopes":                               "a b",
		"principal.scopes[1]":                            "b",
		"principal.attributes.tenant":                    "t1",
		"principal.attributes['a-b']":                    "dashed",
		"principal.attributes.missing":                   "",
		"principal.claims.org":                           "acme",
		"principal.claims.level":                         "3",
		"principal.claims.big":                           "12345678901",
		"principal.claims.half":                          "0.5",
		"principal.claims.int":                           "7",
		"principal.claims.admin":                         "true",
		"principal.claims.none":                          "",
		"principal.claims.empty":                         "",
		"principal.claims.no":                            "",
		"principal.claims.groups":                        "dev ops",
		"principal.claims.missing":                       "",
		"principal.claims.missing.deep":                  "",
		"principal.claims.org.deep":                      "",
		"principal.claims.nested.org.id":                 "o1",
		"principal.claims['nested'].org['id']":           "o1",
		"principal.claims.groups[0]":                     "dev",
		"principals.login.subject":                       "alice",
		"principals['partner-key'].app":                  "shop/acme",
		"principals['partner-key'].scopes":               "",
		"principals['partner-key'].claims.x":             "",
		"principals.other.subject":                       "",
		"principals.other.claims.x":                      "",
		"request.method":                                 "GET",
		"request.host":                                   "a.test",
		"request.path":                                   "/x/1",
		"request.query":                                  "a=1&b",
		"request.source":                                 "192.0.2.1",
		"request.params.id":                              "1",
		"request.params.other":                           "",
		"request.headers['x-one']":                       "a, b",
		"request.headers['x-none']":                      "",
		"principal.subject + '@' + principal.claims.org": "alice@acme",
		"principal.subject == 'alice'":                   "true",
		"1 + 1":                                          "2",
		"2u":                                             "2",
		"1.5 + 1.0":                                      "2.5",
		"null":                                           "",
		"['a', 'b']":                                     "a b",
		"principal.scopes.filter(s, s != 'a')":           "b",
		"has(principal.claims.org) ? principal.claims.org : 'none'": "acme",
		"string(now)":           "2026-01-02T03:04:05Z",
		"principal.claims.full": strings.Repeat("x", maxText),
	} {
		v, err := env.Value(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := v.Text(in); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", source, got, err, want)
		}
	}
}

// What a selector reads directly is what CEL reads, where there is something to read.
func TestSelectorsAgreeWithCEL(t *testing.T) {
	env := newEnv(t)
	in := example()
	for _, source := range []string{
		"principal.subject", "principal.scheme", "principal.scopes", "principal.attributes.tenant", "principal.claims.org",
		"principal.claims.level", "principal.claims.groups", "principal.claims.nested.org.id", "principals.login.app",
		"request.method", "request.path", "request.params.id", "request.headers['x-one']", "'x'",
	} {
		direct, err := env.Value(source)
		if err != nil {
			t.Fatal(err)
		}
		if direct.program.cel != nil {
			t.Errorf("%s is not read directly", source)
		}
		evaluated, err := env.Value("true ? " + source + " : " + source)
		if err != nil {
			t.Fatal(err)
		}
		if evaluated.program.cel == nil {
			t.Errorf("%s is read directly", source)
		}
		a, errA := direct.Text(in)
		b, errB := evaluated.Text(in)
		if a != b || errA != nil || errB != nil {
			t.Errorf("%s: directly %q, %v; by CEL %q, %v", source, a, errA, b, errB)
		}
	}
}

func TestValueErrors(t *testing.T) {
	env := newEnv(t)
	in := example()
	for source, want := range map[string]string{
		"principal.claims.crlf":             errBytes.Error(),
		"'a' + principal.claims.crlf":       errBytes.Error(),
		"principal.claims.long":             errTooLong.Error(),
		"principal.claims.many":             errTooLong.Error(),
		"principal.claims.mixed":            errItemType.Error(),
		"principal.claims.spaced":           errItem.Error(),
		"principal.claims.blank":            errItem.Error(),
		"principal.claims.inf":              errNumber.Error(),
		"principal.claims.nested":           "a value of type map has no text",
		"dyn(principal)":                    "a value of type postern.Principal has no text",
		"'t-' + principal.attributes.other": "there is no other",
	} {
		v, err := env.Value(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := v.Text(in); got != "" || err == nil || err.Error() != want {
			t.Errorf("%s = %q, %v; want %s", source, got, err, want)
		}
	}
}

func TestValueRefused(t *testing.T) {
	env := newEnv(t)
	for source, want := range map[string]string{
		"principal.claims":       "it yields map(string, dyn), which has no text; use string(…) or a field of it",
		"principal":              "it yields postern.Principal, which has no text",
		"now":                    "it yields timestamp, which has no text",
		"b'x'":                   "it yields bytes, which has no text",
		"[1, 2]":                 "it yields list(int), which has no text",
		"principal.subjct":       "column 10: undefined field 'subjct'",
		"'x' + 1":                "column 5: found no matching overload",
		"request.headers.x-name": "column 18: found no matching overload for '_-_'",
	} {
		_, err := env.Value(source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want …%s…", source, err, want)
		}
	}
}

func TestReadsParams(t *testing.T) {
	env := newEnv(t)
	for source, want := range map[string]bool{
		"request.params.id == 'x'":                                 true,
		"request.params.exists(k, k == 'x')":                       true,
		"has(request.params.id)":                                   true,
		"principal.subject == 'params'":                            false,
		"[1].exists(i, request.params.size() == i)":                true,
		"principal.subject != '' ? true : request.params.id == ''": true,
	} {
		c, err := env.Condition(source)
		if err != nil {
			t.Fatal(err)
		}
		if c.ReadsParams() != want {
			t.Errorf("%s: %v", source, c.ReadsParams())
		}
	}
}

// An anonymous caller has empty fields.
func TestAnonymous(t *testing.T) {
	env := newEnv(t)
	in := &Input{Request: &authz.Request{}}
	c, err := env.Condition("principal.subject == '' && principal.claims.size() == 0 && !has(principal.attributes) && principals.size() == 0")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Holds(in); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	v, err := env.Value("principal.claims.org")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := v.Text(in); text != "" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// Programs are shared by all checks; the race detector watches this one.
func TestConcurrentErrors(t *testing.T) {
	env := newEnv(t)
	in := example()
	for _, source := range []string{
		"principal.claims.org >= 3", "principal.claims.org && true", "principal.claims.org || true", "principal.claims.org.id == 'x'",
		"principal.claims.org ? true : false", "!principal.claims.org", "principal.claims.missing == 1", "principal.claims.groups.exists(g, g)",
	} {
		c, err := env.Condition(source)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 50 {
					_, _ = c.Holds(in)
				}
			})
		}
		all.Wait()
	}
}

func BenchmarkCondition(b *testing.B) {
	c, err := newEnv(b).Condition("principal.claims.org == request.params.id && 'a' in principal.scopes")
	if err != nil {
		b.Fatal(err)
	}
	in := example()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Holds(in)
	}
}

func BenchmarkSelector(b *testing.B) {
	v, err := newEnv(b).Value("principal.claims.nested.org.id")
	if err != nil {
		b.Fatal(err)
	}
	in := example()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = v.Text(in)
	}
}

package policy

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestScenarios runs testdata/*.txtar. The files of an archive are steps:
//
//	*.yaml    resources, in place of an earlier file of that name
//	schemes   lines "namespace/name kind [realm]"
//	grants    lines "namespace host …"
//	shared    the shared namespace
//	routes    a list of v1alpha1.Route in YAML; kind and namespace default to HTTPRoute and shop
//	errors    what the next compilation reports, one a line
//	coverage  compiles; a line for each Route: object, rule, cover, policies
//	checks    compiles, then decides requests, each with its answer; see runCheck
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScenario(t)
			for _, f := range archive.Files {
				s.step(t, f.Name, string(f.Data))
			}
		})
	}
}

// scenario is one archive on its way.
type scenario struct {
	compiler *Compiler
	files    map[string][]v1alpha1.Document
	in       Input
	errors   []string
}

func newScenario(t testing.TB) *scenario {
	t.Helper()
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return &scenario{compiler: c, files: make(map[string][]v1alpha1.Document)}
}

func (s *scenario) step(t *testing.T, name, data string) {
	t.Helper()
	switch {
	case strings.HasSuffix(name, ".yaml"):
		s.files[name] = v1alpha1.Decode(name, []byte(data))
	case name == "schemes":
		s.in.Schemes = map[string]*Scheme{}
		for line := range lines(data) {
			f := append(strings.Fields(line), "")
			kind, ok := kinds[f[1]]
			if !ok {
				t.Fatalf("unknown kind %q", f[1])
			}
			_, local, _ := strings.Cut(f[0], "/")
			s.in.Schemes[f[0]] = &Scheme{Name: f[0], Kind: kind, Realm: f[2], Authenticator: newStub(local, kind)}
		}
	case name == "grants":
		s.in.HostGrants = nil
		for line := range lines(data) {
			f := strings.Fields(line)
			s.in.HostGrants = append(s.in.HostGrants, HostGrant{Namespace: f[0], Hosts: f[1:]})
		}
	case name == "routes":
		s.in.Routes, s.in.RoutesWatched = nil, true
		if err := yaml.UnmarshalStrict([]byte(data), &s.in.Routes); err != nil {
			t.Fatal(err)
		}
		for i := range s.in.Routes {
			r := &s.in.Routes[i]
			if r.Kind == "" {
				r.Kind = v1alpha1.KindHTTPRoute
			}
			if r.Namespace == "" {
				r.Namespace = "shop"
			}
		}
	case name == "shared":
		s.in.SharedNamespace = strings.TrimSpace(data)
	case name == "errors":
		s.errors = slices.Collect(lines(data))
	case name == "coverage":
		got := coverageLines(s.compile(t))
		if diff := cmp.Diff(slices.Collect(lines(data)), got); diff != "" {
			t.Errorf("coverage (-want +got):\n%s", diff)
		}
	case name == "checks":
		set := s.compile(t)
		for block := range strings.SplitSeq(strings.TrimSpace(data), "\n\n") {
			runCheck(t, set, block)
		}
	default:
		t.Fatalf("unknown step %q", name)
	}
}

func coverageLines(set *Set) []string {
	var all []string
	for _, c := range set.Coverage() {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", c.Route.Object(), c.Route.Rule, c.Cover, strings.Join(c.Policies, ","))))
	}
	return all
}

// lines yields the lines of a text that say something.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

func (s *scenario) compile(t *testing.T) *Set {
	t.Helper()
	s.in.Policies = nil
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		for i := range s.files[name] {
			doc := &s.files[name][i]
			if doc.Kind == v1alpha1.KindAuthPolicy {
				s.in.Policies = append(s.in.Policies, NewDocument(doc))
			}
		}
	}
	set, errs := s.compiler.Compile(s.in)
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff(s.errors, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	s.errors = nil
	return set
}

// runCheck decides one request and compares the answer. A block is the request, then the answer:
//
//	GET orders.example.com/orders/1?a=b
//	x-test-login: subject=alice           a header; "source: 10.0.0.1" sets the peer, "policy: shop/orders" and "rule: write"
//	                                      the context extensions, "metadata: resources.0.name shop" Envoy Gateway's route
//	                                      metadata, "route: HTTPRoute shop orders read" what it sends of a route
//	= allow authenticated shop/orders write shop/login
//	set x-auth-subject: alice             further lines of the answer that must be there, or with "!" must not;
//	! remove x-auth-subject               with a final "*" any that begins so
func runCheck(t *testing.T, set *Set, block string) {
	t.Helper()
	var wants []string
	var r *authz.Request
	title := ""
	for line := range lines(block) {
		switch {
		case r == nil:
			title, r = line, parseRequest(t, line)
		case wants != nil || line[0] == '=':
			wants = append(wants, strings.TrimPrefix(line, "= "))
		default:
			addHeader(r, line)
		}
	}
	if err := r.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	d, trace := set.Explain(t.Context(), r)
	if plain := set.Check(t.Context(), r); !slices.Equal(renderDecision(&plain), renderDecision(&d)) {
		t.Errorf("%s: Check says %q, Explain %q", title, renderDecision(&plain), renderDecision(&d))
	}
	if err := checkHygiene(set, r, &d); err != nil {
		t.Errorf("%s: %v", title, err)
	}
	got := append(renderDecision(&d), renderTrace(trace)...)
	if len(wants) == 0 || wants[0] != got[0] {
		t.Errorf("%s\n%s:\n got %s\nwant %s", block, title, got[0], wants)
	}
	for _, want := range wants[1:] {
		want, not := strings.CutPrefix(want, "! ")
		if has := slices.ContainsFunc(got, func(line string) bool { return like(line, want) }); has == not {
			t.Errorf("%s:\nwant %q (not: %t) among\n%s", title, want, not, strings.Join(got, "\n"))
		}
	}
}

func like(line, want string) bool {
	prefix, open := strings.CutSuffix(want, "*")
	return line == want || open && strings.HasPrefix(line, prefix)
}

func parseRequest(t *testing.T, line string) *authz.Request {
	t.Helper()
	method, target, ok := strings.Cut(line, " ")
	if !ok {
		t.Fatalf("not a request: %q", line)
	}
	target, query, hasQuery := strings.Cut(target, "?")
	host, path := target, ""
	if i := strings.IndexByte(target, '/'); i >= 0 {
		host, path = target[:i], target[i:]
	}
	return &authz.Request{
		Method: method, Host: host, Path: path, Query: query, HasQuery: hasQuery, RawHeaders: true,
		Source: authz.Peer{Address: "192.0.2.1"}, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func addHeader(r *authz.Request, line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, `"`) {
		fmt.Sscanf(value, "%q", &value)
	}
	switch name {
	case "source":
		r.Source.Address = value
	case "joined":
		r.RawHeaders = false
	case "policy", "rule":
		r.ContextExtensions = append(r.ContextExtensions, authz.Field{Name: "postern.dev/" + name, Value: value})
	case "metadata":
		path, text, _ := strings.Cut(value, " ")
		r.RouteMetadata = append(r.RouteMetadata, authz.Field{Name: "envoy-gateway\x00" + path, Value: text})
	case "route":
		for i, text := range strings.Fields(value) {
			field := []string{"kind", "namespace", "name", "sectionName"}[i]
			r.RouteMetadata = append(r.RouteMetadata, authz.Field{Name: "envoy-gateway\x00resources.0." + field, Value: text})
		}
	default:
		r.Headers = append(r.Headers, authz.Header{Name: name, Value: value})
	}
}

// renderDecision writes a decision as the lines that scenarios compare.
func renderDecision(d *authz.Decision) []string {
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	out := []string{strings.TrimRight(strings.Join([]string{d.Verdict(), d.Reason.String(), dash(d.Policy), dash(d.Rule), dash(d.Scheme)}, " "), " -")}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, h := range d.Mutation().Set {
		add("set %s: %s", h.Name, h.Value)
	}
	for _, name := range d.Mutation().Remove {
		add("remove %s", name)
	}
	for _, name := range d.Mutation().RemoveParams {
		add("param %s", name)
	}
	for _, c := range d.Challenges {
		add("challenge %s", c)
	}
	for _, h := range d.ResponseHeaders {
		add("header %s: %s", h.Name, h.Value)
	}
	if d.Code != "" {
		add("code %s", d.Code)
	}
	if d.Principal != nil {
		add("subject %s", d.Principal.Subject)
	}
	if d.Shadow {
		add("shadow")
	}
	if d.Err != nil {
		add("err %v", d.Err)
	}
	return out
}

// renderTrace writes a trace as lines that scenarios compare.
func renderTrace(tr *Trace) []string {
	out := []string{fmt.Sprintf("found %s by %s", tr.Match, tr.FoundBy)}
	if tr.Route != "" {
		out = append(out, strings.TrimRight(fmt.Sprintf("route %s: %s", tr.Route, tr.RouteMatch), ": "))
	}
	for _, o := range tr.Others {
		out = append(out, fmt.Sprintf("other %s %s %s: %s", o.Policy, o.Rule, o.Match, o.Why))
	}
	for _, a := range tr.Alternatives {
		line := fmt.Sprintf("tried held=%t %s:", a.Held, a.Reason)
		for _, s := range a.Schemes {
			line += strings.TrimRight(fmt.Sprintf(" %s=%s %s", s.Scheme, s.Outcome, s.Reason), " ")
			if len(s.Lacking) > 0 {
				line += " lacking " + strings.Join(s.Lacking, ",")
			}
		}
		out = append(out, line)
	}
	for _, c := range tr.Conditions {
		out = append(out, strings.TrimSpace(fmt.Sprintf("condition held=%t %s: %s", c.Held, c.Condition, c.Reason)))
	}
	return out
}

// checkHygiene asserts what every allow owes the upstream: each reserved header is set or removed, never both, and so
// is each alias that the request has.
func checkHygiene(set *Set, r *authz.Request, d *authz.Decision) error {
	if !d.Allowed() {
		return nil
	}
	m := d.Mutation()
	names := []string{"x-auth-subject", "x-auth-app", "x-auth-key-id", "x-auth-scopes", "x-auth-scheme"}
	if h := set.hosts.find(r.Route.Host); h != nil && len(r.ContextExtensions) == 0 {
		for _, p := range h.policies {
			names = append(names, p.declared...)
		}
		for v := h.virtual; v != nil; v = v.wider {
			for _, name := range v.policies {
				if p, ok := set.policies[name]; ok {
					names = append(names, p.declared...)
				}
			}
		}
	}
	is := func(name string) func(authz.Header) bool { return func(h authz.Header) bool { return h.Name == name } }
	for _, name := range names {
		if slices.ContainsFunc(m.Set, is(name)) == slices.Contains(m.Remove, name) {
			return fmt.Errorf("%s is not either set or removed", name)
		}
		for _, h := range r.Headers {
			folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(h.Name))
			if folded == name && h.Name != name && !slices.Contains(m.Remove, h.Name) {
				return fmt.Errorf("%s, an alias of %s, gets through", h.Name, name)
			}
		}
	}
	return nil
}

package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// Trace is how one request was decided, for people. It holds no credential; values of cookies are left out.
// Its strings alias the request's.
type Trace struct {
	Method string `json:"method"`
	Host   string `json:"host"`            // canonical
	Path   string `json:"path"`            // canonical
	Loose  string `json:"loose,omitempty"` // the path's other reading, where it differs

	// Route is the rule of the HTTPRoute or GRPCRoute that the request belongs to, whether or not a policy is attached
	// to it. RouteMatch says what of it fits; empty: Envoy named it.
	Route      string `json:"route,omitempty"`      // "HTTPRoute shop/orders rule 0 (read)"
	RouteMatch string `json:"routeMatch,omitempty"` // "prefix /orders"

	FoundBy string        `json:"foundBy,omitempty"` // "route", "host" or "context extension"; empty: no policy
	Policy  string        `json:"policy,omitempty"`
	Rule    string        `json:"rule,omitempty"`
	Match   string        `json:"match,omitempty"` // "template /orders/{id}"
	Params  []TracedField `json:"params,omitempty"`

	// Others are the other matches in the same place: first those whose path fits, and of these the most specific.
	// OthersLeft is how many more there are.
	Others     []OtherMatch `json:"others,omitempty"`
	OthersLeft int          `json:"othersLeft,omitempty"`

	// Ambiguous is the scheme to which two credentials were presented: nothing was tried then.
	Ambiguous    *TriedScheme       `json:"ambiguous,omitempty"`
	Alternatives []TriedAlternative `json:"alternatives,omitempty"`
	Conditions   []TriedCondition   `json:"conditions,omitempty"`

	Decision TracedDecision `json:"decision"`
}

// OtherMatch is a match that did not win, and why.
type OtherMatch struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	Match  string `json:"match"`
	Why    string `json:"why"` // "path", "method", "header x-env", "source", "less specific", "not reached"
}

// TriedAlternative is one item of the security list. One without schemes is anonymous access.
type TriedAlternative struct {
	Schemes []TriedScheme `json:"schemes,omitempty"`
	Held    bool          `json:"held"`
	Reason  string        `json:"reason"`
}

// TriedScheme is what a scheme made of the request.
type TriedScheme struct {
	Scheme  string   `json:"scheme"`
	Outcome string   `json:"outcome"`           // "absent", "held", "refused", "unavailable", "not verified"
	Reason  string   `json:"reason,omitempty"`  // why refused or unavailable
	Detail  string   `json:"detail,omitempty"`  // for operators
	Lacking []string `json:"lacking,omitempty"` // scopes that it held without

	Explanation string `json:"explanation,omitempty"` // the text that was expected to be signed
}

// TriedCondition is one item of the authorize list.
type TriedCondition struct {
	Condition string `json:"condition"`
	Held      bool   `json:"held"`
	Reason    string `json:"reason,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// TracedDecision is the outcome.
type TracedDecision struct {
	Verdict      string        `json:"verdict"` // "allow", "deny", "shadow_deny"
	Reason       string        `json:"reason"`
	Detail       string        `json:"detail,omitempty"`
	Shadow       bool          `json:"shadow,omitempty"`
	Set          []TracedField `json:"set,omitempty"`
	Remove       []string      `json:"remove,omitempty"`
	RemoveParams []string      `json:"removeParams,omitempty"`
	Challenges   []string      `json:"challenges,omitempty"`
}

// TracedField is a header or a path's parameter.
type TracedField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// maxOthers bounds what a trace says about matches that did not win.
const maxOthers = 20

func newTrace(r *authz.Request) *Trace {
	return &Trace{Method: r.Method, Host: r.Route.Host, Path: r.Route.Path, Loose: r.Route.Loose}
}

// found records the rule. Like every method here it does nothing to a nil Trace, which is that of a plain check.
func (t *Trace) found(f *found, r *authz.Request) {
	if t == nil {
		return
	}
	t.FoundBy, t.Params = f.by, traced(f.params)
	if f.through.route != nil {
		t.Route = f.through.route.String()
	}
	if f.through.match != nil {
		t.RouteMatch = f.through.match.path.String()
	}
	if f.rule != nil {
		t.Policy, t.Rule = f.rule.policy.name, f.rule.name
	}
	if f.match != nil {
		t.Match = f.match.path.String()
	}
	if f.routes == nil {
		return
	}
	p := probe{request: r, method: f.method}
	for i := range f.routes.all {
		if m := &f.routes.all[i]; m != f.match && !m.loose {
			t.Others = append(t.Others, OtherMatch{m.rule.policy.name, m.rule.name, m.path.String(), m.why(&p, f.match)})
		}
	}
	slices.SortStableFunc(t.Others, func(a, b OtherMatch) int { return first(a.Why != "path", b.Why != "path") })
	t.OthersLeft = max(0, len(t.Others)-maxOthers)
	t.Others = t.Others[:len(t.Others)-t.OthersLeft]
}

func traced(fields []authz.Field) []TracedField {
	var out []TracedField
	for _, f := range fields {
		out = append(out, TracedField(f))
	}
	return out
}

// why returns why the match did not win, the winner given, which may be nil.
func (m *match) why(p *probe, winner *match) string {
	if !m.path.matches(p.request.Route.Path) {
		return "path"
	}
	if part, name := m.conflict(p); part != "" {
		return strings.TrimSpace(part + " " + name)
	}
	if winner != nil {
		return "less specific"
	}
	return "not reached"
}

// ambiguous records the credential that could not be told.
func (t *Trace) ambiguous(q *requirement, scheme int, p *proof) {
	if t != nil {
		tried := tried(q, scheme, p)
		t.Ambiguous = &tried
	}
}

// alternative records what came of an alternative.
func (t *Trace) alternative(q *requirement, a *alternative, ps *proofs, v verdict) {
	if t == nil {
		return
	}
	out := TriedAlternative{Held: v.reason.Class() == authz.ClassAllowed, Reason: v.reason.String()}
	for _, term := range a.terms {
		s := tried(q, term.scheme, &ps[term.scheme])
		if p := ps[term.scheme].principal; p != nil {
			s.Lacking = slices.DeleteFunc(slices.Clone(term.scopes), p.Scopes.Has)
		}
		out.Schemes = append(out.Schemes, s)
	}
	t.Alternatives = append(t.Alternatives, out)
}

func tried(q *requirement, scheme int, p *proof) TriedScheme {
	out := TriedScheme{Scheme: q.schemes[scheme].local}
	switch p.state {
	case absent:
		out.Outcome = "absent"
	case presented:
		out.Outcome = "not verified"
	case held:
		out.Outcome = "held"
	case refused:
		reason := refusal(p.err)
		out.Outcome, out.Reason, out.Detail = "refused", reason.String(), p.err.Error()
		if reason.Class() == authz.ClassUnavailable {
			out.Outcome = "unavailable"
		}
		if why, ok := errors.AsType[*authz.Failure](p.err); ok && why.Explanation != nil {
			out.Explanation = why.Explanation.Text
		}
	}
	return out
}

// condition records what came of a condition.
func (t *Trace) condition(c *condition, reason authz.Reason, err error) {
	if t == nil {
		return
	}
	out := TriedCondition{Condition: c.source, Held: reason == authz.ReasonUndecided}
	if !out.Held {
		out.Reason = reason.String()
	}
	if err != nil {
		out.Detail = err.Error()
	}
	t.Conditions = append(t.Conditions, out)
}

// decision records the outcome.
func (t *Trace) decision(d *authz.Decision) {
	m := d.Mutation()
	t.Decision = TracedDecision{
		Verdict: d.Verdict(), Reason: d.Reason.String(), Shadow: d.Shadow,
		Set: traced(m.Set), Remove: m.Remove, RemoveParams: m.RemoveParams, Challenges: d.Challenges,
	}
	if d.Err != nil {
		t.Decision.Detail = d.Err.Error()
	}
	for i := range t.Decision.Set {
		if h := &t.Decision.Set[i]; h.Name == "cookie" {
			h.Value = "(the other cookies)"
		}
	}
}

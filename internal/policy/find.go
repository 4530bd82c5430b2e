package policy

import (
	"errors"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
)

// The route's context_extensions that pick a policy, and a rule of it, directly.
const (
	policyExtension = "postern.dev/policy"
	ruleExtension   = "postern.dev/rule"
)

// How a policy is found, for the trace.
const (
	byHost      = "host"
	byRoute     = "route"
	byExtension = "context extension"
)

// found is the rule for a request.
type found struct {
	rule     *rule
	match    *match // may be nil where the route names the rule
	params   []authz.Field
	reserved *reserved

	// For the trace:
	by      string  // how the policy was found
	routes  *router // what the match was looked for in
	method  string
	through chosen // the Route, which may have no policy
}

var (
	noPolicy      = authz.Fail(authz.ReasonNoPolicy, nil)
	unknownPolicy = authz.Fail(authz.ReasonNoPolicy, errors.New("the route names a policy that does not exist"))
	ruleAlone     = authz.Fail(authz.ReasonNoPolicy, errors.New("the route names a rule and no policy"))
	noRule        = authz.Fail(authz.ReasonNoRule, nil)
	unknownRule   = authz.Fail(authz.ReasonNoRule, errors.New("the route names a rule that its policy does not have"))
	twoRules      = authz.Fail(authz.ReasonAmbiguousPath, errors.New("two readings of the path fall under different rules"))
	twoPolicies   = authz.Fail(authz.ReasonAmbiguousPath, errors.New("two readings of the path fall under routes with different policies"))
	twoParams     = authz.Fail(authz.ReasonAmbiguousPath, errors.New("two readings of the path have different parameters"))
)

// find finds the rule for the request if it had the method. With a failure there may be a rule all the same: the one
// that the strict reading falls under.
func (s *Set) find(r *authz.Request, method string) (found, *authz.Failure) {
	for i := range r.ContextExtensions {
		if name := r.ContextExtensions[i].Name; name == policyExtension || name == ruleExtension {
			return s.named(r, method)
		}
	}
	h := s.hosts.find(r.Route.Host)
	if s.watched && len(r.RouteMetadata) > 0 {
		if f, failure, ok := s.told(h, r, method); ok {
			return f, failure
		}
	}
	if h == nil {
		return found{}, noPolicy
	}
	if h.virtual != nil {
		return s.routed(h, r, method)
	}
	f := found{reserved: h.reserved, rule: h.denied, by: byHost, routes: h.routes, method: method}
	if f.rule != nil {
		return f, nil
	}
	failure := f.route(r, f.routes)
	return f, failure
}

// named finds the rule through the policy that the route names. Its host does not matter.
func (s *Set) named(r *authz.Request, method string) (found, *authz.Failure) {
	name, ruleName := r.ContextExtension(policyExtension), r.ContextExtension(ruleExtension)
	if name == "" {
		return found{}, ruleAlone
	}
	p, ok := s.policies[name]
	if !ok {
		return found{}, unknownPolicy
	}
	f := found{reserved: p.reserved, by: byExtension, routes: p.routes, method: method}
	switch {
	case p.denied != nil:
		f.rule = p.denied
		return f, nil
	case ruleName == "":
		failure := f.route(r, f.routes)
		return f, failure
	}
	if f.rule = p.rule(ruleName); f.rule == nil {
		return f, unknownRule
	}
	if !f.rule.readsParams {
		return f, nil
	}
	f.match = f.routes.of(f.rule, r.Route.Path, false)
	failure := f.capture(r, f.routes.of(f.rule, r.Route.Loose, true))
	return f, failure
}

// route finds the rule by the path, in both readings; loosely says what the loose one is looked for in.
func (f *found) route(r *authz.Request, loosely *router) *authz.Failure {
	p := probe{request: r, method: f.method}
	strict := f.routes.find(&p, r.Route.Path, false)
	loose := strict
	if r.Route.Loose != "" {
		loose = loosely.find(&p, r.Route.Loose, true)
	}
	if strict == nil && loose == nil {
		return noRule
	}
	if strict == nil || loose == nil || strict.rule != loose.rule {
		if strict != nil && loose != nil && strict.rule.shadow && loose.rule.shadow {
			f.rule, f.match = strict.rule, strict
		}
		return twoRules
	}
	f.rule, f.match = strict.rule, strict
	return f.capture(r, loose)
}

// capture reads the path's parameters if an expression of the rule asks for them. They must be the same in both
// readings: a condition on one would say nothing about the other.
func (f *found) capture(r *authz.Request, loose *match) *authz.Failure {
	if !f.rule.readsParams || f.match == nil {
		return nil
	}
	f.params = f.match.path.params(r.Route.Path)
	if r.Route.Loose != "" && (loose == nil || !slices.Equal(f.params, loose.path.params(r.Route.Loose))) {
		return twoParams
	}
	return nil
}

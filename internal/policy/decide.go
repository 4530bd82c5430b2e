package policy

import (
	"context"
	"errors"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/policy/expr"
)

var errBroken = errors.New("the policy has errors and no earlier version without")

// decide decides the request by the rule.
func (f *found) decide(ctx context.Context, r *authz.Request, t *Trace) authz.Decision {
	if f.rule.broken {
		return f.deny(r, verdict{reason: authz.ReasonPolicyInvalid, scheme: -1, err: errBroken}, nil)
	}
	var ps proofs
	v := f.rule.requirement.prove(ctx, r, &ps, t)
	if v.reason.Class() != authz.ClassAllowed {
		return f.deny(r, v, &ps)
	}
	e := evaluation{rule: f.rule, alternative: v.alternative, input: newInput(f, r, v, &ps)}
	if c, reason, err := e.authorize(t); c != nil {
		v.reason, v.err = reason, err
		d := f.deny(r, v, &ps)
		d.Code = c.code
		return d
	}
	m := f.mutation()
	if err := e.setIdentity(&m); err != nil {
		v.reason, v.err = authz.ReasonConditionError, err
		return f.deny(r, v, &ps)
	}
	if !f.rule.shadow { // what an application checks itself, it still must see
		for i := range f.rule.requirement.schemes {
			ps[i].credential.Strip(r, &m)
		}
	}
	return f.describe(f.allow(r, v.reason, m), v, &ps)
}

// evaluation is a caller before the conditions of a rule.
type evaluation struct {
	rule        *rule
	alternative *alternative // the one that held
	input       *expr.Input  // its Principals are in the order of the alternative's terms
}

// newInput makes what expressions see. It escapes to the heap, so it points to nothing that should not.
func newInput(f *found, r *authz.Request, v verdict, ps *proofs) *expr.Input {
	in := &struct {
		expr.Input
		one [1]expr.Caller // room for the usual number of callers
	}{}
	in.Request, in.Params, in.Principals = r, f.params, in.one[:0]
	for _, t := range v.alternative.terms {
		caller := expr.Caller{Scheme: f.rule.requirement.schemes[t.scheme].local, Principal: ps[t.scheme].principal}
		in.Principals = append(in.Principals, caller)
		if t.scheme == v.scheme {
			in.Principal = caller
		}
	}
	return &in.Input
}

// mutation returns an empty one with room for what usually goes in.
func (f *found) mutation() authz.Mutation {
	return authz.Mutation{
		Set:    make([]authz.Header, 0, len(f.rule.identity)),
		Remove: make([]string, 0, len(f.reserved.names)+2),
	}
}

// allow lets the request through. Every way to an allow ends here, so that none forgets the hygiene.
func (f *found) allow(r *authz.Request, reason authz.Reason, m authz.Mutation) authz.Decision {
	f.reserved.clean(r, &m)
	d := authz.Allow(reason, m)
	d.Shadow = f.rule.shadow
	return d
}

// deny refuses the request, or lets it through with the reason where the rule is in Shadow mode.
func (f *found) deny(r *authz.Request, v verdict, ps *proofs) authz.Decision {
	if f.rule.shadow {
		d := f.allow(r, v.reason, f.mutation())
		d.Err = v.err
		return f.describe(d, v, ps)
	}
	d := authz.Deny(v.reason, v.err)
	switch {
	case v.reason == authz.ReasonMissingScope:
		d.Challenges = f.rule.challenges.lacking[v.alternative.index]
	case v.reason.Class() == authz.ClassUnauthenticated:
		c := f.rule.challenges
		d.Challenges, d.ResponseHeaders = c.plain, c.headers
		if v.scheme >= 0 {
			d.Challenges = c.refused[v.scheme]
		}
		if why, ok := errors.AsType[*authz.Failure](v.err); ok {
			d.Explanation = why.Explanation
		}
	}
	return f.describe(d, v, ps)
}

// describe says in the decision what it is about.
func (f *found) describe(d authz.Decision, v verdict, ps *proofs) authz.Decision {
	d.Policy, d.Rule = f.rule.policy.name, f.rule.name
	if v.scheme >= 0 {
		d.Scheme = f.rule.requirement.schemes[v.scheme].Name
		d.Principal = ps[v.scheme].principal
	}
	return d
}

package policy

import (
	"context"
	"iter"

	"github.com/postern-auth/postern/internal/authz"
)

// Set is everything compiled. It is immutable and safe for concurrent use. The zero Set denies everything.
type Set struct {
	hosts    hostIndex
	policies map[string]named // by "namespace/name"
	routes   map[routeName]*namedRoute
	watched  bool // routes are all there are
}

// host is what applies to the hosts of one pattern.
type host struct {
	routes   *router      // the matches of all its policies; nil: no policy names it
	virtual  *virtualHost // its Routes; nil: it has none
	denied   *rule        // not nil: a broken policy denies everything
	reserved *reserved
	pattern  hostPattern
	policies []*policy // the older first
}

// named is a policy for routes that name it.
type named struct {
	*policy
	reserved *reserved
}

// Check decides one request, whose Route must be set. It does not wait for anything but authenticators.
func (s *Set) Check(ctx context.Context, r *authz.Request) authz.Decision {
	return s.decide(ctx, r, nil)
}

// Explain decides one request as Check does, and tells how.
func (s *Set) Explain(ctx context.Context, r *authz.Request) (authz.Decision, *Trace) {
	t := newTrace(r)
	d := s.decide(ctx, r, t)
	t.decision(&d)
	return d, t
}

func (s *Set) decide(ctx context.Context, r *authz.Request, t *Trace) authz.Decision {
	if d, ok := s.preflight(r, t); ok {
		return d
	}
	f, failure := s.find(r, r.Method)
	t.found(&f, r)
	switch {
	case failure == nil:
		return f.decide(ctx, r, t)
	case f.rule != nil:
		return f.deny(r, verdict{reason: failure.Reason, scheme: -1, err: failure.Err}, nil)
	default:
		return authz.Deny(failure.Reason, failure.Err)
	}
}

// Rules lists every rule, each as its policy ("namespace/name") and its own name, in no order.
func (s *Set) Rules() iter.Seq2[string, string] {
	return func(yield func(policy, rule string) bool) {
		for name, p := range s.policies {
			for _, r := range p.rules {
				if !yield(name, r.name) {
					return
				}
			}
		}
	}
}

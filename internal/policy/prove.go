package policy

import (
	"context"
	"errors"

	"github.com/postern-auth/postern/internal/authz"
)

// proof is what one scheme has made of the request so far.
type proof struct {
	state      proofState
	credential authz.Credential
	principal  *authz.Principal // set once held
	err        error            // set once refused
}

type proofState uint8

const (
	absent    proofState = iota // nothing was presented
	presented                   // not verified yet
	held
	refused // or could not be told: see the error
)

// proofs is what the schemes of one requirement have made of one request. It fits on the stack.
type proofs [maxSchemes]proof

// verdict is what a requirement has come to.
type verdict struct {
	reason      authz.Reason
	alternative *alternative // the one that held, or the one that lacked a scope
	scheme      int          // the scheme that gave the principal, or the one that the reason is about; -1: none
	err         error
}

var errNoPrincipal = errors.New("the authenticator returned no principal")

// prove runs the requirement. Its verdict has a reason of ClassAllowed if an alternative held.
func (q *requirement) prove(ctx context.Context, r *authz.Request, ps *proofs, t *Trace) verdict {
	v := verdict{reason: authz.ReasonNoCredential, scheme: -1}
	someone := false
	for i := range q.schemes {
		p := &ps[i]
		p.extract(r, q.schemes[i].Authenticator)
		if p.state == refused && authz.ReasonOf(p.err).Class() == authz.ClassBadRequest {
			t.ambiguous(q, i, p)
			return verdict{reason: authz.ReasonOf(p.err), scheme: i, err: p.err}
		}
		someone = someone || p.state != absent
	}
	for i := range q.alternatives {
		a := &q.alternatives[i]
		got := q.try(ctx, r, a, ps, someone)
		t.alternative(q, a, ps, got)
		if got.reason.Class() == authz.ClassAllowed {
			return got
		}
		if graver(got.reason, v.reason) {
			v = got
		}
	}
	return v
}

// extract asks the scheme for its credential.
func (p *proof) extract(r *authz.Request, a authz.Authenticator) {
	p.credential, p.err = a.Extract(r)
	switch {
	case p.err == nil:
		p.state = presented
	case errors.Is(p.err, authz.ErrNoCredential):
		p.err = nil
	default:
		p.state = refused
	}
}

// verify proves the credential, once a request.
func (p *proof) verify(ctx context.Context, r *authz.Request, a authz.Authenticator) {
	if p.state != presented {
		return
	}
	p.principal, p.err = a.Verify(ctx, r, p.credential)
	if p.err == nil && p.principal == nil {
		p.err = errNoPrincipal
	}
	p.state = held
	if p.err != nil {
		p.principal, p.state = nil, refused
	}
}

// try runs one alternative up to the first term that does not hold. Without the credential for each of its terms
// nothing is verified.
func (q *requirement) try(ctx context.Context, r *authz.Request, a *alternative, ps *proofs, someone bool) verdict {
	if len(a.terms) == 0 {
		if someone {
			return verdict{reason: authz.ReasonNoCredential, scheme: -1}
		}
		return verdict{reason: authz.ReasonAnonymous, alternative: a, scheme: -1}
	}
	for i := range a.terms {
		if ps[a.terms[i].scheme].state == absent {
			return verdict{reason: authz.ReasonNoCredential, scheme: -1}
		}
	}
	for i := range a.terms {
		want := &a.terms[i]
		p := &ps[want.scheme]
		p.verify(ctx, r, q.schemes[want.scheme].Authenticator)
		if p.state != held {
			return verdict{reason: refusal(p.err), scheme: want.scheme, err: p.err}
		}
		if !p.principal.Scopes.HasAll(want.scopes) {
			return verdict{reason: authz.ReasonMissingScope, alternative: a, scheme: want.scheme}
		}
	}
	return verdict{reason: authz.ReasonAuthenticated, alternative: a, scheme: a.principal}
}

// refusal returns the reason that an error carries, never one that allows.
func refusal(err error) authz.Reason {
	reason := authz.ReasonOf(err)
	if reason.Class() == authz.ClassAllowed {
		return authz.ReasonInternal
	}
	return reason
}

// graver reports whether a is the better answer of two denials: what could not be told might have been a yes, and
// somebody known who lacks something learns more than somebody unknown. Of equals the first stays, but any reason
// says more than that nothing was presented.
func graver(a, b authz.Reason) bool {
	if gravity(a) == gravity(b) {
		return b == authz.ReasonNoCredential && a != b
	}
	return gravity(a) > gravity(b)
}

func gravity(r authz.Reason) int {
	switch r.Class() {
	case authz.ClassUnauthenticated:
		return 0
	case authz.ClassTooLarge:
		return 1
	case authz.ClassForbidden:
		return 2
	case authz.ClassBadRequest:
		return 3
	default:
		return 4
	}
}

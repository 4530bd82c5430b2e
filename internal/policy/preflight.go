package policy

import (
	"slices"

	"github.com/postern-auth/postern/internal/authz"
)

// preflight lets a CORS preflight through (Fetch standard, "CORS-preflight request"): a browser sends it before a
// request of another origin, always without credentials. It is one only with Origin and with the method that is to
// follow, each once, and passes only where the rule for that method lists the origin; the rule is found as if the
// request already had that method. Any other OPTIONS request is a request like any other.
func (s *Set) preflight(r *authz.Request, t *Trace) (authz.Decision, bool) {
	if r.Method != "OPTIONS" {
		return authz.Decision{}, false
	}
	origin, origins := r.Header("origin")
	method, methods := r.Header("access-control-request-method")
	if origins != 1 || methods != 1 || !authz.IsToken(method) {
		return authz.Decision{}, false
	}
	f, failure := s.find(r, method)
	if failure != nil || !slices.Contains(f.rule.origins, origin) {
		return authz.Decision{}, false
	}
	t.found(&f, r)
	d := f.allow(r, authz.ReasonPreflight, f.mutation())
	return f.describe(d, verdict{scheme: -1}, nil), true
}

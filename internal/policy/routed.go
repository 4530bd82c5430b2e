package policy

import (
	"cmp"
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// chosen is the Route that one reading of the path falls under. The zero chosen is none.
type chosen struct {
	route *route
	match *match // nil where nothing had to be matched
}

func chosenBy(m *match) chosen {
	if m == nil {
		return chosen{}
	}
	return chosen{m.route.route, m}
}

var (
	finalDot = authz.Fail(authz.ReasonAmbiguousHost,
		errors.New("the host ends in a dot: Envoy takes it for another host than that of the routes, unless it is told to strip the dot"))
	rawPath = authz.Fail(authz.ReasonAmbiguousPath,
		errors.New("the path as it was sent and its canonical form fall under routes with different policies"))
)

// agrees reports whether the same policy, or none, decides for both.
func (c chosen) agrees(o chosen) bool {
	none := new(route)
	return cmp.Or(c.route, none).agrees(cmp.Or(o.route, none))
}

// routed finds the rule through the Route that Envoy chooses among those for the host. Envoy chooses by the request's
// own method, also where the rule is looked for as if it had another, and by the host and the path as they were sent.
func (s *Set) routed(h *host, r *authz.Request, method string) (found, *authz.Failure) {
	name, _, _ := strings.Cut(r.Host, ":") // an address in brackets does not end in a dot
	if strings.HasSuffix(name, ".") && h.virtual.guards {
		return found{reserved: h.reserved, by: byRoute, method: method}, finalDot
	}
	p := probe{request: r, method: r.Method}
	strict := chosenBy(h.virtual.find(&p, r.Route.Path, false))
	if r.Path != r.Route.Path {
		raw := chosenBy(h.virtual.find(&p, r.Path, false))
		if p.doubt == nil && !raw.agrees(strict) {
			return found{reserved: h.reserved, by: byRoute, method: method}, rawPath
		}
	}
	loose := strict
	if r.Route.Loose != "" {
		loose = chosenBy(h.virtual.find(&p, r.Route.Loose, true))
	}
	return s.follow(h, &p, method, strict, loose)
}

// follow finds the rule where the Routes lead that the two readings of the path fall under.
func (s *Set) follow(h *host, p *probe, method string, strict, loose chosen) (found, *authz.Failure) {
	at := s.place(h, strict.route)
	f := found{reserved: at.reserved, by: at.by, routes: at.routes, method: method, through: strict}
	if p.doubt != nil {
		return f, p.doubt
	}
	other := s.place(h, loose.route)
	switch {
	case at != other && (at.routes == nil || other.routes == nil || at.denied != nil || other.denied != nil):
		return f, twoPolicies
	case at.failure != nil:
		return f, at.failure
	case at.denied != nil:
		f.rule = at.denied
		return f, nil
	}
	failure := f.route(p.request, other.routes)
	return f, failure
}

// place is where the rule for a request is looked for: what the first stage leads to.
type place struct {
	by       string
	routes   *router
	denied   *rule          // not nil: a broken policy denies everything
	failure  *authz.Failure // not nil: there is no rule
	reserved *reserved
}

// place returns where a Route leads: to its policy; without a policy, or without a Route, to the policies that name the
// host. Each of h and x may be nil.
func (s *Set) place(h *host, x *route) place {
	switch {
	case x != nil && x.refused != nil:
		return place{by: byRoute, failure: x.refused}
	case x != nil && x.from.Policy != "":
		p, ok := s.policies[x.from.Policy]
		if !ok {
			return place{by: byRoute, failure: routePolicyGone}
		}
		at := place{by: byRoute, routes: p.routes, denied: p.denied, reserved: p.reserved}
		if h != nil && x.serves(h.pattern) {
			at.reserved = h.reserved
		}
		return at
	case h == nil || h.routes == nil && h.denied == nil:
		return place{failure: noPolicy}
	default:
		return place{by: byHost, routes: h.routes, denied: h.denied, reserved: h.reserved}
	}
}

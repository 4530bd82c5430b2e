package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// maxSchemes is how many different schemes one requirement may name.
const maxSchemes = 16

// requirement is a compiled security list: an OR of ANDs.
type requirement struct {
	schemes      []namedScheme // each once; terms refer to them by index
	alternatives []alternative
}

// namedScheme is a scheme by the name that the policy uses.
type namedScheme struct {
	*Scheme
	local string
}

// alternative holds if every term does. Without terms it is anonymous access.
type alternative struct {
	terms     []term
	index     int // in the requirement
	principal int // index of the scheme whose principal is the caller
}

// term is one scheme of an alternative and the scopes that it must prove.
type term struct {
	scheme int
	scopes []string
}

var errTooManySchemes = fmt.Errorf("more than %d different schemes", maxSchemes)

// resolver finds the scheme that a policy names.
type resolver func(name string) (*Scheme, error)

// compileRequirement compiles a security list. Errors are reported with the field inside the list.
func compileRequirement(list []v1alpha1.SecurityRequirement, resolve resolver, fail report) *requirement {
	q := &requirement{}
	if len(list) == 0 {
		fail("", "name schemes; [{}] lets everybody in", errNoSecurity)
	}
	for i, item := range list {
		a := alternative{}
		for _, name := range slices.Sorted(maps.Keys(item)) {
			scheme, err := resolve(name)
			if err != nil {
				fail(fmt.Sprintf("[%d].%s", i, name), "create the AuthScheme or correct the name", err)
				continue
			}
			a.terms = append(a.terms, term{q.index(name, scheme), item[name]})
		}
		if len(a.terms) == len(item) { // never {} out of an item whose schemes are missing
			a.index = len(q.alternatives)
			q.alternatives = append(q.alternatives, a)
		}
	}
	if len(q.schemes) > maxSchemes {
		fail("", "split the rule, or accept fewer schemes", errTooManySchemes)
		return &requirement{}
	}
	q.order()
	return q
}

// index returns the scheme's place, a new one if need be.
func (q *requirement) index(name string, s *Scheme) int {
	i := slices.IndexFunc(q.schemes, func(n namedScheme) bool { return n.local == name })
	if i < 0 {
		i = len(q.schemes)
		q.schemes = append(q.schemes, namedScheme{s, name})
	}
	return i
}

// order sorts the terms. The caller is the first by kind, then name. They are tried in the same order, but signatures
// last: verifying one spends it, which must not be in vain.
func (q *requirement) order() {
	byKind := func(a, b int) int {
		return cmp.Or(cmp.Compare(q.schemes[a].Kind, q.schemes[b].Kind), cmp.Compare(q.schemes[a].local, q.schemes[b].local))
	}
	for i := range q.alternatives {
		a := &q.alternatives[i]
		slices.SortFunc(a.terms, func(x, y term) int { return byKind(x.scheme, y.scheme) })
		if len(a.terms) == 0 {
			continue
		}
		a.principal = a.terms[0].scheme
		slices.SortStableFunc(a.terms, func(x, y term) int {
			return first(q.schemes[x.scheme].Kind != KindSignature, q.schemes[y.scheme].Kind != KindSignature)
		})
	}
}

// scopes returns every scope that the alternative asks for.
func (a *alternative) scopes() authz.Scopes {
	var all []string
	for _, t := range a.terms {
		all = append(all, t.scopes...)
	}
	return authz.NewScopes(all...)
}

package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unique"

	"github.com/postern-auth/postern/internal/policy/expr"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// shared holds what policies compiled together have in common. Policies of one house look alike; what compiles to the
// same thing is held once, so that thousands of them take little memory and what a check reads of them is mostly in the
// processor's cache already.
type shared struct {
	requirements map[string]*requirement
	identities   map[string][]identityHeader
	paths        map[v1alpha1.PathMatch]pathPattern
	methods      map[string][]string
}

func newShared() *shared {
	return &shared{
		make(map[string]*requirement), make(map[string][]identityHeader),
		make(map[v1alpha1.PathMatch]pathPattern), make(map[string][]string),
	}
}

// requirement compiles a security list, or returns one compiled before from the same schemes and scopes.
func (s *shared) requirement(list []v1alpha1.SecurityRequirement, resolve resolver, fail report) *requirement {
	var key strings.Builder
	for _, item := range list {
		key.WriteString("|")
		for _, name := range slices.Sorted(maps.Keys(item)) {
			scheme, err := resolve(name)
			if err != nil {
				return compileRequirement(list, resolve, fail) // says what is wrong
			}
			fmt.Fprintf(&key, "%p %q %q,", scheme, name, item[name])
		}
	}
	q := s.requirements[key.String()]
	if q == nil {
		failed := false
		q = compileRequirement(list, resolve, func(field, remedy string, err error) {
			failed = true
			fail(field, remedy, err)
		})
		if !failed {
			s.requirements[key.String()] = q
		}
	}
	return q
}

// identity compiles a list of identity headers, or returns the same list compiled before.
func (s *shared) identity(
	list []v1alpha1.IdentityHeader, compile func(string) (*expr.Value, error), fail report,
) []identityHeader {
	key := fmt.Sprintf("%q", list)
	if headers := s.identities[key]; headers != nil {
		return headers
	}
	headers := compileIdentity(list, compile, fail)
	if len(headers) == len(list) {
		s.identities[key] = headers
	}
	return headers
}

// path compiles a path match, or returns the same one compiled before.
func (s *shared) path(in *v1alpha1.PathMatch) (pathPattern, string, error) {
	if in == nil {
		return compilePath(nil)
	}
	if p, ok := s.paths[*in]; ok {
		return p, "", nil
	}
	p, field, err := compilePath(in)
	if err == nil {
		s.paths[*in] = p
	}
	return p, field, err
}

// methodSet returns the methods sorted, each once.
func (s *shared) methodSet(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	set := slices.Compact(slices.Sorted(slices.Values(list)))
	key := strings.Join(set, " ")
	if s.methods[key] == nil {
		s.methods[key] = set
	}
	return s.methods[key]
}

// one returns the text in the one place where all equal texts are kept.
func one(text string) string { return unique.Make(text).Value() }

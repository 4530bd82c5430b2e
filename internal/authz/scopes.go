package authz

import (
	"iter"
	"slices"
	"strings"
	"unique"
)

// Scopes is a set of scopes (RFC 6749 section 3.3). The zero value is empty. A million keys have few different sets
// between them, so a set is its text, and equal sets share it.
type Scopes struct {
	text unique.Handle[string] // sorted, without repeats, separated by spaces; zero: there are none
}

// NewScopes makes a set of the names. What is no scope, for it is empty or holds a space, grants nothing: it is left out.
func NewScopes(names ...string) Scopes {
	list := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" || strings.Contains(s, " ") })
	if len(list) == 0 {
		return Scopes{}
	}
	slices.Sort(list)
	return Scopes{unique.Make(strings.Join(slices.Compact(list), " "))}
}

// All yields the scopes in order.
func (s Scopes) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest, more := s.String(), s != (Scopes{}); more; {
			var scope string
			scope, rest, more = strings.Cut(rest, " ")
			if !yield(scope) {
				return
			}
		}
	}
}

// Has reports whether the set holds name.
func (s Scopes) Has(name string) bool {
	for scope := range s.All() {
		if scope == name {
			return true
		}
	}
	return false
}

// HasAll reports whether the set holds every name.
func (s Scopes) HasAll(names []string) bool {
	for _, n := range names {
		if !s.Has(n) {
			return false
		}
	}
	return true
}

// Only returns those of the set that are among names.
func (s Scopes) Only(names []string) Scopes {
	all := s.List()
	left := slices.DeleteFunc(all, func(scope string) bool { return !slices.Contains(names, scope) })
	if len(left) == len(all) {
		return s
	}
	return NewScopes(left...)
}

// List returns the scopes in order; nil if there are none.
func (s Scopes) List() []string {
	if s == (Scopes{}) {
		return nil
	}
	return strings.Split(s.String(), " ")
}

// String returns the scopes separated by spaces, the form of OAuth's scope parameter (RFC 6749 section 3.3).
func (s Scopes) String() string {
	if s == (Scopes{}) {
		return ""
	}
	return s.text.Value()
}

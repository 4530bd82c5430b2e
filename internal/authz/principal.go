package authz

import (
	"slices"
	"strings"
)

// Principal is a verified caller. It is immutable once made and may be shared by caches and requests.
type Principal struct {
	Subject    string            // "app:shop/acme", or a token's subject
	App        string            // "namespace/name" of the App, or a token's client; may be empty
	KeyID      string            // public name of the credential; may be empty
	Scopes     Scopes            //
	Claims     map[string]any    // a token's claims as decoded JSON; nil for other schemes
	Attributes map[string]string // the App's attributes
	Labels     map[string]string // the App's labels
}

// Scopes is a set of scopes: sorted, without repeats. The zero value is empty.
type Scopes struct {
	list []string
	text string
}

// NewScopes makes a set of the names. Empty names are dropped.
func NewScopes(names ...string) Scopes {
	list := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	slices.Sort(list)
	list = slices.Compact(list)
	return Scopes{list: list, text: strings.Join(list, " ")}
}

// Has reports whether the set holds name.
func (s Scopes) Has(name string) bool { return slices.Contains(s.list, name) }

// HasAll reports whether the set holds every name.
func (s Scopes) HasAll(names []string) bool {
	for _, n := range names {
		if !s.Has(n) {
			return false
		}
	}
	return true
}

// Intersect returns the scopes in both sets: s itself where nothing is left out.
func (s Scopes) Intersect(o Scopes) Scopes {
	if o.HasAll(s.list) {
		return s
	}
	var both []string
	for _, n := range s.list {
		if o.Has(n) {
			both = append(both, n)
		}
	}
	return NewScopes(both...)
}

// List returns the scopes in order. It must not be changed.
func (s Scopes) List() []string { return s.list }

// String returns the scopes separated by spaces, the form of OAuth's scope parameter (RFC 6749 section 3.3).
func (s Scopes) String() string { return s.text }

package authz

import (
	"slices"
	"strings"
)

// Mutation is how an allowed request changes on its way to the upstream.
//
// Envoy removes headers after setting them, so a name must not stand in both lists; the methods keep to that:
// what is set is no longer removed, and a removal of a name that is set is dropped. They change the slices in place,
// so a Mutation owns its slices: one that starts from prepared ones copies them first.
type Mutation struct {
	Set          []Header // overwrite if present, add if not
	Remove       []string // header names as the request spells them
	RemoveParams []string // query parameter names as the request spells them
}

// SetHeader sets a header upstream. The name must be in lower case.
func (m *Mutation) SetHeader(name, value string) {
	for i := range m.Remove {
		if m.Remove[i] == name {
			m.Remove = append(m.Remove[:i], m.Remove[i+1:]...)
			break
		}
	}
	for i := range m.Set {
		if m.Set[i].Name == name {
			m.Set[i].Value = value
			return
		}
	}
	m.Set = append(m.Set, Header{name, value})
}

// RemoveHeader removes a header upstream, unless it is set. The name must be in lower case.
func (m *Mutation) RemoveHeader(name string) {
	for i := range m.Set {
		if m.Set[i].Name == name {
			return
		}
	}
	if !slices.Contains(m.Remove, name) {
		m.Remove = append(m.Remove, name)
	}
}

// RemoveParam removes every query parameter of that name, spelled as the request spells it.
func (m *Mutation) RemoveParam(name string) {
	if !slices.Contains(m.RemoveParams, name) {
		m.RemoveParams = append(m.RemoveParams, name)
	}
}

// dropCookie takes one cookie out of the Cookie field, which becomes one field; without any cookie left it goes.
func (m *Mutation) dropCookie(r *Request, name string) {
	if slices.Contains(m.Remove, "cookie") {
		return // nothing was left of it when another cookie was dropped
	}
	for i := range m.Set {
		if m.Set[i].Name == "cookie" { // another cookie was dropped before
			r = &Request{Headers: []Header{m.Set[i]}}
			m.Set = slices.Delete(m.Set, i, i+1)
			break
		}
	}
	var kept []string
	_ = eachCookie(r, func(pair, n, _ string) error {
		if n != name && pair != "" {
			kept = append(kept, pair)
		}
		return nil
	})
	if len(kept) == 0 {
		m.RemoveHeader("cookie")
		return
	}
	m.SetHeader("cookie", strings.Join(kept, "; "))
}

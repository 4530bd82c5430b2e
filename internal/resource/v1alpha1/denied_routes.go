package v1alpha1

import "slices"

// routes returns what of a broken policy is needed to deny its routes, nil if not even a host or a target could
// be read. What cannot be relied on is left out, so that more is denied than was meant, never less.
func (p *AuthPolicy) routes() *AuthPolicy {
	out := &AuthPolicy{TypeMeta: p.TypeMeta, ObjectMeta: p.ObjectMeta}
	for _, h := range p.Spec.Hosts {
		c := p.checker()
		if host := c.host("", h); host != "" && !slices.Contains(out.Spec.Hosts, host) {
			out.Spec.Hosts = append(out.Spec.Hosts, host)
		}
	}
	for i := range p.Spec.TargetRefs {
		c := p.checker()
		if c.targetRef("", &p.Spec.TargetRefs[i]); len(c.errs) == 0 {
			out.Spec.TargetRefs = append(out.Spec.TargetRefs, p.Spec.TargetRefs[i])
		}
	}
	if out.Spec.Hosts == nil && out.Spec.TargetRefs == nil {
		return nil
	}
	for i := range p.Spec.Rules {
		r := Rule{Name: p.Spec.Rules[i].Name}
		for _, m := range p.Spec.Rules[i].Match {
			m = p.reliable(m)
			if m.Path == nil && len(m.Methods) == 0 && len(m.Headers) == 0 && len(m.Sources) == 0 {
				r.Match = nil // one of the alternatives is every request
				break
			}
			r.Match = append(r.Match, m)
		}
		out.Spec.Rules = append(out.Spec.Rules, r)
	}
	return out
}

// reliable returns the conditions of the match that are valid.
func (p *AuthPolicy) reliable(m Match) Match {
	var out Match
	if c := p.checker(); m.Path != nil {
		if c.pathMatch("", m.Path); len(c.errs) == 0 {
			out.Path = m.Path
		}
	}
	c := p.checker()
	if c.methods("", m.Methods); len(c.errs) == 0 {
		out.Methods = m.Methods
	}
	c = p.checker()
	// A value that could not be read looks like an empty one.
	unread := slices.ContainsFunc(m.Headers, func(h HeaderMatch) bool { return h.Value == "" })
	if c.headerMatches("", m.Headers); len(c.errs) == 0 && !unread {
		out.Headers = m.Headers
	}
	c = p.checker()
	if c.sources("", m.Sources); len(c.errs) == 0 {
		out.Sources = m.Sources
	}
	return out
}

func (p *AuthPolicy) checker() *checker {
	return &checker{kind: KindAuthPolicy, meta: &p.ObjectMeta}
}

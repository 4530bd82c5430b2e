package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// HostGrant lets the policies of a namespace name hosts: those listed, and what the wildcards among them cover.
type HostGrant struct {
	Namespace string
	Hosts     []string
}

// grants is the hosts that each namespace may name; nil: every namespace every host.
type grants map[string][]hostPattern

func newGrants(list []HostGrant) grants {
	if len(list) == 0 {
		return nil
	}
	g := make(grants)
	for _, grant := range list {
		for _, text := range grant.Hosts {
			if h, err := parseHost(text); err == nil { // one that cannot be read grants nothing
				g[grant.Namespace] = append(g[grant.Namespace], h)
			}
		}
	}
	return g
}

func (g grants) allow(namespace string, h hostPattern) bool {
	return g == nil || slices.ContainsFunc(g[namespace], func(granted hostPattern) bool { return granted.covers(h) })
}

// place puts policies, the older first, on the hosts that they were granted. It returns the hosts in the order in which
// policies name them, so that nothing depends on a map's order.
func (c *Compiler) place(policies []*policy, granted grants) (order []hostPattern, byHost map[hostPattern][]*policy, errs []*v1alpha1.Error) {
	byHost = make(map[hostPattern][]*policy, len(policies))
	for _, p := range policies {
		for _, h := range p.hosts {
			if !granted.allow(p.namespace, h) {
				errs = append(errs, c.refuse(p, h))
				continue
			}
			if byHost[h] == nil {
				order = append(order, h)
			}
			byHost[h] = append(byHost[h], p)
		}
	}
	return order, byHost, errs
}

// assemble makes the Set of policies, the older first.
func (c *Compiler) assemble(policies []*policy, in *Input) (*Set, []*v1alpha1.Error) {
	order, byHost, errs := c.place(policies, newGrants(in.HostGrants))
	routes := c.routes(in)
	virtual := c.virtualHosts(routes)
	names := c.reserve(policies, byHost, virtual)
	set := &Set{
		hosts: make(hostIndex, len(byHost)+len(virtual)), policies: make(map[string]named, len(policies)),
		routes: c.namedRoutes(), watched: in.RoutesWatched,
	}
	clean := make(map[hostPattern]*host, len(byHost)) // hosts without conflicts
	reported := make(map[*match]bool)
	for _, pattern := range order {
		h := &host{pattern: pattern, policies: byHost[pattern], reserved: names.on(pattern)}
		set.hosts[pattern] = h
		if old := c.hosts[pattern]; old != nil && slices.Equal(old.policies, h.policies) {
			h.routes, h.denied, clean[pattern] = old.routes, old.denied, h
			continue
		}
		conflicts := h.route()
		for _, twice := range conflicts {
			if !twice.second.loose && !reported[twice.second] {
				reported[twice.second] = true
				errs = append(errs, c.conflicted(h, twice))
			}
		}
		if len(conflicts) == 0 {
			clean[pattern] = h
		}
	}
	c.hosts = clean
	set.hosts.join(virtual, names)
	for _, p := range policies {
		set.policies[p.name] = named{p, names.of(p)}
	}
	return set, append(errs, c.refused(routes)...)
}

// conflict is two matches that hold for the same requests. The first stays.
type conflict struct{ first, second *match }

// route makes the host's router of its policies' matches.
func (h *host) route() []conflict {
	var matches []*match
	for _, p := range h.policies {
		switch {
		case !p.denyHosts:
			matches = append(matches, p.matches...)
		case h.denied == nil:
			h.denied = p.denied
		}
	}
	slices.SortFunc(matches, (*match).compare)
	seen := make(map[string]*match, len(matches))
	var conflicts []conflict
	matches = slices.DeleteFunc(matches, func(m *match) bool {
		key := m.key()
		if seen[key] == nil {
			seen[key] = m
			return false
		}
		conflicts = append(conflicts, conflict{seen[key], m})
		return true
	})
	if len(h.policies) == 1 && len(conflicts) == 0 {
		h.routes = h.policies[0].routes
	} else {
		h.routes = newRouter(matches)
	}
	return conflicts
}

func (c *Compiler) conflicted(h *host, twice conflict) *v1alpha1.Error {
	winner, loser := twice.first.rule, twice.second.rule
	whose := "policy " + winner.policy.name + ", which is older,"
	if winner.policy == loser.policy {
		whose = "the same policy"
	}
	doc := c.states[loser.policy.name].from
	e := doc.Origin.Errorf(doc.object(), twice.second.field, "change one of them or remove it",
		"Conflicted: on %s, rule %s of %s has the same match; this one is ignored", h.pattern, winner.name, whose)
	e.Reason = v1alpha1.ReasonConflicted
	return e
}

func (c *Compiler) refuse(p *policy, h hostPattern) *v1alpha1.Error {
	doc := c.states[p.name].from
	field := "spec.hosts"
	for i, text := range doc.Policy.Spec.Hosts {
		if got, err := parseHost(text); err == nil && got == h {
			field = "spec.hosts[" + strconv.Itoa(i) + "]"
			break
		}
	}
	e := doc.Origin.Errorf(doc.object(), field, "grant it under hostGrants in the configuration, or name another host",
		"namespace %s was not granted the host %s; the policy does not apply to it", p.namespace, h)
	e.Reason = v1alpha1.ReasonNotGranted
	return e
}

// refused says which routes deny: those whose matches could not be read, and those with a policy whose namespace was not
// granted their hosts.
func (c *Compiler) refused(routes []*route) (errs []*v1alpha1.Error) {
	for _, x := range routes {
		if x.denied != nil {
			errs = append(errs, &v1alpha1.Error{
				Object: x.from.Object(), Field: "spec.rules[" + strconv.Itoa(x.from.Rule) + "].matches",
				Message: x.unread.Error() + "; requests that may be meant are denied",
				Remedy:  "write what Postern can read",
			})
		}
		s := c.states[x.from.Policy]
		if s == nil || x.refused == nil {
			continue
		}
		e := s.from.Origin.Errorf(s.from.object(), "spec.targetRefs", "grant them under hostGrants in the configuration, or attach it elsewhere",
			"the policy's namespace was not granted all hosts of %s (%s), which denies every request", x.from.Object(), strings.Join(x.from.Hosts, ", "))
		e.Reason = v1alpha1.ReasonNotGranted
		errs = append(errs, e)
	}
	return errs
}

func compareErrors(a, b *v1alpha1.Error) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Object, b.Object),
		cmp.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
}

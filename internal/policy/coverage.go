package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Coverage says what decides the requests of a Route.
type Coverage struct {
	Route *v1alpha1.Route // not to be changed
	Cover Cover
	// Policies are those that cover it, "namespace/name": the one that is attached, or those that name its hosts.
	Policies []string
}

// Cover is how a Route is covered.
type Cover string

const (
	// CoverAttached says that a policy is attached to the Route. Whether its rules fit every request of the Route does
	// not matter: it is the policy that refuses the others.
	CoverAttached Cover = "attached"
	// CoverHost says that no policy is attached, and that on each of the Route's hosts the policies that name it have a
	// rule for every request, one without a condition. A wildcard is covered if that is so for every host below it that
	// has policies of its own.
	CoverHost Cover = "host"
	// CoverDenied says that requests that fit are refused for a reason that is reported as an error: the Route cannot be
	// read, or the policy attached to it is not there or not granted its hosts.
	CoverDenied Cover = "denied"
	// CoverNone says that there are requests of the Route that no policy says anything about. They are refused.
	CoverNone Cover = "uncovered"
)

// Coverage lists the Routes by kind, namespace and name, with what covers each. A rule is there once for each of its
// Routes, and not at all if it only redirects.
func (s *Set) Coverage() []Coverage {
	names := slices.SortedFunc(maps.Keys(s.routes), func(a, b routeName) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	all := make([]Coverage, 0, len(names))
	hosts := wholeHosts{index: s.hosts}
	for _, name := range names {
		for _, x := range s.routes[name].rules {
			if !x.guardsNothing() {
				all = append(all, s.cover(x, &hosts))
			}
		}
	}
	return all
}

func (s *Set) cover(x *route, hosts *wholeHosts) Coverage {
	c := Coverage{Route: &x.from, Cover: CoverNone}
	_, known := s.policies[x.from.Policy]
	switch {
	case x.denied != nil || x.refused != nil || x.from.Policy != "" && !known:
		c.Cover = CoverDenied
	case x.from.Policy != "":
		c.Cover, c.Policies = CoverAttached, []string{x.from.Policy}
	case !slices.ContainsFunc(x.hosts, func(h hostPattern) bool { return !hosts.has(h) }):
		c.Cover = CoverHost
		for _, h := range x.hosts {
			for _, p := range covering(s.hosts, h).policies {
				c.Policies = append(c.Policies, p.name)
			}
		}
		slices.Sort(c.Policies)
		c.Policies = slices.Compact(c.Policies)
	}
	return c
}

// wholeHosts knows the patterns for all of whose requests the policies that name hosts have a rule.
type wholeHosts struct {
	index hostIndex
	gaps  map[hostPattern]bool // the wildcards that cover a pattern of the index that is not whole; nil: not known yet
}

func (w *wholeHosts) has(pattern hostPattern) bool {
	h := covering(w.index, pattern)
	if h == nil || !h.whole() {
		return false
	}
	if !pattern.wildcard {
		return true
	}
	if w.gaps == nil {
		w.gaps = make(map[hostPattern]bool)
		for p, h := range w.index {
			if h.whole() {
				continue
			}
			for wider := range wildcards(p.name) {
				w.gaps[wider] = true
			}
		}
	}
	return !w.gaps[pattern]
}

// whole reports whether some rule fits every request for the host.
func (h *host) whole() bool {
	return h.denied != nil || h.routes != nil && slices.ContainsFunc(h.routes.all, func(m match) bool {
		every := m.path.kind == pathAny || m.path.kind == pathPrefix && m.path.text == "/"
		return every && !m.loose && len(m.methods)+len(m.headers)+len(m.sources) == 0
	})
}

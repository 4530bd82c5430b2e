package attach

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// slot is a place for one policy: a Gateway or route, or a section of it.
type slot struct {
	object
	section string // a listener or a rule; empty: all of the object
}

// String returns the slot as messages name it: "rule read of HTTPRoute shop/orders".
func (s slot) String() string {
	switch {
	case s.section == "":
		return s.object.String()
	case s.kind == v1alpha1.KindGateway:
		return "listener " + s.section + " of " + s.object.String()
	default:
		return "rule " + s.section + " of " + s.object.String()
	}
}

// claim is a targetRef of a policy. If it is accepted, the policy holds its slot.
type claim struct {
	Target
	slot slot

	inForce bool            // for some request
	lostTo  map[string]bool // policies of more specific slots that are in force for requests that it could have been for
	unclear map[string]bool // hosts on which listeners do not agree
}

// claims are those of all policies, and the slots that they hold.
type claims struct {
	all   []*claim
	slots map[slot]*claim
	holds map[object]map[string]bool // policies in force for routes
}

// newClaims settles which policy holds which slot.
func newClaims(in *Input, routes []*route) *claims {
	c := &claims{slots: make(map[slot]*claim, len(in.Policies)), holds: make(map[object]map[string]bool)}
	sections, granted := newSections(in, routes), newGrants(in.Grants)
	policies := slices.SortedFunc(slices.Values(in.Policies), older)
	for _, p := range policies {
		for _, ref := range p.Spec.TargetRefs {
			ref.Group = cmp.Or(ref.Group, v1alpha1.GatewayGroup)
			ref.Namespace = cmp.Or(ref.Namespace, p.Namespace)
			one := &claim{
				Target: Target{Policy: p.Namespace + "/" + p.Name, Ref: ref},
				slot:   slot{object{ref.Kind, ref.Namespace, ref.Name}, ref.SectionName},
			}
			one.Reason, one.Message = c.judge(one, p.Namespace, sections, granted)
			if one.Reason == v1alpha1.ReasonAccepted {
				c.slots[one.slot] = one
			}
			c.all = append(c.all, one)
		}
	}
	slices.SortStableFunc(c.all, func(a, b *claim) int { return strings.Compare(a.Policy, b.Policy) })
	return c
}

// older orders policies, the older first, then by namespace and name.
func older(a, b *v1alpha1.AuthPolicy) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// judge says whether the claim holds its slot, the older claims having been judged. What was not granted is not told
// apart from what is not there: nobody learns the names in another namespace.
func (c *claims) judge(one *claim, namespace string, known sections, granted grants) (v1alpha1.Reason, string) {
	at, target := one.slot, one.slot.object
	if one.Ref.Group != v1alpha1.GatewayGroup || !attachable(target.kind) {
		return v1alpha1.ReasonInvalid, fmt.Sprintf("a policy cannot be attached to %s of group %s; name a Gateway, HTTPRoute or GRPCRoute",
			target, one.Ref.Group)
	}
	if !granted.allow(namespace, target) {
		return v1alpha1.ReasonNotGranted, fmt.Sprintf("namespace %s does not let policies of namespace %s be attached to %s; create a "+
			"ReferenceGrant in it, from kind %s of group %s in namespace %s to kind %s of group %s",
			target.namespace, namespace, target, v1alpha1.KindAuthPolicy, v1alpha1.Group, namespace, target.kind, v1alpha1.GatewayGroup)
	}
	names, found := known[target]
	switch {
	case !found:
		return v1alpha1.ReasonTargetNotFound, fmt.Sprintf("there is no %s; create it or correct the name", target)
	case at.section != "" && !slices.Contains(names, at.section):
		return v1alpha1.ReasonTargetNotFound, fmt.Sprintf("there is no %s; correct sectionName or leave it out for all of it", at)
	}
	if other := c.slots[at]; other != nil && other.Policy != one.Policy {
		return v1alpha1.ReasonConflicted, fmt.Sprintf("AuthPolicy %s, which is older or first by name, is attached to %s; remove one of them",
			other.Policy, at)
	}
	return v1alpha1.ReasonAccepted, ""
}

func attachable(kind string) bool {
	return kind == v1alpha1.KindGateway || kind == v1alpha1.KindHTTPRoute || kind == v1alpha1.KindGRPCRoute
}

// sections are the names of the listeners or rules of each Gateway and route.
type sections map[object][]string

func newSections(in *Input, routes []*route) sections {
	s := make(sections, len(in.Gateways)+len(routes))
	for _, g := range in.Gateways {
		names := make([]string, len(g.Spec.Listeners))
		for i := range g.Spec.Listeners {
			names[i] = string(g.Spec.Listeners[i].Name)
		}
		s[object{v1alpha1.KindGateway, g.Namespace, g.Name}] = names
	}
	for _, r := range routes {
		names := make([]string, len(r.rules))
		for i := range r.rules {
			names[i] = r.rules[i].name
		}
		s[r.object] = names
	}
	return s
}

// chain returns the claims on a rule of a route that a listener serves, the most specific first.
func (c *claims) chain(r *route, rule string, l *listener) []*claim {
	var chain []*claim
	for _, s := range [...]slot{{r.object, rule}, {r.object, ""}, {l.gateway, l.name}, {l.gateway, ""}} {
		one := c.slots[s]
		if one != nil && !slices.Contains(chain, one) {
			chain = append(chain, one)
		}
	}
	return chain
}

// settle returns the claim in force for a rule of a route that a listener serves, nil if there is none, and notes who
// lost to it.
func (c *claims) settle(r *route, rule string, l *listener) *claim {
	chain := c.chain(r, rule, l)
	if len(chain) == 0 {
		return nil
	}
	winner := chain[0]
	winner.inForce = true
	for _, loser := range chain[1:] {
		if loser.Policy == winner.Policy {
			loser.inForce = true
			continue
		}
		note(&loser.lostTo, winner.Policy)
	}
	if c.holds[r.object] == nil {
		c.holds[r.object] = make(map[string]bool, 1)
	}
	c.holds[r.object][winner.Policy] = true
	return winner
}

func note(set *map[string]bool, name string) {
	if *set == nil {
		*set = make(map[string]bool, 1)
	}
	(*set)[name] = true
}

// verdicts says what became of each claim, once all routes are attached.
func (c *claims) verdicts() []Target {
	targets := make([]Target, 0, len(c.all))
	for _, one := range c.all {
		if one.Reason == v1alpha1.ReasonAccepted {
			one.conclude()
		}
		targets = append(targets, one.Target)
	}
	return targets
}

// conclude says what an accepted claim is in force for.
func (one *claim) conclude() {
	overriding := slices.Sorted(maps.Keys(one.lostTo))
	switch {
	case one.inForce:
		one.Message = "the policy holds for " + one.slot.String()
		if len(overriding) > 0 {
			one.Message += ", where no more specific policy does: " + some(overriding)
		}
	case len(overriding) > 0:
		one.OverriddenBy = overriding
		one.Message = fmt.Sprintf("more specific policies take its place on all of %s: %s", one.slot, some(overriding))
	default:
		one.Message = fmt.Sprintf("the policy is attached to %s, which serves no request yet: no listener of a Gateway and rule of a route "+
			"fit together", one.slot)
	}
	if len(one.unclear) > 0 {
		one.Message += fmt.Sprintf("; requests for %s are refused, since listeners that a request does not tell apart serve one route "+
			"there under different policies: attach one policy to the route, or the route to one listener",
			some(slices.Sorted(maps.Keys(one.unclear))))
	}
}

// some lists the first of many names.
func some(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// affected lists the routes that a policy is in force for, and what policies are attached to without being overridden.
func (c *claims) affected() []Affected {
	for _, one := range c.all {
		if one.Reason == v1alpha1.ReasonAccepted && len(one.OverriddenBy) == 0 {
			set := c.holds[one.slot.object]
			note(&set, one.Policy)
			c.holds[one.slot.object] = set
		}
	}
	list := make([]Affected, 0, len(c.holds))
	for _, o := range slices.SortedFunc(maps.Keys(c.holds), object.compare) {
		list = append(list, Affected{Kind: o.kind, Namespace: o.namespace, Name: o.name, Policies: slices.Sorted(maps.Keys(c.holds[o]))})
	}
	return list
}

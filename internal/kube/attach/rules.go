package attach

import (
	"cmp"
	"slices"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// share is the listeners that serve a rule of a route on the same hosts under the same policy.
type share struct {
	policy    string
	hosts     []string
	listeners []string
}

// attach makes Routes of the route's rules on the listeners that serve it.
func (c *claims) attach(r *route, places []place) []v1alpha1.Route {
	var out []v1alpha1.Route
	for i := range r.rules {
		rule := &r.rules[i]
		for _, s := range c.shares(r, rule.name, places) {
			one := v1alpha1.Route{
				Kind: r.kind, Namespace: r.namespace, Name: r.name, Created: r.created, Rule: i, Section: rule.name,
				Hosts: s.hosts, Listeners: s.listeners, Policy: s.policy, Redirects: rule.redirects,
			}
			if len(rule.matches) > 0 {
				one.Matches = rule.matches
				out = append(out, one)
			}
			if len(rule.unread) > 0 {
				one.Matches, one.Denied = rule.unread, rule.why
				out = append(out, one)
			}
		}
	}
	return out
}

// shares sorts the places by what a rule is served with there.
func (c *claims) shares(r *route, rule string, places []place) []share {
	var shares []share
	winners := make([]*claim, len(places))
	for i, p := range places {
		winners[i] = c.settle(r, rule, p.listener)
		policy := ""
		if winners[i] != nil {
			policy = winners[i].Policy
		}
		at := slices.IndexFunc(shares, func(s share) bool { return s.policy == policy && slices.Equal(s.hosts, p.hosts) })
		if at < 0 {
			at = len(shares)
			shares = append(shares, share{policy: policy, hosts: p.hosts})
		}
		shares[at].listeners = append(shares[at].listeners, p.envoy)
	}
	if len(shares) > 1 {
		noteUnclear(places, winners)
		slices.SortFunc(shares, func(a, b share) int { return cmp.Or(slices.Compare(a.hosts, b.hosts), cmp.Compare(a.policy, b.policy)) })
	}
	return shares
}

// noteUnclear notes with each policy the hosts on which another one, or none, holds for the same rule on another
// listener.
func noteUnclear(places []place, winners []*claim) {
	policies := make(map[string]string)
	unclear := make(map[string]bool)
	for i, p := range places {
		policy := ""
		if winners[i] != nil {
			policy = winners[i].Policy
		}
		for _, h := range p.hosts {
			if other, ok := policies[h]; ok && other != policy {
				unclear[h] = true
			}
			policies[h] = policy
		}
	}
	for i, p := range places {
		for _, h := range p.hosts {
			if winners[i] != nil && unclear[h] {
				note(&winners[i].unclear, h)
			}
		}
	}
}

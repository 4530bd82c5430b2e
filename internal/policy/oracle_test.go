package policy

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// oracle decides as the specification says, naively: from the objects as they are written, with none of the compiled
// forms. It knows the schemes of the properties' stubs, which it believes as they do.
type oracle struct {
	policies []*v1alpha1.AuthPolicy
	schemes  map[string]*Scheme
}

// candidate is a match of some policy that fits a request.
type candidate struct {
	policy *v1alpha1.AuthPolicy
	rule   *v1alpha1.Rule
	match  *v1alpha1.Match // nil: every request
	order  int
	broken bool
}

// answer is what the oracle and a Decision are compared by.
type answer struct {
	Allowed      bool
	Reason       authz.Reason
	Policy, Rule string
}

func (o *oracle) decide(r *authz.Request) answer {
	var covering []string
	for _, p := range o.policies {
		for _, h := range p.Spec.Hosts {
			if o.covers(h, r.Route.Host) {
				covering = append(covering, h)
			}
		}
	}
	if len(covering) == 0 {
		return answer{Reason: authz.ReasonNoPolicy}
	}
	best := slices.MaxFunc(covering, func(a, b string) int {
		if exact := strings.HasPrefix(b, "*"); exact != strings.HasPrefix(a, "*") {
			if exact {
				return 1
			}
			return -1
		}
		return len(a) - len(b)
	})
	strict := o.winner(best, r, r.Route.Path, false)
	loose := strict
	if r.Route.Loose != "" {
		loose = o.winner(best, r, r.Route.Loose, true)
	}
	return o.settle(r, strict, loose)
}

// settle decides by the rules that the two readings of the path fall under.
func (o *oracle) settle(r *authz.Request, strict, loose *candidate) answer {
	switch {
	case strict == nil && loose == nil:
		return answer{Reason: authz.ReasonNoRule}
	case strict == nil || loose == nil || strict.rule != loose.rule:
		return answer{Reason: authz.ReasonAmbiguousPath}
	}
	a := answer{Policy: strict.policy.Namespace + "/" + strict.policy.Name, Rule: strict.rule.Name}
	if strict.broken {
		a.Reason = authz.ReasonPolicyInvalid
		return a
	}
	security := strict.rule.Security
	if security == nil {
		security = strict.policy.Spec.Security
	}
	a.Reason = o.requirement(security, strict.policy.Namespace, r)
	a.Allowed = a.Reason == authz.ReasonAuthenticated || a.Reason == authz.ReasonAnonymous
	return a
}

func (o *oracle) covers(pattern, host string) bool {
	labels, want := strings.Split(host, "."), strings.Split(pattern, ".")
	if want[0] != "*" {
		return slices.Equal(labels, want)
	}
	want = want[1:]
	return len(labels) > len(want) && slices.Equal(labels[len(labels)-len(want):], want)
}

// winner returns the best of all matches that fit, by comparing each with each.
func (o *oracle) winner(host string, r *authz.Request, path string, loose bool) *candidate {
	var fit []*candidate
	for _, p := range o.policies {
		if !slices.Contains(p.Spec.Hosts, host) {
			continue
		}
		order := 0
		for i := range p.Spec.Rules {
			rule := &p.Spec.Rules[i]
			list := []*v1alpha1.Match{nil}
			if len(rule.Match) > 0 {
				list = nil
				for j := range rule.Match {
					list = append(list, &rule.Match[j])
				}
			}
			for _, m := range list {
				order++
				if o.fits(m, r, path, loose) {
					fit = append(fit, &candidate{p, rule, m, order, o.isBroken(p)})
				}
			}
		}
	}
	var best *candidate
	for _, c := range fit {
		if best == nil || o.beats(c, best, path) {
			best = c
		}
	}
	return best
}

func (o *oracle) isBroken(p *v1alpha1.AuthPolicy) bool {
	for _, list := range append([][]v1alpha1.SecurityRequirement{p.Spec.Security}, securities(p)...) {
		for _, item := range list {
			for name := range item {
				if o.schemes[p.Namespace+"/"+name] == nil {
					return true
				}
			}
		}
	}
	return false
}

func securities(p *v1alpha1.AuthPolicy) (all [][]v1alpha1.SecurityRequirement) {
	for i := range p.Spec.Rules {
		all = append(all, p.Spec.Rules[i].Security)
	}
	return all
}

func (o *oracle) fits(m *v1alpha1.Match, r *authz.Request, path string, loose bool) bool {
	if m == nil {
		return true
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, r.Method) {
		return false
	}
	for _, h := range m.Headers {
		var values []string
		for _, got := range r.Headers {
			if got.Name == strings.ToLower(h.Name) {
				values = append(values, got.Value)
			}
		}
		if !slices.Equal(values, []string{h.Value}) {
			return false
		}
	}
	return m.Path == nil || o.pathFits(m.Path, path) || loose && o.pathFits(loosened(m.Path), path)
}

// loosened returns the pattern as a loose reading spells its encoded bytes.
func loosened(p *v1alpha1.PathMatch) *v1alpha1.PathMatch {
	out := *p
	for _, text := range []*string{&out.Exact, &out.Prefix, &out.Template} {
		if decoded, err := url.PathUnescape(*text); err == nil && strings.Contains(*text, "%") {
			*text = decoded
		}
	}
	return &out
}

func (o *oracle) pathFits(p *v1alpha1.PathMatch, path string) bool {
	switch {
	case p.Exact != "":
		return path == p.Exact
	case p.Prefix != "":
		want, got := strings.Split(p.Prefix, "/"), strings.Split(path, "/")
		if want[len(want)-1] == "" { // what follows the last slash may be anything
			want = want[:len(want)-1]
			return len(got) > len(want) && slices.Equal(got[:len(want)], want)
		}
		return len(got) >= len(want) && slices.Equal(got[:len(want)], want)
	case p.Template != "":
		want, got := strings.Split(p.Template, "/"), strings.Split(path, "/")
		for i, w := range want {
			switch {
			case i >= len(got):
				return false
			case strings.HasSuffix(w, "=**}"):
				return true
			case strings.HasPrefix(w, "{") && got[i] == "", !strings.HasPrefix(w, "{") && got[i] != w:
				return false
			}
		}
		return len(want) == len(got)
	default:
		return regexp.MustCompile("^(" + p.Regex + ")$").MatchString(path)
	}
}

// rank lists what decides between matches that fit, in order; more is better.
func (o *oracle) rank(c *candidate) []int {
	out := make([]int, 8)
	if c.match == nil {
		return out
	}
	if p := c.match.Path; p != nil {
		switch {
		case p.Exact != "":
			out[0] = 4
		case p.Template != "":
			out[0] = 3
			for _, s := range strings.Split(p.Template, "/")[1:] {
				switch {
				case strings.HasSuffix(s, "=**}"):
					out[2]--
				case strings.HasPrefix(s, "{"):
					out[3]++
				default:
					out[1]++
					out[3]++
				}
			}
		case p.Prefix != "":
			out[0], out[1] = 2, len(p.Prefix)
		default:
			out[0] = 1
		}
	}
	if len(c.match.Methods) > 0 {
		out[4] = 1
	}
	out[5] = len(c.match.Headers)
	return out
}

func (o *oracle) beats(a, b *candidate, path string) bool {
	ra, rb := o.rank(a), o.rank(b)
	// A match whose own text fits is no worse than one that fits by its loosened text.
	if own := a.match != nil && a.match.Path != nil && o.pathFits(a.match.Path, path); own && ra[0] > 1 {
		ra[3] = ra[3]*2 + 1
	} else {
		ra[3] *= 2
	}
	if own := b.match != nil && b.match.Path != nil && o.pathFits(b.match.Path, path); own && rb[0] > 1 {
		rb[3] = rb[3]*2 + 1
	} else {
		rb[3] *= 2
	}
	if c := slices.Compare(ra, rb); c != 0 {
		return c > 0
	}
	if c := a.policy.CreationTimestamp.Compare(b.policy.CreationTimestamp.Time); c != 0 {
		return c < 0
	}
	if a.policy != b.policy {
		return a.policy.Name < b.policy.Name
	}
	return a.order < b.order
}

// requirement evaluates a security list: yes, no with a reason, or could not tell.
func (o *oracle) requirement(list []v1alpha1.SecurityRequirement, namespace string, r *authz.Request) authz.Reason {
	results := make(map[string]error)
	principals := make(map[string]*authz.Principal)
	names := map[string]bool{}
	for _, item := range list {
		for name := range item {
			names[name] = true
		}
	}
	for name := range names {
		s := o.schemes[namespace+"/"+name].Authenticator
		c, err := s.Extract(r)
		if authz.ReasonOf(err) == authz.ReasonAmbiguousCredential {
			return authz.ReasonAmbiguousCredential
		}
		if err == nil {
			principals[name], err = s.Verify(context.Background(), r, c)
		}
		results[name] = err
	}
	presented := false
	for _, err := range results {
		presented = presented || !errors.Is(err, authz.ErrNoCredential) || err == nil
	}
	worst := authz.ReasonNoCredential
	for _, item := range list {
		reason := authz.ReasonAuthenticated
		if len(item) == 0 {
			if reason = authz.ReasonAnonymous; presented {
				reason = authz.ReasonNoCredential
			}
		}
		for _, name := range []string{"s1", "s3", "s2"} { // jwt, then apiKey, then signature
			scopes, ok := item[name]
			if !ok || reason != authz.ReasonAuthenticated {
				continue
			}
			if err := results[name]; err != nil {
				reason = authz.ReasonOf(err)
			} else if !principals[name].Scopes.HasAll(scopes) {
				reason = authz.ReasonMissingScope
			}
		}
		for name := range item {
			if errors.Is(results[name], authz.ErrNoCredential) {
				reason = authz.ReasonNoCredential
			}
		}
		if reason.Class() == authz.ClassAllowed {
			return reason
		}
		rank := map[authz.Class]int{authz.ClassUnavailable: 3, authz.ClassForbidden: 2, authz.ClassUnauthenticated: 1}
		if worst == authz.ReasonNoCredential || rank[reason.Class()] > rank[worst.Class()] {
			worst = reason
		}
	}
	return worst
}

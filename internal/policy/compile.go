package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/policy/expr"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// policy is one compiled AuthPolicy.
type policy struct {
	name      string // "namespace/name"
	unnamed   bool   // name is made of the place
	namespace string
	created   time.Time
	hosts     []hostPattern
	rules     []*rule
	matches   []*match
	routes    *router  // of its own matches
	declared  []string // names of the identity headers that it sets

	// denied is set if the object cannot be used: then every rule denies. Where its matches cannot be read either,
	// denyHosts is set, and everything on its hosts is denied, other policies' routes too: any of them might be one
	// that it meant to protect.
	denied    *rule
	denyHosts bool
}

// compare orders policies, the older first. One without a name comes last: it may be what is left of one that its file
// held before, whose last good version is to stay.
func (p *policy) compare(o *policy) int {
	return cmp.Or(p.created.Compare(o.created), first(!p.unnamed, !o.unnamed), cmp.Compare(p.name, o.name))
}

// rule returns the named rule, nil if there is none.
func (p *policy) rule(name string) *rule {
	if i := slices.IndexFunc(p.rules, func(r *rule) bool { return r.name == name }); i >= 0 {
		return p.rules[i]
	}
	return nil
}

// report takes an error about a field.
type report func(field, remedy string, err error)

// job is the compilation of one object.
type job struct {
	env     *expr.Env
	values  map[string]*expr.Value // the defaults' values, compiled before
	shared  *shared
	resolve resolver
	doc     *Document
	routes  bool // only the routes are to be had, to be denied
	unread  bool // a match cannot be read
	errs    []*v1alpha1.Error
}

// compile compiles the object. With errors, or of an object that did not decode, it makes a policy that denies.
func (j *job) compile() *policy {
	object := j.doc.Policy
	p := &policy{unnamed: object.Name == "", namespace: object.Namespace, created: object.CreationTimestamp.Time}
	p.name = j.doc.name()
	p.hosts = j.hosts(object.Spec.Hosts)
	var base settings
	if !j.routes {
		base = j.settings(p, &object.Spec.Requirements, "spec", settings{shadow: object.Spec.Mode == v1alpha1.ModeShadow})
	}
	rules := object.Spec.Rules
	for i := range rules {
		j.rule(p, &rules[i], fmt.Sprintf("spec.rules[%d]", i), base)
	}
	if len(rules) == 0 {
		j.rule(p, &v1alpha1.Rule{Name: defaultRule}, "spec", base)
	}
	if j.routes || len(j.errs) > 0 {
		p.deny(j.unread)
	}
	p.routes = newRouter(p.matches)
	return p
}

// deny makes every rule of the policy deny.
func (p *policy) deny(hosts bool) {
	for _, r := range p.rules {
		*r = rule{policy: p, name: r.name, broken: true}
	}
	p.denied, p.denyHosts = &rule{policy: p, broken: true}, hosts
}

func (j *job) fail(field, remedy string, err error) {
	e := j.doc.Origin.Errorf(j.doc.object(), field, remedy, "%v", err)
	if _, ok := errors.AsType[*missingScheme](err); ok {
		e.Reason = v1alpha1.ReasonSchemeNotFound
	}
	j.errs = append(j.errs, e)
}

// at returns a report for fields inside of another.
func (j *job) at(prefix string) report {
	return func(field, remedy string, err error) {
		if field != "" && field[0] != '[' {
			field = "." + field
		}
		j.fail(prefix+field, remedy, err)
	}
}

func (j *job) hosts(names []string) []hostPattern {
	var hosts []hostPattern
	for i, name := range names {
		h, err := parseHost(name)
		if err != nil {
			j.fail(fmt.Sprintf("spec.hosts[%d]", i), remedyHost, err)
			continue
		}
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

var errNoSecurity = errors.New("nothing says who may pass")

func (j *job) rule(p *policy, in *v1alpha1.Rule, field string, base settings) {
	r := &rule{policy: p, name: one(in.Name), settings: base}
	p.rules = append(p.rules, r)
	j.matches(p, r, in.Match, field)
	if j.routes {
		return
	}
	r.settings = j.settings(p, &in.Requirements, field, base)
	if in.Mode != "" {
		r.shadow = in.Mode == v1alpha1.ModeShadow
	}
	if r.requirement == nil {
		j.fail(field+".security", "name schemes here or in spec.security; [{}] lets everybody in", errNoSecurity)
	}
	r.readsParams = slices.ContainsFunc(r.conditions, func(c condition) bool { return c.cel != nil && c.cel.ReadsParams() }) ||
		slices.ContainsFunc(r.identity, func(h identityHeader) bool { return h.value.ReadsParams() })
}

// matches adds the rule's matches to the policy's, and those that the loose reading needs.
func (j *job) matches(p *policy, r *rule, list []v1alpha1.Match, field string) {
	if len(list) == 0 {
		p.matches = append(p.matches, &match{rule: r, field: field, order: len(p.matches), path: pathPattern{kind: pathAny}})
	}
	for i := range list {
		m := &match{rule: r, field: fmt.Sprintf("%s.match[%d]", field, i), order: len(p.matches)}
		before := len(j.errs)
		m.compile(&list[i], j.shared, j.at(m.field))
		if len(j.errs) > before {
			j.unread = true
			continue
		}
		p.matches = append(p.matches, m)
		if path, differs := m.path.loose(); differs {
			l := *m
			l.loose, l.path = true, path
			p.matches = append(p.matches, &l)
		}
	}
}

// settings compiles what is set, over what was set before.
func (j *job) settings(p *policy, in *v1alpha1.Requirements, field string, s settings) settings {
	if in.Security != nil {
		realm := p.name
		if len(p.hosts) > 0 {
			realm = p.hosts[0].String()
		}
		s.requirement = j.shared.requirement(in.Security, j.resolve, j.at(field+".security"))
		s.challenges = newChallenges(s.requirement, realm)
	}
	if in.Authorize != nil {
		s.conditions = compileConditions(in.Authorize, p.namespace, j.env, j.at(field+".authorize"))
	}
	if in.Identity != nil {
		s.identity = j.shared.identity(in.Identity.Headers, j.value, j.at(field+".identity.headers"))
		for _, h := range in.Identity.Headers {
			p.declared = append(p.declared, strings.ToLower(h.Name))
		}
	}
	if in.CORS != nil {
		s.origins = in.CORS.AllowOrigins
	}
	return s
}

// value compiles an identity value.
func (j *job) value(source string) (*expr.Value, error) {
	if v := j.values[source]; v != nil {
		return v, nil
	}
	return j.env.Value(source)
}

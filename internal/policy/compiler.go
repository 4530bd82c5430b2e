package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/policy/expr"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Input is everything that a Set is compiled from.
type Input struct {
	// Policies in any order, those that did not decode too.
	Policies []PolicyDocument
	// Schemes by "namespace/name"; those that could not be made are left out.
	Schemes map[string]*Scheme
	// HostGrants, if there are any, list the only hosts that each namespace may name.
	HostGrants []HostGrant
	// SharedNamespace is where a scheme is looked for after the policy's own namespace; empty: nowhere else.
	SharedNamespace string
}

// PolicyDocument is an AuthPolicy and where it came from.
type PolicyDocument struct {
	Policy *v1alpha1.AuthPolicy // with Err: as much of its hosts and matches as could be read; nil if not even hosts
	Origin v1alpha1.Origin
	Err    error // why the object did not decode

	// Namespace and Name say whose document it is where Policy is nil. Without a Name it is a document that could not
	// be read at all; policies that its file held before keep their last good version.
	Namespace, Name string
}

// NewDocument returns what Compile needs of a decoded document. It is for documents of kind AuthPolicy, and for those
// whose kind could not be read.
func NewDocument(d *v1alpha1.Document) PolicyDocument {
	return PolicyDocument{Policy: d.Policy, Origin: d.Origin, Err: d.Err, Namespace: d.Namespace, Name: d.Name}
}

// name returns "namespace/name", or "" if that could not be read.
func (d *PolicyDocument) name() string {
	switch {
	case d.Policy != nil && d.Policy.Name != "":
		return d.Policy.Namespace + "/" + d.Policy.Name
	case d.Name != "":
		return d.Namespace + "/" + d.Name
	default:
		return ""
	}
}

// object returns the document's object as messages name it.
func (d *PolicyDocument) object() string { return "AuthPolicy " + d.name() }

// Compiler compiles Sets and remembers what it can use again: each policy's last good object, and what was compiled
// from what has not changed. It is not safe for concurrent use.
type Compiler struct {
	env      *expr.Env
	values   map[string]*expr.Value // of the default identity headers
	reserved *reserved              // the default identity headers
	states   map[string]*state      // by policy
	hosts    map[hostPattern]*host  // those of the last Set that had no conflicts
}

// NewCompiler makes a Compiler that has seen nothing.
func NewCompiler() (*Compiler, error) {
	env, err := expr.NewEnv()
	if err != nil {
		return nil, err
	}
	c := &Compiler{env: env, values: make(map[string]*expr.Value)}
	var names []string
	for _, h := range v1alpha1.DefaultIdentityHeaders() {
		if c.values[h.Value], err = env.Value(h.Value); err != nil {
			return nil, err
		}
		names = append(names, strings.ToLower(h.Name))
	}
	c.reserved = newReserved(names)
	return c, nil
}

// state is what is known of one policy.
type state struct {
	doc      PolicyDocument
	compiled *policy
	good     *PolicyDocument    // the last version without errors, doc if it has none
	schemes  map[string]*Scheme // each one looked up, by full name; nil: not there
	errs     []*v1alpha1.Error
}

// Compile makes a Set. The errors are everything that is wrong with the objects now, but for what Err of their
// documents says already; none of them keeps the Set from being used.
func (c *Compiler) Compile(in Input) (*Set, []*v1alpha1.Error) {
	states := make(map[string]*state, len(in.Policies))
	var errs []*v1alpha1.Error
	lost := make(map[string]bool) // files with a document that nobody can tell the name of
	for i := range in.Policies {
		doc := &in.Policies[i]
		name := doc.name()
		if name == "" {
			lost[doc.Origin.File] = true
			continue
		}
		if other := states[name]; other != nil {
			errs = append(errs, doc.Origin.Errorf(doc.object(), "metadata.name", "give it another name or remove one",
				"there is another policy of this name at %s", other.doc.Origin.At("metadata.name")))
			continue
		}
		states[name] = c.update(c.states[name], doc, &in)
	}
	for name, old := range c.states {
		if states[name] == nil && lost[old.doc.Origin.File] && old.good != nil {
			states[name] = c.update(old, old.good, &in)
		}
	}
	c.states = states

	policies := make([]*policy, 0, len(states))
	for _, s := range states {
		errs = append(errs, s.errs...)
		if s.compiled != nil {
			policies = append(policies, s.compiled)
		}
	}
	slices.SortFunc(policies, (*policy).compare)
	set, more := c.assemble(policies, in.HostGrants)
	errs = append(errs, more...)
	slices.SortFunc(errs, compareErrors)
	return set, errs
}

// update compiles one document, or finds that nothing it depends on has changed.
func (c *Compiler) update(old *state, doc *PolicyDocument, in *Input) *state {
	if old != nil && old.current(doc, in) {
		old.doc.Origin, old.good = doc.Origin, &old.doc
		return old
	}
	s := &state{doc: *doc}
	if old != nil {
		s.good = old.good
	}
	if doc.Err == nil {
		compiled, errs := c.compile(s, doc, in)
		if s.compiled, s.errs = compiled, errs; len(errs) == 0 {
			s.good = &s.doc
			return s
		}
	}
	if s.good != nil {
		if compiled, errs := c.compile(s, s.good, in); len(errs) == 0 {
			s.compiled = compiled
			return s
		}
	}
	if s.compiled == nil && doc.Policy != nil {
		s.compiled, s.errs = c.compile(s, doc, in)
	}
	return s
}

// current reports whether compiling the document would give what is there. What has errors is compiled again, since
// they tell lines.
func (s *state) current(doc *PolicyDocument, in *Input) bool {
	if doc.Err != nil || s.doc.Err != nil || len(s.errs) > 0 {
		return false
	}
	for name, scheme := range s.schemes {
		if in.Schemes[name] != scheme {
			return false
		}
	}
	return doc.Policy == s.doc.Policy || reflect.DeepEqual(doc.Policy, s.doc.Policy)
}

// compile compiles a document and notes in s which schemes it asked for.
func (c *Compiler) compile(s *state, doc *PolicyDocument, in *Input) (*policy, []*v1alpha1.Error) {
	namespace, _, _ := strings.Cut(doc.name(), "/")
	s.schemes = make(map[string]*Scheme)
	j := &job{env: c.env, values: c.values, doc: doc, routes: doc.Err != nil, unread: !routesRead(doc.Err)}
	j.resolve = func(name string) (*Scheme, error) {
		for _, ns := range []string{namespace, in.SharedNamespace} {
			if ns == "" {
				continue
			}
			full := ns + "/" + name
			s.schemes[full] = in.Schemes[full]
			if scheme := in.Schemes[full]; scheme != nil {
				return scheme, nil
			}
		}
		return nil, &missingScheme{name, namespace, in.SharedNamespace}
	}
	compiled := j.compile()
	return compiled, j.errs
}

// missingScheme says which AuthScheme was looked for, and where.
type missingScheme struct{ name, namespace, shared string }

func (e *missingScheme) Error() string {
	where := "namespace " + e.namespace
	if e.shared != "" && e.shared != e.namespace {
		where += " or " + e.shared
	}
	return fmt.Sprintf("there is no usable AuthScheme %q in %s", e.name, where)
}

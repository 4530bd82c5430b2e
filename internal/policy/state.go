package policy

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// state is what is known of one policy.
type state struct {
	doc     Document                   // the newest version
	good    *Document                  // the last version that compiled without errors; nil: none did
	targets []v1alpha1.TargetReference // of the last version that decoded without errors: by these it is attached
	shared  string                     // the shared namespace that schemes were looked up in
	schemes map[string]*Scheme         // each one looked up, by full name; nil: not there
	errs    []*v1alpha1.Error

	inForce *policy
	from    *Document // what inForce was compiled from
}

// update returns the state after a new version of the document, or finds that nothing it depends on has changed.
// The last good version stays in force while the newest has errors. Where that cannot be used either, because a scheme
// of it is gone, say, the policy denies.
func (c *Compiler) update(old *state, doc *Document, in *Input) *state {
	if old != nil && old.current(doc, in) {
		old.doc = *doc
		return old
	}
	s := &state{doc: *doc}
	switch {
	case doc.Err == nil && doc.Policy != nil:
		s.targets = doc.Policy.Spec.TargetRefs
	case old != nil:
		s.targets = old.targets
	}
	if doc.Policy != nil && c.try(s, &s.doc, in) {
		s.good = &s.doc
		return s
	}
	denying := s.inForce
	if old != nil {
		s.good = old.good
	}
	// What was good for other targets is not for those that it is attached to now.
	if s.good != nil && slices.Equal(s.good.Policy.Spec.TargetRefs, s.targets) && c.try(s, s.good, in) {
		return s
	}
	switch {
	case denying != nil:
		s.inForce, s.from = denying, &s.doc
	case s.inForce == nil: // not even hosts can be read; a route that names it, or that it is attached to, is denied
		s.inForce, s.from = &policy{name: doc.name(), unnamed: doc.Name == "", namespace: doc.Namespace}, &s.doc
		s.inForce.deny(true)
	}
	return s
}

// try compiles a version and puts it in force, to deny if there are errors. It reports whether there were none; those
// of the version tried first stay in s.
func (c *Compiler) try(s *state, doc *Document, in *Input) bool {
	s.shared, s.schemes = in.SharedNamespace, make(map[string]*Scheme)
	j := &job{env: c.env, values: c.values, shared: c.shared, doc: doc, routes: doc.Err != nil, unread: !routesRead(doc.Err)}
	j.resolve = func(name string) (*Scheme, error) {
		for _, ns := range []string{doc.Policy.Namespace, in.SharedNamespace} {
			if ns == "" {
				continue
			}
			full := ns + "/" + name
			s.schemes[full] = in.Schemes[full]
			if scheme := in.Schemes[full]; scheme != nil {
				return scheme, nil
			}
		}
		return nil, &missingScheme{name, doc.Policy.Namespace, in.SharedNamespace}
	}
	s.inForce, s.from = j.compile(), doc
	if s.errs == nil {
		s.errs = j.errs
	}
	return len(j.errs) == 0 && doc.Err == nil
}

// current reports whether compiling the document would give what is there. What has errors is compiled again, since
// they tell lines.
func (s *state) current(doc *Document, in *Input) bool {
	if doc.Err != nil || s.good != &s.doc || s.shared != in.SharedNamespace {
		return false
	}
	for name, scheme := range s.schemes {
		if in.Schemes[name] != scheme {
			return false
		}
	}
	return doc.Policy == s.doc.Policy || reflect.DeepEqual(doc.Policy, s.doc.Policy)
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

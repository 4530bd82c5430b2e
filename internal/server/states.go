package server

import (
	"iter"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/telemetry"
)

// state is what is known of one App, AuthScheme or API key.
type state[T any] struct {
	uid   types.UID
	good  *good[T]   // nil: no version was ever without error
	inUse *T         // what of it is in use: its value, less what a later version turns off; nil: nothing
	fresh bool       // good is of the version that the document holds now
	files []readFile // read for it, by a version in error too
}

// good is the last good version of an object, and what was made of it.
type good[T any] struct {
	doc   v1alpha1.Document
	files []readFile
	value T
}

// states are the objects of a kind, by "namespace/name".
type states[T any] map[string]*state[T]

// maker makes values of documents that hold an object.
type maker[T any] struct {
	// make reads files relative to the object's own by read.
	make func(doc *v1alpha1.Document, read func(path string) ([]byte, error)) (T, v1alpha1.Errors)
	// current reports whether what else a value was made of is still what it was.
	current func(T) bool
	// unchanged, unless nil, reports whether what a value was read from beside files is still what it was.
	unchanged func(T) bool
	// revoke returns what is left of a last good value after a newer version that has errors: nil if nothing is.
	revoke func(value *T, newest *v1alpha1.Document, read func(path string) ([]byte, error)) *T
}

// update returns the states of a new snapshot. What has not changed is not made again. What is in error keeps its last
// good version, less what the version in error turns off: a mistake takes nothing away, and keeps nothing that is taken
// away. The last good version is made again if it is not current; if that fails too, it is no longer used.
func (old states[T]) update(docs []*v1alpha1.Document, m *maker[T]) (states[T], v1alpha1.Errors) {
	now := make(states[T], len(docs))
	var errs v1alpha1.Errors
	for _, doc := range docs {
		name := doc.Namespace + "/" + doc.Name
		s, bad := old[name].next(doc, m)
		now[name] = s
		errs = append(errs, bad...)
	}
	return now, errs
}

// next returns the state after a new version of the document.
func (s *state[T]) next(doc *v1alpha1.Document, m *maker[T]) (*state[T], v1alpha1.Errors) {
	if s == nil || s.uid != doc.UID || !hasObject(doc) {
		s = &state[T]{} // what is known is about another object of that name
	}
	now := &state[T]{uid: doc.UID}
	var errs v1alpha1.Errors
	if s.good.is(doc) && m.current(s.good.value) && m.same(s.good) {
		now.good, now.files = s.good, s.good.files
	} else {
		now.good, now.files, errs = m.try(doc)
	}
	whole := now.good != nil && doc.Draft == nil
	now.fresh = now.good != nil && doc.Err == nil
	if doc.Err != nil {
		errs = nil // it says what is wrong; these are about an earlier version
	}
	if now.good == nil {
		now.good = s.good
		if s.good != nil && !m.current(s.good.value) {
			now.good, _, _ = m.try(&s.good.doc)
		}
	}
	now.use(doc, m, whole, s.inUse)
	return now, errs
}

// use puts the last good version in use, whole or less what the newest turns off. What is the same as before stays the
// same in memory.
func (s *state[T]) use(doc *v1alpha1.Document, m *maker[T], whole bool, before *T) {
	if s.good == nil {
		return
	}
	s.inUse = &s.good.value
	if whole {
		return
	}
	left := m.revoke(s.inUse, doc.Newest(), newReader(doc.Origin).read)
	switch {
	case reflect.DeepEqual(left, s.inUse):
	case reflect.DeepEqual(left, before):
		s.inUse = before
	default:
		s.inUse = left
	}
}

// same reports whether what was read for the value is still there and the same.
func (m *maker[T]) same(g *good[T]) bool {
	return unchanged(g.files) && (m.unchanged == nil || m.unchanged(g.value))
}

// try makes the value of a document. It returns nil if there are errors, or no object to make it of.
func (m *maker[T]) try(doc *v1alpha1.Document) (*good[T], []readFile, v1alpha1.Errors) {
	if !hasObject(doc) {
		return nil, nil, nil
	}
	r := newReader(doc.Origin)
	value, errs := m.make(doc, r.read)
	if len(errs) > 0 {
		return nil, r.files, errs
	}
	return &good[T]{doc: *doc, files: r.files, value: value}, r.files, nil
}

// hasObject reports whether the document holds an object, its last good version if it is in error.
func hasObject(doc *v1alpha1.Document) bool {
	return doc.App != nil || doc.Scheme != nil || doc.Secret != nil
}

// is reports whether the document still holds the object that g was made of: objects that do not change keep their
// pointers, and so they do as last good versions.
func (g *good[T]) is(doc *v1alpha1.Document) bool {
	return g != nil && g.doc.App == doc.App && g.doc.Scheme == doc.Scheme && g.doc.Secret == doc.Secret
}

// same reports whether what is in use is the same.
func (all states[T]) same(other states[T]) bool {
	return maps.EqualFunc(all, other, func(x, y *state[T]) bool { return x.inUse == y.inUse })
}

// inUse returns what is in use, in order of name.
func (all states[T]) inUse() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if s := all[name]; s.inUse != nil && !yield(name, s.inUse) {
				return
			}
		}
	}
}

// files returns all that were read.
func (all states[T]) files() []readFile {
	var files []readFile
	for _, s := range all {
		files = append(files, s.files...)
	}
	return files
}

// count counts the objects by what became of them.
func (all states[T]) count(kind string) []telemetry.ResourceCount {
	counts := map[telemetry.ResourceState]int{}
	for _, s := range all {
		switch {
		case s.fresh:
			counts[telemetry.ResourceActive]++
		case s.inUse != nil:
			counts[telemetry.ResourceLastGood]++
		default:
			counts[telemetry.ResourceInvalid]++
		}
	}
	return resourceCounts(kind, counts)
}

func resourceCounts(kind string, counts map[telemetry.ResourceState]int) []telemetry.ResourceCount {
	var all []telemetry.ResourceCount
	for _, s := range []telemetry.ResourceState{telemetry.ResourceActive, telemetry.ResourceLastGood, telemetry.ResourceInvalid} {
		all = append(all, telemetry.ResourceCount{Kind: kind, State: s, Count: counts[s]})
	}
	return all
}

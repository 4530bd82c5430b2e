package server

import (
	"iter"
	"maps"
	"slices"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/telemetry"
)

// state is what is known of one App, AuthScheme or API key.
type state[T any] struct {
	good  *good[T]   // nil: no version was ever without error
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
}

// update returns the states of a new snapshot. What has not changed is not made again. What is in error keeps its last
// good version, which is made again if it is not current; if that fails too, it is no longer used.
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
	var before *good[T]
	if s != nil {
		before = s.good
	}
	if before.is(doc) && m.current(before.value) && m.same(before) {
		return &state[T]{good: before, fresh: doc.Err == nil, files: before.files}, nil
	}
	now, files, errs := m.try(doc)
	if now != nil {
		return &state[T]{good: now, fresh: doc.Err == nil, files: files}, nil
	}
	if doc.Err != nil {
		errs = nil // it says what is wrong; these are about an earlier version
	}
	if before != nil && !m.current(before.value) {
		before, _, _ = m.try(&before.doc)
	}
	return &state[T]{good: before, files: files}, errs
}

// same reports whether what was read for the value is still there and the same.
func (m *maker[T]) same(g *good[T]) bool {
	return unchanged(g.files) && (m.unchanged == nil || m.unchanged(g.value))
}

// try makes the value of a document. It returns nil if there are errors, or no object to make it of.
func (m *maker[T]) try(doc *v1alpha1.Document) (*good[T], []readFile, v1alpha1.Errors) {
	if doc.App == nil && doc.Scheme == nil && doc.Secret == nil {
		return nil, nil, nil
	}
	r := newReader(doc.Origin)
	value, errs := m.make(doc, r.read)
	if len(errs) > 0 {
		return nil, r.files, errs
	}
	return &good[T]{doc: *doc, files: r.files, value: value}, r.files, nil
}

// is reports whether the document still holds the object that g was made of: objects that do not change keep their
// pointers, and so they do as last good versions.
func (g *good[T]) is(doc *v1alpha1.Document) bool {
	return g != nil && g.doc.App == doc.App && g.doc.Scheme == doc.Scheme && g.doc.Secret == doc.Secret
}

// same reports whether what is in use is the same.
func (all states[T]) same(other states[T]) bool {
	return maps.EqualFunc(all, other, func(x, y *state[T]) bool { return x.good == y.good })
}

// good returns what is in use, in order of name.
func (all states[T]) good() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if s := all[name]; s.good != nil && !yield(name, &s.good.value) {
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
		case s.good != nil:
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

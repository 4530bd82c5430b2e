package server

import (
	"maps"
	"slices"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// apps makes the key index.
type apps struct {
	hasher *keystore.Hasher
	states states[app]

	store   *declared.Store // of states
	clashes v1alpha1.Errors // what keeps some of them out of it
}

// app is what became of an App, and the Secrets that it was made of.
type app struct {
	keys    *declared.Keys
	secrets []readSecret
}

// load indexes the Apps. While what is in use of them stays the same, so does the index, and what holds it need not be
// made again.
func (a *apps) load(docs []*v1alpha1.Document, all secrets) (*declared.Store, v1alpha1.Errors) {
	now, errs := a.states.update(docs, &maker[app]{
		make: func(doc *v1alpha1.Document, read func(string) ([]byte, error)) (made app, _ v1alpha1.Errors) {
			named := secretReader{all: all, namespace: doc.Namespace}
			parsed, errs := declared.FromResource(doc.App, doc.Origin, declared.Reader{File: read, Secret: named.read}, a.hasher)
			made.secrets = named.list
			if len(errs) == 0 {
				made.keys, errs = declared.NewKeys(&parsed)
			}
			return made, errs
		},
		current:   func(app) bool { return true },
		unchanged: func(made app) bool { return all.unchanged(made.secrets) },
	})
	same := maps.EqualFunc(now, a.states, func(x, y *state[app]) bool { return x.good == y.good })
	a.states = now
	if a.store == nil || !same {
		a.index()
	}
	return a.store, append(errs, a.clashes...)
}

// index makes the store of all the Apps. Of two that clash the first by name stays.
func (a *apps) index() {
	all := make([]*declared.Keys, 0, len(a.states))
	for _, name := range slices.Sorted(maps.Keys(a.states)) {
		if s := a.states[name]; s.good != nil {
			all = append(all, s.good.value.keys)
		}
	}
	a.store, a.clashes = declared.New(all)
}

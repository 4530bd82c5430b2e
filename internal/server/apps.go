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
	states states[declared.App]

	store   *declared.Store // of states
	clashes v1alpha1.Errors // what keeps some of them out of it
}

// load indexes the Apps. While what is in use of them stays the same, so does the index, and what holds it need not be
// made again.
func (a *apps) load(docs []*v1alpha1.Document) (*declared.Store, v1alpha1.Errors) {
	now, errs := a.states.update(docs, &maker[declared.App]{
		make: func(doc *v1alpha1.Document, read func(string) ([]byte, error)) (declared.App, v1alpha1.Errors) {
			return declared.FromResource(doc.App, doc.Origin, read, a.hasher)
		},
		current: func(declared.App) bool { return true },
	})
	same := maps.EqualFunc(now, a.states, func(x, y *state[declared.App]) bool { return x.good == y.good })
	a.states = now
	if a.store == nil || !same {
		a.index()
	}
	return a.store, append(errs, a.clashes...)
}

// index makes the store of all the Apps. Of two that clash the first by name stays.
func (a *apps) index() {
	all := make([]declared.App, 0, len(a.states))
	for _, name := range slices.Sorted(maps.Keys(a.states)) {
		if s := a.states[name]; s.good != nil {
			all = append(all, s.good.value)
		}
	}
	a.store, a.clashes = declared.New(all)
}

package server

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// apps makes the key index.
type apps struct {
	hasher *keystore.Hasher
	states map[string]*state[declared.App]

	store   *declared.Store // of states
	clashes v1alpha1.Errors // what keeps some of them out of it
}

// load indexes the Apps. While no App has changed the index stays the same one, so that what holds it need not be made
// again.
func (a *apps) load(docs []*v1alpha1.Document) (*declared.Store, v1alpha1.Errors) {
	var errs v1alpha1.Errors
	states := make(map[string]*state[declared.App], len(docs))
	same := a.store != nil && len(docs) == len(a.states)
	for _, doc := range docs {
		before := a.states[fullName(doc)]
		if before.reusable(doc.App) {
			states[fullName(doc)] = settle(doc, before, *before)
			continue
		}
		same = false
		now, bad := a.convert(doc)
		errs = append(errs, bad...)
		states[fullName(doc)] = settle(doc, before, now)
	}
	a.states = states
	if !same {
		a.index()
	}
	return a.store, append(errs, a.clashes...)
}

// convert makes an App ready for the index.
func (a *apps) convert(doc *v1alpha1.Document) (state[declared.App], v1alpha1.Errors) {
	s := state[declared.App]{object: doc.App}
	if doc.App == nil {
		return s, nil
	}
	r := newReader(doc.Origin)
	app, errs := declared.FromResource(doc.App, doc.Origin, r.read, a.hasher)
	s.value, s.files, s.made = app, r.files, len(errs) == 0
	return s, errs
}

// index makes the store of all the Apps. Of two that clash the first by name stays.
func (a *apps) index() {
	all := make([]declared.App, 0, len(a.states))
	for _, s := range a.states {
		if s.made {
			all = append(all, s.value)
		}
	}
	slices.SortFunc(all, func(x, y declared.App) int {
		if x.Namespace != y.Namespace {
			return strings.Compare(x.Namespace, y.Namespace)
		}
		return strings.Compare(x.Name, y.Name)
	})
	var errs []*v1alpha1.Error
	a.store, errs = declared.New(all)
	a.clashes = errs
}

func (a *apps) files() []readFile {
	var all []readFile
	for _, s := range a.states {
		all = append(all, s.files...)
	}
	return all
}

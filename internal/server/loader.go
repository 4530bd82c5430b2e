package server

import (
	"cmp"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/internal/telemetry"
)

// loader turns snapshots of the resources into Sets. It remembers what the last good version of every object was made
// into, and uses it again while nothing about it has changed. It is not safe for concurrent use.
//
// Apps, schemes and policies of one snapshot belong together: the schemes hold the key index of the same snapshot, so
// that swapping the Set in swaps everything.
type loader struct {
	dir      string
	shared   string
	grants   []policy.HostGrant
	apps     apps
	schemes  schemes
	compiler *policy.Compiler
	good     map[string]types.UID // policies that were once without error
	told     told                 // errors of the last load
	warned   told                 // warnings of the last load
}

func newLoader(cfg *config.Config, p *parts) (*loader, error) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		return nil, err
	}
	l := &loader{
		dir:      cfg.Resources.Dir,
		shared:   cfg.Resources.SharedNamespace,
		apps:     apps{hasher: p.hasher},
		schemes:  schemes{parts: p},
		compiler: compiler,
	}
	for _, g := range cfg.HostGrants {
		l.grants = append(l.grants, policy.HostGrant{Namespace: g.Namespace, Hosts: g.Hosts})
	}
	return l, nil
}

// loaded is what came of a snapshot.
type loaded struct {
	set    *policy.Set // nil: nothing could be read, what is in force stays
	errors v1alpha1.Errors
	fresh  v1alpha1.Errors // those of errors that the load before did not have
	files  []string        // that resources name
	counts []telemetry.ResourceCount
	routes []telemetry.RouteCount

	warnings      v1alpha1.Errors
	freshWarnings v1alpha1.Errors // as of errors

	authenticators []authz.Authenticator
}

// load makes a Set of the snapshot. Whatever is in error keeps its last good version, or denies if it has none.
func (l *loader) load(snap source.Snapshot) *loaded {
	result := &loaded{}
	defer func() { l.remember(result) }()
	if snap.Err != nil {
		result.errors = append(result.errors, &v1alpha1.Error{
			File: l.dir, Message: snap.Err.Error(), Remedy: "make the directory readable, or name another with --resources",
		})
		return result
	}
	docs := sorted(snap.Documents)
	result.errors = append(result.errors, docs.errors...)
	for _, doc := range docs.schemes {
		result.warnings = append(result.warnings, doc.Warnings()...)
	}

	secrets := newSecrets(docs.secrets)
	store, errs := l.apps.load(docs.apps, secrets)
	result.errors = append(result.errors, errs...)
	schemes, errs := l.schemes.load(docs.schemes, secrets, store, l.apps.hasher.Only(store.Peppers()...))
	result.errors = append(result.errors, errs...)
	in := policy.Input{Schemes: schemes, HostGrants: l.grants, SharedNamespace: l.shared, Routes: snap.Routes, RoutesWatched: snap.RoutesWatched}
	for _, doc := range docs.policies {
		in.Policies = append(in.Policies, policy.NewDocument(doc))
	}
	set, errs := l.compiler.Compile(in)
	result.set = set
	result.errors = append(result.errors, errs...)

	result.routes = countRoutes(set.Coverage())
	result.authenticators = l.schemes.authenticators()
	result.files = paths(l.apps.states.files(), l.schemes.states.files())
	result.counts = slices.Concat(
		l.apps.states.count(v1alpha1.KindApp),
		l.apps.keys.count(v1alpha1.KindSecret),
		l.schemes.states.count(v1alpha1.KindAuthScheme),
		l.countPolicies(docs.policies, result.errors),
	)
	return result
}

// remember notes the errors and warnings, so that the next load knows which are new.
func (l *loader) remember(result *loaded) {
	result.fresh = l.told.next(result.errors)
	result.freshWarnings = l.warned.next(result.warnings)
}

// told are the messages of the last load.
type told map[string]bool

// next sorts the messages of this load and returns those that the last did not have.
func (t *told) next(now v1alpha1.Errors) (fresh v1alpha1.Errors) {
	slices.SortFunc(now, func(a, b *v1alpha1.Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	before := *t
	*t = make(told, len(now))
	for _, e := range now {
		text := e.Error()
		if !before[text] {
			fresh = append(fresh, e)
		}
		(*t)[text] = true
	}
	return fresh
}

// countPolicies counts the policies by state.
func (l *loader) countPolicies(docs []*v1alpha1.Document, errs v1alpha1.Errors) []telemetry.ResourceCount {
	bad := make(map[string]bool)
	for _, e := range errs {
		bad[e.Object] = true
	}
	good := make(map[string]types.UID, len(docs))
	counts := map[telemetry.ResourceState]int{}
	for _, doc := range docs {
		name := doc.Object()
		uid, once := l.good[name]
		switch {
		case !bad[name]:
			good[name] = doc.UID
			counts[telemetry.ResourceActive]++
		case once && uid == doc.UID:
			good[name] = uid
			counts[telemetry.ResourceLastGood]++
		default:
			counts[telemetry.ResourceInvalid]++
		}
	}
	l.good = good
	return resourceCounts(v1alpha1.KindAuthPolicy, counts)
}

// documents are a snapshot's documents by kind, and what is wrong with any.
type documents struct {
	apps, schemes, policies, secrets []*v1alpha1.Document

	errors v1alpha1.Errors
}

// sorted sorts the documents. One without a name is no object, only an error; but a policy that has lost its name still
// says which routes to deny.
func sorted(all []v1alpha1.Document) *documents {
	d := &documents{}
	for i := range all {
		doc := &all[i]
		if bad := (v1alpha1.Errors)(nil); errors.As(doc.Err, &bad) {
			d.errors = append(d.errors, bad...)
		}
		switch {
		case doc.Name == "" && doc.Policy == nil:
		case doc.Kind == v1alpha1.KindApp:
			d.apps = append(d.apps, doc)
		case doc.Kind == v1alpha1.KindAuthScheme:
			d.schemes = append(d.schemes, doc)
		case doc.Kind == v1alpha1.KindSecret:
			d.secrets = append(d.secrets, doc)
		case doc.Kind == v1alpha1.KindAuthPolicy:
			d.policies = append(d.policies, doc)
		}
	}
	return d
}

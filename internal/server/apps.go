package server

import (
	"slices"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/keystore/kube"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// apps makes the key index of Apps and of the Secrets that are API keys.
type apps struct {
	hasher *keystore.Hasher
	states states[app]
	keys   states[kube.Credential]

	store   *declared.Store // of states and keys
	clashes v1alpha1.Errors // what keeps some of them out of it
}

// app is what became of an App, and the Secrets that it was made of.
type app struct {
	keys    *declared.Keys
	secrets []readSecret
}

// load indexes Apps and API keys. While what is in use of them stays the same, so does the index, and what holds it need
// not be made again.
func (a *apps) load(docs []*v1alpha1.Document, all secrets) (*declared.Store, v1alpha1.Errors) {
	now, errs := a.states.update(docs, &maker[app]{
		make: func(doc *v1alpha1.Document, read func(string) ([]byte, error)) (made app, _ v1alpha1.Errors) {
			named := secretReader{all: all, namespace: doc.Namespace}
			parsed, errs := declared.FromResource(doc.App.Read(), doc.Origin, declared.Reader{File: read, Secret: named.read}, a.hasher)
			made.secrets = named.list
			if len(errs) == 0 {
				made.keys, errs = declared.NewKeys(&parsed)
			}
			if len(errs) == 0 {
				doc.App.Release() // the keys are all that it takes to decide
			}
			return made, errs
		},
		current:   func(app) bool { return true },
		unchanged: func(made app) bool { return all.unchanged(made.secrets) },
	})
	keys, bad := a.keys.update(all.apiKeys(), &maker[kube.Credential]{
		make: func(doc *v1alpha1.Document, _ func(string) ([]byte, error)) (kube.Credential, v1alpha1.Errors) {
			return kube.FromSecret(doc.Secret, doc.Origin, a.hasher)
		},
		current: func(kube.Credential) bool { return true },
	})
	same := a.store != nil && a.states.same(now) && a.keys.same(keys)
	if a.states, a.keys = now, keys; !same {
		a.index()
	}
	return a.store, slices.Concat(errs, bad, a.clashes)
}

// index makes the store. Of two that clash the first stays: Apps come before Secrets that are Apps by themselves, an
// App's own credentials before those of Secrets, and otherwise they go by name.
func (a *apps) index() {
	apart, own, errs := a.secretKeys()
	var all []*declared.Keys
	for name, app := range a.states.good() {
		keys := app.keys
		if secrets := apart[name]; secrets != nil {
			var bad v1alpha1.Errors
			keys, bad = keys.With(secrets)
			errs = append(errs, bad...)
		}
		all = append(all, keys)
	}
	store, clashes := declared.New(append(all, own...))
	a.store, a.clashes = store, slices.Concat(errs, clashes)
}

// secretKeys sorts the API keys of Secrets: those of Apps, by "namespace/name", and those that are Apps by themselves.
func (a *apps) secretKeys() (apart map[string][]declared.Secret, own []*declared.Keys, errs v1alpha1.Errors) {
	apart = make(map[string][]declared.Secret)
	usable := func(name string) bool { s := a.states[name]; return s != nil && s.good != nil }
	for name, key := range a.keys.good() {
		secret := declared.Secret{Origin: key.Origin, Credential: declared.Credential{
			Name: key.Name, Digest: key.Digest, Disabled: key.Disabled, Scopes: key.Scopes,
			NotBefore: key.NotBefore, ExpiresAt: key.ExpiresAt,
		}}
		switch app := key.Namespace + "/" + key.App; {
		case key.App == "" && a.states[name] != nil:
			errs = append(errs, key.Errorf("metadata.name", "rename the Secret, or label it "+kube.LabelApp+": "+key.Name+" if the key is that App's",
				"an App has this name, and it counts"))
		case key.App == "":
			alone, _ := declared.NewKeys(&declared.App{App: keystore.App{
				Namespace: key.Namespace, Name: key.Name, Labels: key.Labels, Scopes: authz.NewScopes(key.Scopes...),
			}})
			alone, _ = alone.With([]declared.Secret{secret}) // it is the only one
			own = append(own, alone)
		case !usable(app):
			e := key.Errorf(kube.FieldApp, "apply the App, or remove the label to make the Secret an App by itself",
				"there is no usable App %s", app)
			e.Reason = v1alpha1.ReasonTargetNotFound
			errs = append(errs, e)
		default:
			apart[app] = append(apart[app], secret)
		}
	}
	return apart, own, errs
}

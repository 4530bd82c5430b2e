package server

import (
	"maps"
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
	secrets map[string]readSecret // by credential
}

// load indexes Apps and API keys. While what is in use of them stays the same, so does the index, and what holds it need
// not be made again.
func (a *apps) load(docs []*v1alpha1.Document, all secrets) (*declared.Store, v1alpha1.Errors) {
	parse := func(doc *v1alpha1.Document, read func(string) ([]byte, error)) (declared.App, v1alpha1.Errors) {
		named := secretReader{all: all, namespace: doc.Namespace}
		return declared.FromResource(doc.App.Read(), doc.Origin, declared.Reader{File: read, Secret: named.read}, a.hasher)
	}
	now, errs := a.states.update(docs, &maker[app]{
		make: func(doc *v1alpha1.Document, read func(string) ([]byte, error)) (made app, _ v1alpha1.Errors) {
			parsed, errs := parse(doc, read)
			if len(errs) == 0 {
				made.secrets = all.of(doc.App.Read())
				made.keys, errs = declared.NewKeys(&parsed)
			}
			if len(errs) == 0 {
				doc.App.Release() // the keys are all that it takes to decide
			}
			return made, errs
		},
		current: func(app) bool { return true },
		unchanged: func(made app) bool {
			return all.unchanged(maps.Values(made.secrets)) && made.keys.Findable(a.hasher)
		},
		revoke: func(made *app, newest *v1alpha1.Document, read func(string) ([]byte, error)) *app {
			later, _ := parse(newest, read)
			if newest.Draft != nil && newest.App.Read().Spec.Scopes == nil {
				later.Scopes = made.keys.Scopes() // nobody can tell
			}
			newest.App.Release()
			return &app{secrets: made.secrets, keys: made.keys.Revoke(&later, func(credential string) bool {
				secret, ok := made.secrets[credential]
				return ok && all.gone(secret)
			})}
		},
	})
	keys, bad := a.keys.update(all.apiKeys(), &maker[kube.Credential]{
		make: func(doc *v1alpha1.Document, _ func(string) ([]byte, error)) (kube.Credential, v1alpha1.Errors) {
			return kube.FromSecret(doc.Secret, doc.Origin, a.hasher)
		},
		current:   func(kube.Credential) bool { return true },
		unchanged: func(made kube.Credential) bool { return a.hasher.Has(made.Digest.Pepper) },
		revoke: func(made *kube.Credential, newest *v1alpha1.Document, _ func(string) ([]byte, error)) *kube.Credential {
			later, _ := kube.FromSecret(newest.Secret, newest.Origin, a.hasher)
			if left, ok := made.Revoke(&later); ok {
				return &left
			}
			return nil
		},
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
	for name, app := range a.states.inUse() {
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
	usable := func(name string) bool { s := a.states[name]; return s != nil && s.inUse != nil }
	for name, key := range a.keys.inUse() {
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

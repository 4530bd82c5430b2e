package server

import (
	"errors"
	"slices"

	"github.com/postern-auth/postern/internal/authn/apikey"
	"github.com/postern-auth/postern/internal/authn/jwt"
	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// schemes makes Authenticators of AuthSchemes.
type schemes struct {
	parts  *parts
	states states[scheme]
}

// scheme is a scheme, the key index that it holds, and the Secrets that it was made of.
type scheme struct {
	*policy.Scheme

	store   *declared.Store // nil: none
	secrets []readSecret
}

// load makes the schemes of a snapshot, by "namespace/name". Those that look up keys do so in the snapshot's own index,
// and so do last good versions: no scheme finds a key that an older index has.
func (m *schemes) load(
	docs []*v1alpha1.Document, all secrets, store *declared.Store, hasher *keystore.Hasher,
) (map[string]*policy.Scheme, v1alpha1.Errors) {
	var errs v1alpha1.Errors
	m.states, errs = m.states.update(docs, &maker[scheme]{
		make: func(doc *v1alpha1.Document, read func(string) ([]byte, error)) (scheme, v1alpha1.Errors) {
			named := secretReader{all: all, namespace: doc.Namespace}
			s, err := m.build(doc, declared.Reader{File: read, Secret: named.read}, store, hasher)
			s.secrets = named.list
			return s, asErrors(doc, err)
		},
		current:   func(s scheme) bool { return s.store == nil || s.store == store },
		unchanged: func(s scheme) bool { return all.unchanged(slices.Values(s.secrets)) },
		revoke: func(s *scheme, _ *v1alpha1.Document, _ func(string) ([]byte, error)) *scheme {
			if slices.ContainsFunc(s.secrets, all.gone) {
				return nil
			}
			return s
		},
	})
	made := make(map[string]*policy.Scheme, len(m.states))
	for name, s := range m.states.inUse() {
		made[name] = s.Scheme
	}
	return made, errs
}

// build is where a kind of scheme meets its package.
func (m *schemes) build(
	doc *v1alpha1.Document, read declared.Reader, store *declared.Store, hasher *keystore.Hasher,
) (s scheme, err error) {
	spec, name := &doc.Scheme.Spec, doc.Namespace+"/"+doc.Name
	s.Scheme = &policy.Scheme{Name: name, Realm: spec.Realm}
	switch {
	case spec.APIKey != nil:
		s.store, s.Kind = store, policy.KindAPIKey
		apps := keystore.NewAppSelector(spec.APIKey.Apps.Namespaces, spec.APIKey.Apps.MatchLabels, doc.Namespace)
		s.Authenticator, err = apikey.New(spec.APIKey, apps, m.places(store.For(apps), hasher)...)
	case spec.Signature != nil:
		s.store, s.Kind = store, policy.KindSignature
		signed := *spec.Signature
		signed.Explain = signed.Explain || m.parts.explain
		stores := []keystore.Store{store}
		if m.parts.stored != nil {
			stores = append(stores, m.parts.stored.keys)
		}
		s.Authenticator, err = signature.New(&signed, signature.Options{
			Namespace: doc.Namespace, Stores: stores, Replay: m.parts.replay, BodyLimit: m.parts.bodyLimit,
		})
	case spec.JWT != nil:
		s.Kind = policy.KindJWT
		s.Authenticator, err = jwt.New(spec.JWT, jwt.Options{
			Name: name, Origin: doc.Origin, KeySets: m.parts.keySets, Tokens: m.parts.tokens,
			ReadFile: read.File, ReadSecret: read.Secret, MaxToken: m.parts.maxToken,
		})
	default:
		err = errNoScheme
	}
	return s, err
}

// places are where API keys are looked for: declared ones first, which needs neither a database nor its peppers.
func (m *schemes) places(store keystore.Store, hasher *keystore.Hasher) []apikey.Place {
	places := []apikey.Place{{Store: store, Hasher: hasher}}
	if m.parts.stored != nil {
		places = append(places, apikey.Place{Store: m.parts.stored.keys, Hasher: m.parts.hasher})
	}
	return places
}

var errNoScheme = errors.New("names no scheme; set one of spec.apiKey, spec.signature and spec.jwt")

// asErrors turns what a constructor returned into resource errors.
func asErrors(doc *v1alpha1.Document, err error) v1alpha1.Errors {
	var one *v1alpha1.Error
	var many v1alpha1.Errors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return v1alpha1.Errors{one}
	default:
		return v1alpha1.Errors{doc.Origin.Errorf(doc.Object(), "spec", "", "%v", err)}
	}
}

// authenticators returns all that are in use.
func (m *schemes) authenticators() []authz.Authenticator {
	var all []authz.Authenticator
	for _, s := range m.states.inUse() {
		all = append(all, s.Authenticator)
	}
	return all
}

package server

import (
	"errors"
	"fmt"

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
	states map[string]*state[built]
}

// built is a scheme and the key index that it holds.
type built struct {
	scheme *policy.Scheme
	store  *declared.Store // nil: none
}

// load makes the schemes of a snapshot, by "namespace/name".
func (m *schemes) load(
	docs []*v1alpha1.Document, store *declared.Store, hasher *keystore.Hasher,
) (map[string]*policy.Scheme, v1alpha1.Errors) {
	var errs v1alpha1.Errors
	states := make(map[string]*state[built], len(docs))
	all := make(map[string]*policy.Scheme, len(docs))
	for _, doc := range docs {
		name := fullName(doc)
		s := m.states[name]
		if s.reusable(doc.Scheme) && (s.value.store == nil || s.value.store == store) {
			s = settle(doc, s, *s)
		} else {
			now, bad := m.build(doc, store, hasher)
			errs = append(errs, bad...)
			s = settle(doc, s, now)
		}
		states[name] = s
		if s.made {
			all[name] = s.value.scheme
		}
	}
	m.states = states
	return all, errs
}

// build is where a kind of scheme meets its package.
func (m *schemes) build(
	doc *v1alpha1.Document, store *declared.Store, hasher *keystore.Hasher,
) (state[built], v1alpha1.Errors) {
	s := state[built]{object: doc.Scheme}
	if doc.Scheme == nil {
		return s, nil
	}
	spec, name, r := &doc.Scheme.Spec, fullName(doc), newReader(doc.Origin)
	b := built{scheme: &policy.Scheme{Name: name, Realm: spec.Realm}}
	var err error
	switch {
	case spec.APIKey != nil:
		b.store, b.scheme.Kind = store, policy.KindAPIKey
		b.scheme.Authenticator, err = apikey.New(spec.APIKey, doc.Namespace, store, hasher)
	case spec.Signature != nil:
		b.store, b.scheme.Kind = store, policy.KindSignature
		b.scheme.Authenticator, err = signature.New(spec.Signature, signature.Options{
			Namespace: doc.Namespace, Store: store, Replay: m.parts.replay, BodyLimit: m.parts.bodyLimit,
		})
	case spec.JWT != nil:
		b.scheme.Kind = policy.KindJWT
		b.scheme.Authenticator, err = jwt.New(spec.JWT, jwt.Options{
			Name: name, Origin: doc.Origin, KeySets: m.parts.keySets, Tokens: m.parts.tokens,
			ReadFile: r.read, MaxToken: m.parts.maxToken,
		})
	default:
		err = errNoScheme
	}
	s.value, s.files, s.made = b, r.files, err == nil
	return s, asErrors(doc, err)
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
		return v1alpha1.Errors{doc.Origin.Errorf(doc.Object(), "spec", "see the message", "%s", fmt.Sprint(err))}
	}
}

// authenticators returns all that are in use.
func (m *schemes) authenticators() []authz.Authenticator {
	var all []authz.Authenticator
	for _, s := range m.states {
		if s.made {
			all = append(all, s.value.scheme.Authenticator)
		}
	}
	return all
}

func (m *schemes) files() []readFile {
	var all []readFile
	for _, s := range m.states {
		all = append(all, s.files...)
	}
	return all
}

// Package declared is the keystore.Store of Apps that are written in resources: an immutable index, made anew when the
// resources change. It is all in memory, so it never waits and never fails.
//
// An App goes through three steps: [FromResource] parses it, reading secrets and keys; [NewKeys] completes its keys, to
// which [Keys.With] adds those that stand in Secrets; [New] indexes the keys of all Apps. Stores share the Keys of Apps
// that have not changed, and nothing else of an App need be kept.
package declared

import (
	"context"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// App is an App and its credentials, everything parsed.
type App struct {
	keystore.App

	Credentials []Credential
	Origin      v1alpha1.Origin // for messages
}

// Credential is an API key's digest or, if Signing is set, a signing key.
type Credential struct {
	Name      string
	Digest    keystore.Digest
	Signing   *keystore.SigningKey
	Disabled  bool
	Scopes    []string // nil: the App's; empty: none
	NotBefore time.Time
	ExpiresAt time.Time
}

// Secret is a credential that stands in a Secret of its name, beside the App.
type Secret struct {
	Credential

	Origin v1alpha1.Origin // for messages
}

// Store finds the credentials of declared Apps.
type Store struct {
	digests *index
	signing map[string][]*keystore.Key // by signing id
	byApp   map[pair][]*keystore.Key   // signing keys
	peppers []string
	shared  bool // namespaces share a digest
}

// New indexes the keys of Apps. What clashes with something before it is left out and reported: the same App twice, the
// same digest or signing id in a namespace. A digest that another namespace has too is reported and stays: whoever may
// write Apps in one namespace must not put those of another out of action.
func New(apps []*Keys) (*Store, []*v1alpha1.Error) {
	b := newBuilder(apps)
	for _, a := range apps {
		b.add(a)
	}
	return b.store(), b.errs
}

// ByDigest implements [keystore.Store].
func (s *Store) ByDigest(_ context.Context, d keystore.Digest) (*keystore.Key, error) {
	return s.find(d, anyKey)
}

func (s *Store) find(d keystore.Digest, wanted func(*keystore.Key) bool) (*keystore.Key, error) {
	if k := s.digests.find(d, wanted); k != nil {
		return k, nil
	}
	return nil, keystore.ErrNotFound
}

// For returns the Store as a scheme is to see it that selects these Apps: of several keys with one digest it finds one
// that the scheme accepts, if there is one.
func (s *Store) For(apps keystore.AppSelector) keystore.Store {
	if !s.shared {
		return s
	}
	return &selected{Store: s, apps: apps}
}

// selected is a Store for one scheme.
type selected struct {
	*Store

	apps keystore.AppSelector
}

// ByDigest implements [keystore.Store].
func (s *selected) ByDigest(_ context.Context, d keystore.Digest) (*keystore.Key, error) {
	return s.find(d, func(k *keystore.Key) bool { return s.apps.Accepts(k.App) })
}

// BySigningID implements [keystore.Store].
func (s *Store) BySigningID(_ context.Context, id string) ([]*keystore.Key, error) {
	if keys := s.signing[id]; keys != nil {
		return keys, nil
	}
	return nil, keystore.ErrNotFound
}

// ByApp implements [keystore.Store].
func (s *Store) ByApp(_ context.Context, namespace, name string) ([]*keystore.Key, error) {
	if keys := s.byApp[pair{namespace, name}]; keys != nil {
		return keys, nil
	}
	return nil, keystore.ErrNotFound
}

// Peppers returns the ids of the peppers that the digests were made with, "" standing for none: what
// [keystore.Hasher.Only] wants to know.
func (s *Store) Peppers() []string { return s.peppers }

// Package undeclared is a keystore.Store without the Apps that are declared in resources.
//
// An App of the same name may be written in resources and stored in a database. Then what is declared counts, as it
// does for whoever reads the resources, and no key of the stored App is good.
package undeclared

import (
	"context"
	"slices"

	"github.com/postern-auth/postern/internal/keystore"
)

// Store decorates a keystore.Store. It is safe for concurrent use.
type Store struct {
	next     keystore.Store
	declared func(app string) bool
}

// New makes a Store of what next has and declared does not claim. declared is asked at every use, for an App by
// "namespace/name", and must be safe for concurrent use.
func New(next keystore.Store, declared func(app string) bool) *Store {
	return &Store{next: next, declared: declared}
}

// ByDigest implements [keystore.Store].
func (s *Store) ByDigest(ctx context.Context, d keystore.Digest) (*keystore.Key, error) {
	k, err := s.next.ByDigest(ctx, d)
	if err == nil && s.refuses(k) {
		return nil, keystore.ErrNotFound
	}
	return k, err
}

// BySigningID implements [keystore.Store].
func (s *Store) BySigningID(ctx context.Context, id string) ([]*keystore.Key, error) {
	return s.without(s.next.BySigningID(ctx, id))
}

// ByApp implements [keystore.Store].
func (s *Store) ByApp(ctx context.Context, namespace, name string) ([]*keystore.Key, error) {
	return s.without(s.next.ByApp(ctx, namespace, name))
}

func (s *Store) refuses(k *keystore.Key) bool { return s.declared(k.Principal.App) }

// without leaves out the keys of declared Apps. The slice is shared: what is to be left out is left out of a copy.
func (s *Store) without(keys []*keystore.Key, err error) ([]*keystore.Key, error) {
	if err != nil || !slices.ContainsFunc(keys, s.refuses) {
		return keys, err
	}
	keys = slices.DeleteFunc(slices.Clone(keys), s.refuses)
	if len(keys) == 0 {
		return nil, keystore.ErrNotFound
	}
	return keys, nil
}

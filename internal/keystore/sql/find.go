package sqlstore

import (
	"context"
	"errors"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// ByDigest implements [keystore.Store].
func (s *Store) ByDigest(ctx context.Context, d keystore.Digest) (*keystore.Key, error) {
	if s.peppers.lack(d.Pepper) {
		return nil, keystore.ErrNotFound
	}
	right := func(k *keystore.Key) bool { return k.Digest.Equal(d) }
	keys, err := s.credentials(ctx, right, `k.digest = $1 AND k.pepper = $2`, d.Sum[:], d.Pepper)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// BySigningID implements [keystore.Store].
func (s *Store) BySigningID(ctx context.Context, id string) ([]*keystore.Key, error) {
	if storable(text{"", id}) != nil {
		return nil, keystore.ErrNotFound
	}
	right := func(k *keystore.Key) bool { return k.Signing != nil && k.Signing.ID == id }
	return s.credentials(ctx, right, `k.signing_id = $1`, id)
}

// ByApp implements [keystore.Store].
func (s *Store) ByApp(ctx context.Context, namespace, name string) ([]*keystore.Key, error) {
	if storable(text{"", namespace}, text{"", name}) != nil {
		return nil, keystore.ErrNotFound
	}
	right := func(k *keystore.Key) bool {
		return k.Signing != nil && k.App.Namespace == namespace && k.App.Name == name
	}
	return s.credentials(ctx, right, `k.namespace = $1 AND k.app = $2 AND k.signing_id IS NOT NULL`, namespace, name)
}

// credentials returns the keys for which the condition holds, each with its App; ErrNotFound if there are none. right says
// the same as the condition of what has come back.
func (s *Store) credentials(
	ctx context.Context, right func(*keystore.Key) bool, condition string, args ...any,
) ([]*keystore.Key, error) {
	keys, err := read(ctx, s, func(ctx context.Context, q querier) ([]*keystore.Key, error) {
		return all(ctx, q, s.scanCredential, `SELECT `+keyColumns+`, k.sealed, `+appColumns+`
			FROM keys k JOIN apps a ON a.namespace = k.namespace AND a.name = k.app WHERE `+condition, args...)
	})
	switch {
	case err != nil:
		return nil, err
	case len(keys) == 0:
		return nil, keystore.ErrNotFound
	case slices.ContainsFunc(keys, func(k *keystore.Key) bool { return !right(k) }):
		return nil, errAnswer
	}
	return keys, nil
}

func (s *Store) scanCredential(row scanner) (*keystore.Key, error) {
	var k Key
	var a App
	var text []byte
	if err := row.Scan(append(append(k.columns(), &text), a.columns()...)...); err != nil {
		return nil, err
	}
	var secret authz.Secret
	if text != nil {
		var err error
		if secret, err = s.unseal(k.KeyName, text); err != nil {
			return nil, err
		}
	}
	signing, err := k.signing(secret)
	if err != nil {
		return nil, errors.Join(errors.New("the key "+k.String()+" cannot be used"), err)
	}
	app := &keystore.App{
		Namespace: a.Namespace, Name: a.Name, Labels: a.Labels, Attributes: a.Attributes,
		Scopes: authz.NewScopes(a.Scopes...), Disabled: a.Disabled,
	}
	return keystore.NewKey(app, k.Name, k.Scopes, keystore.Key{
		Digest: k.Digest, Signing: signing, Subject: k.Subject, NotBefore: k.NotBefore, ExpiresAt: k.ExpiresAt,
		Disabled: k.Disabled, Revoked: !k.RevokedAt.IsZero(),
	}), nil
}

package undeclared

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

// inMemory is a store of keys in a slice.
type inMemory []*keystore.Key

func (m inMemory) ByDigest(_ context.Context, d keystore.Digest) (*keystore.Key, error) {
	for _, k := range m {
		if k.Signing == nil && k.Digest.Equal(d) {
			return k, nil
		}
	}
	return nil, keystore.ErrNotFound
}

func (m inMemory) BySigningID(_ context.Context, id string) ([]*keystore.Key, error) {
	return m.signing(func(k *keystore.Key) bool { return k.Signing.ID == id })
}

func (m inMemory) ByApp(_ context.Context, namespace, name string) ([]*keystore.Key, error) {
	return m.signing(func(k *keystore.Key) bool { return k.App.Namespace == namespace && k.App.Name == name })
}

func (m inMemory) signing(wanted func(*keystore.Key) bool) ([]*keystore.Key, error) {
	found := slices.DeleteFunc(slices.Clone(m), func(k *keystore.Key) bool { return k.Signing == nil || !wanted(k) })
	if len(found) == 0 {
		return nil, keystore.ErrNotFound
	}
	return found, nil
}

func none(string) bool { return false }

// TestLaw holds a Store to the law, where nothing is declared and where its keys lie between those of declared Apps.
func TestLaw(t *testing.T) {
	t.Run("nothing is declared", func(t *testing.T) {
		keystoretest.Test(t, func(_ *testing.T, keys []*keystore.Key) keystore.Store { return New(inMemory(keys), none) })
	})
	t.Run("others are declared", func(t *testing.T) {
		keystoretest.Test(t, func(_ *testing.T, keys []*keystore.Key) keystore.Store {
			all := slices.Clone(keys)
			for _, k := range keys {
				app := *k.App
				app.Namespace += "-declared"
				namesake := *k
				namesake.Principal = nil
				if k.Signing == nil {
					namesake.Digest.Sum[31] ^= 2
				}
				all = append(all, keystore.NewKey(&app, "namesake", nil, namesake))
			}
			return New(inMemory(all), func(app string) bool {
				return app != "shop/acme" && app != "shop/bare" && app != "shop/disabled" && app != "other/acme"
			})
		})
	})
}

func TestDeclaredAppsCount(t *testing.T) {
	ctx := context.Background()
	keys := keystoretest.Keys()
	s := New(inMemory(keys), func(app string) bool { return app == "shop/acme" })
	for _, k := range keys {
		if k.Signing != nil {
			continue
		}
		if _, err := s.ByDigest(ctx, k.Digest); errors.Is(err, keystore.ErrNotFound) != (k.Principal.App == "shop/acme") {
			t.Errorf("%s: %v", k.ID, err)
		}
	}
	if found, err := s.BySigningID(ctx, "shared"); err != nil || len(found) != 1 || found[0].ID != "other/acme/signer" {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := s.ByApp(ctx, "shop", "acme"); !errors.Is(err, keystore.ErrNotFound) {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := inMemory(keys).BySigningID(ctx, "shared"); err != nil || len(found) != 2 {
		t.Errorf("what next returned has changed: %v, %v", found, err)
	}
}

type down struct{ error }

func (d down) ByDigest(context.Context, keystore.Digest) (*keystore.Key, error) { return nil, d.error }
func (d down) BySigningID(context.Context, string) ([]*keystore.Key, error)     { return nil, d.error }
func (d down) ByApp(context.Context, string, string) ([]*keystore.Key, error)   { return nil, d.error }

func TestErrorsPass(t *testing.T) {
	ctx, want := context.Background(), errors.New("down")
	s := New(down{want}, func(string) bool { return true })
	_, first := s.ByDigest(ctx, keystore.Digest{})
	_, second := s.BySigningID(ctx, "id")
	_, third := s.ByApp(ctx, "shop", "acme")
	for _, err := range []error{first, second, third} {
		if !errors.Is(err, want) {
			t.Error(err)
		}
	}
}

// fixed is a store of one signing key, that finds it without allocating.
type fixed []*keystore.Key

func (f fixed) ByDigest(context.Context, keystore.Digest) (*keystore.Key, error) { return f[0], nil }
func (f fixed) BySigningID(context.Context, string) ([]*keystore.Key, error)     { return f, nil }
func (f fixed) ByApp(context.Context, string, string) ([]*keystore.Key, error)   { return f, nil }

func TestHitsDoNotAllocate(t *testing.T) {
	ctx := context.Background()
	s := New(fixed(keystoretest.Keys()[:1]), none)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = s.ByDigest(ctx, keystore.Digest{})
		_, _ = s.BySigningID(ctx, "shared")
		_, _ = s.ByApp(ctx, "shop", "acme")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

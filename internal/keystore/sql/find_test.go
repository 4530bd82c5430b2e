package sqlstore

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/seal"
)

func TestFoundKeyObeysItsAppAndItsLife(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		token := apiKey(acme, "token")
		token.Type, token.Subject, token.Scopes = PersonalAccessToken, "alice@example.com", []string{"orders:read", "admin"}
		withApp(t, s, acme, apiKey(acme, "all"), token)
		find := func(k Key) *keystore.Key { return must[*keystore.Key](t)(s.ByDigest(t.Context(), k.Digest)) }

		p := find(token).Principal
		if p.Subject != "alice@example.com" || p.App != "shop/acme" || p.KeyID != "shop/acme/token" || p.Scopes.String() != "orders:read" {
			t.Errorf("a token proves %+v", p)
		}
		p = find(apiKey(acme, "all")).Principal
		if p.Subject != "app:shop/acme" || p.Scopes.String() != "orders:read orders:write" || p.Labels["tier"] != "partner" {
			t.Errorf("a key proves %+v", p)
		}

		update(t, s, func(tx *Tx) error {
			a, err := tx.App(acme)
			if err == nil {
				a.Scopes = []string{"later"}
				_, err = tx.UpdateApp(a)
			}
			return err
		})
		if got := find(apiKey(acme, "all")).Scopes.String(); got != "later" {
			t.Errorf("after the App's scopes changed the key has %q", got)
		}
		change(t, s, token.KeyName, func(k *Key) { k.RevokedAt = noon })
		err := find(token).Check(noon)
		if f := new(authz.Failure); !errors.As(err, &f) || f.Reason != authz.ReasonKeyRevoked {
			t.Errorf("a revoked key: %v", err)
		}
	})
}

func newSealer(t *testing.T, text []byte) *seal.Keys { return must[*seal.Keys](t)(seal.Parse(text)) }

func TestSecretThatCannotBeUnsealedIsAnError(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		withApp(t, s, acme, hmacKey(acme, "a", "a"), hmacKey(acme, "b", "b"))
		if keys := must[[]*keystore.Key](t)(s.BySigningID(t.Context(), "a")); keys[0].Signing.Secret != hmacKey(acme, "a", "a").Secret {
			t.Errorf("found %v", keys)
		}
		// A row's secret is bound to the row.
		must[int64](t)(exec(t.Context(), s.db.write, `UPDATE keys SET sealed = (SELECT sealed FROM keys WHERE name = 'b') WHERE name = 'a'`))
		if _, err := s.BySigningID(t.Context(), "a"); !errors.Is(err, seal.ErrUnsealable) || errors.Is(err, keystore.ErrNotFound) {
			t.Error(err)
		}
		o.Sealer = newSealer(t, must[[]byte](t)(seal.Generate()))
		if _, err := open(t, o).BySigningID(t.Context(), "b"); !errors.Is(err, seal.ErrUnsealable) {
			t.Error(err)
		}
		s.opts.Sealer = nil
		if _, err := s.BySigningID(t.Context(), "b"); err == nil || errors.Is(err, keystore.ErrNotFound) {
			t.Error(err)
		}
		if err := s.Update(t.Context(), makes(func(tx *Tx) (Key, error) { return tx.CreateKey(hmacKey(acme, "c", "c")) })); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestRewrap(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		first := must[[]byte](t)(seal.Generate())
		o.Sealer = newSealer(t, first)
		s := open(t, o)
		keys := []Key{apiKey(acme, "api")}
		for i := range 150 { // more than one transaction takes
			name := "k" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			keys = append(keys, hmacKey(acme, name, name))
		}
		withApp(t, s, acme, keys...)
		o.Sealer = newSealer(t, must[[]byte](t)(seal.Add(first)))
		rotated := open(t, o)
		if n, err := rotated.Rewrap(t.Context()); n != 150 || err != nil {
			t.Fatalf("%d rewrapped, %v", n, err)
		}
		if n, err := rotated.Rewrap(t.Context()); n != 0 || err != nil {
			t.Errorf("%d rewrapped again, %v", n, err)
		}
		if got := must[[]*keystore.Key](t)(rotated.ByApp(t.Context(), "shop", "acme")); len(got) != 150 || got[7].Signing.Secret == "" {
			t.Errorf("%d keys", len(got))
		}
		if _, err := s.BySigningID(t.Context(), "kaa"); !errors.Is(err, seal.ErrUnsealable) {
			t.Errorf("the old key still unseals: %v", err)
		}
	})
}

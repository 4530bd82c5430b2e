package keystoretest

import (
	"crypto/ed25519"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// Keys are credentials of every kind, of Apps in two namespaces.
func Keys() []*keystore.Key {
	acme := &keystore.App{
		Namespace: "shop", Name: "acme",
		Labels:     map[string]string{"tier": "partner", "example.com/region": "eu"},
		Attributes: map[string]string{"tenant": "t1", "note": "größer, 'quoted' \"twice\""},
		Scopes:     authz.NewScopes("orders:read", "orders:write"),
	}
	bare := &keystore.App{Namespace: "shop", Name: "bare"}
	disabled := &keystore.App{Namespace: "shop", Name: "disabled", Disabled: true, Scopes: authz.NewScopes("orders:read")}
	namesake := &keystore.App{Namespace: "other", Name: "acme", Scopes: authz.NewScopes("orders:read")}

	from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	until := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	secret := authz.Secret("bytes \x00\xff\n of a secret")
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)

	peppered := Digest("peppered")
	peppered.Pepper = "p1"
	key := keystore.NewKey
	return []*keystore.Key{
		key(acme, "current", nil, keystore.Key{Digest: Digest("current"), NotBefore: from, ExpiresAt: until}),
		key(acme, "narrow", []string{"orders:read"}, keystore.Key{Digest: Digest("narrow")}),
		key(acme, "greedy", []string{"orders:read", "admin"}, keystore.Key{Digest: Digest("greedy")}),
		key(acme, "scopeless", []string{}, keystore.Key{Digest: Digest("scopeless")}),
		key(acme, "peppered", nil, keystore.Key{Digest: peppered}),
		key(acme, "expired", nil, keystore.Key{Digest: Digest("expired"), ExpiresAt: from}),
		key(acme, "off", nil, keystore.Key{Digest: Digest("off"), Disabled: true}),
		key(bare, "only", nil, keystore.Key{Digest: Digest("bare")}),
		key(disabled, "only", nil, keystore.Key{Digest: Digest("of a disabled app")}),
		key(namesake, "current", nil, keystore.Key{Digest: Digest("namesake")}),

		key(acme, "signer", nil, keystore.Key{Signing: &keystore.SigningKey{ID: "shared", Secret: secret, Algorithm: "hmac-sha256"}}),
		key(namesake, "signer", nil, keystore.Key{Signing: &keystore.SigningKey{ID: "shared", Secret: secret + "2"}}),
		key(acme, "pair", []string{"orders:read"}, keystore.Key{
			Signing: &keystore.SigningKey{ID: "https://acme.example/keys#1", PublicKey: public, Algorithm: "ed25519"}, ExpiresAt: until,
		}),
		key(disabled, "signer", nil, keystore.Key{Signing: &keystore.SigningKey{ID: "shared_2", Secret: secret}, Disabled: true}),
	}
}

package declared

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

// Times, names and scopes are few, so that they often meet.
var (
	someNames = rapid.SampledFrom([]string{"a", "b", "c"})
	someTimes = rapid.Custom(func(t *rapid.T) time.Time {
		if hour := rapid.IntRange(0, 4).Draw(t, "hour"); hour > 0 {
			return at(hour)
		}
		return time.Time{}
	})
	someScopes = rapid.SampledFrom([][]string{nil, {}, {"read"}, {"write"}, {"read", "write"}})
)

func at(hour int) time.Time { return time.Date(2026, 10, 1, hour, 0, 0, 0, time.UTC) }

// someCredentials draws API keys, signing keys and credentials of which neither could be made. A key has one of two
// values by the credential's name.
var someCredentials = rapid.Custom(func(t *rapid.T) Credential {
	c := Credential{
		Name: someNames.Draw(t, "name"), Disabled: rapid.Bool().Draw(t, "disabled"),
		NotBefore: someTimes.Draw(t, "notBefore"), ExpiresAt: someTimes.Draw(t, "expiresAt"), Scopes: someScopes.Draw(t, "scopes"),
	}
	value := c.Name + rapid.SampledFrom([]string{" one", " two"}).Draw(t, "value")
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		c.Digest = keystoretest.Digest(value)
	case 1:
		c.Signing = &keystore.SigningKey{ID: c.Name, Secret: authz.Secret(value)}
	}
	return c
})

func isKey(c Credential) bool { return c.Signing != nil || c.Digest != keystore.Digest{} }

// TestRevoke: a key is good after a later version of its App as long as both versions say so, and for what both say, the
// later one has not another key in its place, and what it was made of is not gone. Hearing the same again changes nothing
// more, and what was there before stays as it was.
func TestRevoke(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := func(c Credential) string { return c.Name }
		first := app("shop", "acme", rapid.SliceOfNDistinct(someCredentials.Filter(isKey), 0, 3, name).Draw(t, "first")...)
		later := app("shop", "acme", rapid.SliceOfN(someCredentials, 0, 4).Draw(t, "later")...)
		first.Disabled, later.Disabled = rapid.Bool().Draw(t, "firstDisabled"), rapid.Bool().Draw(t, "laterDisabled")
		first.Scopes, later.Scopes = authz.NewScopes(someScopes.Draw(t, "firstScopes")...), authz.NewScopes(someScopes.Draw(t, "laterScopes")...)
		ended := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "gone")
		gone := func(credential string) bool { return credential == ended }

		keys, _ := NewKeys(&first)
		left := keys.Revoke(&later, gone)
		again := left.Revoke(&later, gone)
		for i := range first.Credentials {
			c := &first.Credentials[i]
			for hour := 1; hour <= 5; hour++ {
				before := good(t, keys, c, at(hour))
				if want := says(&first, c, at(hour)); before != want {
					t.Errorf("before, %s is good at %d: %v, want %v", c.Name, hour, before, want)
				}
				want := before && !gone(c.Name) && says(&later, c, at(hour))
				if got := good(t, left, c, at(hour)); got != want {
					t.Errorf("%s is good at %d: %v, want %v", c.Name, hour, got, want)
				}
				if got := good(t, again, c, at(hour)); got != want {
					t.Errorf("heard again, %s is good at %d: %v, want %v", c.Name, hour, got, want)
				}
			}
			for _, scope := range []string{"read", "write"} {
				before := may(t, keys, c, scope)
				if want := grants(&first, c, scope); before != want {
					t.Errorf("before, %s may %s: %v, want %v", c.Name, scope, before, want)
				}
				want := before && grants(&later, c, scope)
				for what, revoked := range map[string]*Keys{"once": left, "again": again} {
					if k := find(t, revoked, c); k != nil && may(t, revoked, c, scope) != want {
						t.Errorf("heard %s, %s may %s: %v, want %v", what, c.Name, scope, !want, want)
					}
				}
			}
		}
	})
}

// find returns the credential's key as a store of the keys has it, nil if it has none.
func find(t *rapid.T, keys *Keys, c *Credential) *keystore.Key {
	s, errs := New([]*Keys{keys})
	if errs != nil {
		t.Fatal(errs)
	}
	if c.Signing == nil {
		k, _ := s.ByDigest(t.Context(), c.Digest)
		return k
	}
	if found, _ := s.BySigningID(t.Context(), c.Signing.ID); len(found) == 1 {
		return found[0]
	}
	return nil
}

// good reports whether a store of the keys has the credential's key, good at the time.
func good(t *rapid.T, keys *Keys, c *Credential, now time.Time) bool {
	k := find(t, keys, c)
	return k != nil && k.Check(now) == nil
}

// may reports whether a store of the keys has the credential's key, with the scope.
func may(t *rapid.T, keys *Keys, c *Credential, scope string) bool {
	k := find(t, keys, c)
	if k != nil && k.Principal.Scopes.String() != k.Scopes.String() {
		t.Errorf("%s proves the scopes %s and has %s", c.Name, k.Principal.Scopes, k.Scopes)
	}
	return k != nil && k.Scopes.Has(scope)
}

// grants reports whether a version of the App gives the credential's key the scope.
func grants(a *App, of *Credential, scope string) bool {
	i := slices.IndexFunc(a.Credentials, func(c Credential) bool { return c.Name == of.Name })
	return i >= 0 && a.Scopes.Has(scope) && (a.Credentials[i].Scopes == nil || slices.Contains(a.Credentials[i].Scopes, scope))
}

// says reports whether a version of the App lets the credential's key be used at the time. The first of two credentials
// of a name counts, and one of which no key could be made might be the same key.
func says(a *App, of *Credential, now time.Time) bool {
	for _, c := range a.Credentials {
		if c.Name != of.Name {
			continue
		}
		same := !isKey(c) || c.Digest == of.Digest && cmp.Equal(c.Signing, of.Signing)
		k := keystore.Key{App: &a.App, Disabled: c.Disabled, NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt}
		return same && k.Check(now) == nil
	}
	return false
}

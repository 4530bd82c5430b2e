package apikey

import (
	"testing"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestImportedDigests has keys that one App was issued, and that another imports by what everybody can make of them.
func TestImportedDigests(t *testing.T) {
	owner := func(namespace string, c declared.Credential) declared.App {
		return declared.App{
			App: keystore.App{Namespace: namespace, Name: "owner"}, Credentials: []declared.Credential{credential("issued", "p1", good, c)},
		}
	}
	thief := declared.App{
		App: keystore.App{Namespace: "shop", Name: "thief"}, Credentials: []declared.Credential{credential("imported", "", good, declared.Credential{})},
	}
	spec := v1alpha1.APIKeyScheme{In: []v1alpha1.Location{{Header: "X-API-Key"}}}
	for name, tc := range map[string]struct {
		apps []declared.App
		want string // the key's id
	}{
		"imported alone":                 {[]declared.App{thief}, "shop/thief/imported"},
		"issued and imported":            {[]declared.App{thief, owner("shop", declared.Credential{})}, "shop/owner/issued"},
		"issued and ended":               {[]declared.App{thief, owner("shop", declared.Credential{Disabled: true})}, ""},
		"issued to whom it does not ask": {[]declared.App{thief, owner("other", declared.Credential{})}, "shop/thief/imported"},
	} {
		a, err := New(&spec, ofShop, Place{index(t, tc.apps), hasher})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		p, err := authenticate(a, request(good))
		if err == nil {
			got = p.KeyID
		}
		if got != tc.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tc.want)
		}
	}
}

package declared

import (
	"reflect"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// Revoke returns the keys less what a later version of the App turns off, whatever else is wrong with that version. A
// key is left out if the later version has no credential of its name, or another key in its place, or if gone says that
// what it was made of is gone. The others are good only while both versions say so, and for what both say. A credential of
// which no key could be made says nothing about what the key is.
func (a *Keys) Revoke(later *App, gone func(credential string) bool) *Keys {
	app := *a.app
	app.Disabled, app.Scopes = app.Disabled || later.Disabled, app.Scopes.Only(later.Scopes.List())
	left := &Keys{app: &app, keys: slices.Clone(a.keys), origin: a.origin}
	for i := range left.keys {
		k := &left.keys[i]
		if k.App == nil {
			continue
		}
		name := k.ID[len(app.Namespace+"/"+app.Name+"/"):]
		at := slices.IndexFunc(later.Credentials, func(c Credential) bool { return c.Name == name })
		if at < 0 || gone(name) || later.Credentials[at].replaces(&k.Key) {
			*k = credential{}
			continue
		}
		c := &later.Credentials[at]
		k.App = &app
		k.Disabled = k.Disabled || c.Disabled
		k.NotBefore, k.ExpiresAt = keystore.Overlap(k.NotBefore, k.ExpiresAt, c.NotBefore, c.ExpiresAt)
		k.Scopes = k.Scopes.Only(app.Scopes.List())
		if c.Scopes != nil {
			k.Scopes = k.Scopes.Only(c.Scopes)
		}
		k.principal.Scopes = k.Scopes // its own: the key before has another
		k.Principal = &k.principal
	}
	return left
}

// Scopes are the App's: the most that a credential of it can hold.
func (a *Keys) Scopes() authz.Scopes { return a.app.Scopes }

// replaces reports whether the credential is certainly another key.
func (c *Credential) replaces(k *keystore.Key) bool {
	if c.Signing == nil && c.Digest == (keystore.Digest{}) {
		return false
	}
	return c.Digest != k.Digest || !reflect.DeepEqual(c.Signing, k.Signing)
}

package declared

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Keys are the credentials of one App, complete. There may be a million, so those of an App lie side by side.
type Keys struct {
	app     *keystore.App
	keys    []credential // one for each credential; without an App: it is left out
	origin  v1alpha1.Origin
	secrets []Secret // the last of the keys stand in these
}

// credential is a key with whom it proves beside it, for who reads the one reads the other.
type credential struct {
	keystore.Key

	principal authz.Principal
}

// NewKeys completes the keys of an App. A credential that is neither an API key nor a signing key, or has the name of
// one before it, is left out and reported.
func NewKeys(a *App) (*Keys, []*v1alpha1.Error) {
	app := a.App
	all := &Keys{app: &app, keys: make([]credential, len(a.Credentials)), origin: a.Origin}
	var names map[string]struct{}
	if len(a.Credentials) > 1 {
		names = make(map[string]struct{}, len(a.Credentials))
	}
	var errs []*v1alpha1.Error
	for i := range a.Credentials {
		c := &a.Credentials[i]
		if _, taken := names[c.Name]; taken {
			errs = append(errs, all.errorf(i, "name", "give each credential its own name",
				"the name %q is taken; the first credential of that name counts", c.Name))
			continue
		}
		if names != nil { // one credential needs none
			names[c.Name] = struct{}{}
		}
		if c.Signing == nil && c.Digest == (keystore.Digest{}) {
			errs = append(errs, all.errorf(i, "", "give it one", "the credential has neither an API key's digest nor a signing key"))
			continue
		}
		all.keys[i].complete(&app, c)
	}
	return all, errs
}

// complete makes the key of a credential, which stays where it is.
func (k *credential) complete(app *keystore.App, c *Credential) {
	k.Key = keystore.Key{
		Signing: c.Signing, Disabled: c.Disabled, NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt, Principal: &k.principal,
	}
	if c.Signing == nil {
		k.Digest = c.Digest
	}
	k.Complete(app, c.Name, c.Scopes)
}

// With returns the keys with those of Secrets after them. One that has the name of a credential before it is left out
// and reported.
func (a *Keys) With(secrets []Secret) (*Keys, []*v1alpha1.Error) {
	all := &Keys{
		app: a.app, origin: a.origin, secrets: secrets,
		keys: append(make([]credential, 0, len(a.keys)+len(secrets)), a.keys...),
	}
	taken := make(map[string]struct{}, cap(all.keys))
	for i := range a.keys {
		taken[a.keys[i].ID] = struct{}{}
	}
	var errs []*v1alpha1.Error
	for i := range secrets {
		all.keys = append(all.keys, credential{}) // there is room: none moves
		k := &all.keys[len(all.keys)-1]
		k.complete(a.app, &secrets[i].Credential)
		if _, twice := taken[k.ID]; twice {
			*k = credential{}
			errs = append(errs, all.errorf(len(all.keys)-1, "name", "rename one of them", "the App has a credential of that name; that one counts"))
			continue
		}
		taken[k.ID] = struct{}{}
	}
	return all, errs
}

// Findable reports whether the hasher makes the digests of all API keys among them.
func (a *Keys) Findable(hasher *keystore.Hasher) bool {
	return !slices.ContainsFunc(a.keys, func(k credential) bool {
		return k.App != nil && k.Signing == nil && !hasher.Has(k.Digest.Pepper)
	})
}

// Signing returns the App's signing keys.
func (a *Keys) Signing() []*keystore.SigningKey {
	var signing []*keystore.SigningKey
	for i := range a.keys {
		if a.keys[i].Signing != nil {
			signing = append(signing, a.keys[i].Signing)
		}
	}
	return signing
}

// errorf says what is wrong with a field of a credential, or with the App if credential is negative.
func (a *Keys) errorf(credential int, name, remedy, format string, args ...any) *v1alpha1.Error {
	if i := credential - (len(a.keys) - len(a.secrets)); len(a.secrets) > 0 && i >= 0 {
		s := &a.secrets[i]
		return s.Origin.Errorf("Secret "+a.app.Namespace+"/"+s.Name, secretFields[name], remedy, format, args...)
	}
	if credential >= 0 {
		name = field(credential, name)
	}
	return a.origin.Errorf(object(a.app), name, remedy, format, args...)
}

// secretFields are where a Secret has the fields of a credential.
var secretFields = map[string]string{"name": "metadata.name", "apiKey.digest": "data"}

// object names the App in messages.
func object(a *keystore.App) string { return "App " + a.Namespace + "/" + a.Name }

// field names a credential's field as the resource does.
func field(credential int, name string) string {
	return strings.TrimSuffix(fmt.Sprintf("spec.credentials[%d].%s", credential, name), ".")
}

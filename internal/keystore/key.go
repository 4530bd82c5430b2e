package keystore

import (
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// What Check refuses with. They carry the Reason of the denial.
var (
	errKeyRevoked     = authz.Fail(authz.ReasonKeyRevoked, nil)
	errKeyDisabled    = authz.Fail(authz.ReasonKeyDisabled, nil)
	errAppDisabled    = authz.Fail(authz.ReasonAppNotAccepted, errors.New("the app is disabled"))
	errKeyNotYetValid = authz.Fail(authz.ReasonKeyNotYetValid, nil)
	errKeyExpired     = authz.Fail(authz.ReasonKeyExpired, nil)
	errNoTime         = authz.Fail(authz.ReasonInternal, errors.New("nobody said what time it is"))
)

// NewKey completes the metadata k of a credential of the App: its ID, its Principal, and its Scopes, which become those
// of names that the App has as well. names nil stands for all the App's scopes, and empty for none. The Principal's
// subject is the key's, as a token of that user would give it, or else "app:" and the App.
func NewKey(app *App, credential string, names []string, k Key) *Key {
	k.Complete(app, credential, names)
	return &k
}

// Complete does the work of NewKey in place, for stores that hold many Keys in one piece of memory.
func (k *Key) Complete(app *App, credential string, names []string) {
	k.App, k.Scopes = app, app.Scopes
	if names != nil {
		k.Scopes = app.Scopes.Only(names)
	}
	// One string holds the three: "app:shop/acme/2026-q4".
	const scheme = "app:"
	text := scheme + app.Namespace + "/" + app.Name + "/" + credential
	subject := text[:len(text)-len("/")-len(credential)]
	k.ID = text[len(scheme):]
	name := subject[len(scheme):]
	if k.Subject != "" {
		subject = k.Subject
	}
	if k.Principal == nil {
		k.Principal = new(authz.Principal)
	}
	*k.Principal = authz.Principal{
		Subject:    subject,
		App:        name,
		KeyID:      k.ID,
		Scopes:     k.Scopes,
		Attributes: app.Attributes,
		Labels:     app.Labels,
	}
}

// Check reports whether the key is good at the time: an error that carries the Reason if it is not. A key is good from
// NotBefore until before ExpiresAt.
func (k *Key) Check(now time.Time) error {
	switch {
	case k.Revoked:
		return errKeyRevoked
	case k.Disabled:
		return errKeyDisabled
	case k.App.Disabled:
		return errAppDisabled
	case now.IsZero():
		return errNoTime // every ExpiresAt would lie in the future
	case now.Before(k.NotBefore):
		return errKeyNotYetValid
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return errKeyExpired
	}
	return nil
}

// Overlap returns the time that lies in both of two, each from a begin until an end; an end that is zero never comes.
func Overlap(begin, end, otherBegin, otherEnd time.Time) (from, until time.Time) {
	if begin.Before(otherBegin) {
		begin = otherBegin
	}
	if end.IsZero() || !otherEnd.IsZero() && otherEnd.Before(end) {
		end = otherEnd
	}
	return begin, end
}

// Size returns about what the key takes in memory with all it refers to, in bytes, as if it shared nothing.
func (k *Key) Size() int64 {
	const (
		fixed   = 480 // Key, Principal and App
		mapSize = 300 // of a small map
	)
	size := fixed + 2*len(k.ID) + len(k.Subject) + len(k.Digest.Pepper) + len(k.App.Namespace) + len(k.App.Name) +
		len(k.Scopes.String()) + len(k.App.Scopes.String())
	for _, m := range []map[string]string{k.App.Labels, k.App.Attributes} {
		if m != nil {
			size += mapSize
		}
		for name, value := range m {
			size += 40 + len(name) + len(value)
		}
	}
	if k.Signing != nil {
		size += k.Signing.size()
	}
	return int64(size)
}

// Package apikey authenticates callers by API key.
//
// A key is taken from the places the scheme names (see authz.Locations, which refuses two different ones), its checksum
// is compared if the scheme only takes minted keys, and then it is looked up by digest, since nobody stores keys
// themselves. What is found must be of an App that the scheme accepts and good right now.
//
// Keys may be in several places, which are asked in turn: those in memory never wait for a database, and work without it.
//
// A key can be known under several digests. Those with a pepper come before the plain one, which everybody can make who has
// seen the key, and the first that is a key of the scheme's Apps decides: importing it neither takes the place of a key
// that was issued in the same place, nor makes one good again that was revoked there. Places do not know of each other:
// what is declared comes first. And while a place cannot tell of one digest, a key that is good by another is good.
//
// Whatever is wrong with a key takes the same path: every digest is looked up in a place before the key is refused, and
// the client hears one answer. Only a checksum that does not fit is refused earlier, without a look-up; everybody can
// compute it, so that tells nothing.
package apikey

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// maxKey is how long an imported key may be, in bytes. Longer ones would only cost time to digest.
const maxKey = 4 << 10

// scheme is the name in WWW-Authenticate. It is not registered; clients of other gateways know it.
const scheme = "ApiKey"

// What Verify refuses with.
var (
	errMalformed   = authz.Fail(authz.ReasonMalformedCredential, errors.New("it holds control or non-ASCII bytes, or is too long"))
	errChecksum    = authz.Fail(authz.ReasonMalformedCredential, errors.New("its checksum is not that of a minted key"))
	errUnknown     = authz.Fail(authz.ReasonUnknownKey, nil)
	errNotAccepted = authz.Fail(authz.ReasonAppNotAccepted, errors.New("the scheme does not select the key's App"))
)

// Place is a store of keys, and the digests that it is asked for.
type Place struct {
	Store  keystore.Store
	Hasher *keystore.Hasher
}

// authenticator is one API key scheme.
type authenticator struct {
	in     *authz.Locations
	minted bool
	apps   keystore.AppSelector
	places []Place
}

// New makes the Authenticator of an apiKey scheme whose defaults are set, for keys of the Apps. Of several places one is
// asked only if those before it do not know the key, or know it as one of other Apps only.
func New(spec *v1alpha1.APIKeyScheme, apps keystore.AppSelector, places ...Place) (authz.Authenticator, error) {
	if len(spec.In) == 0 || len(spec.In) > authz.MaxLocations {
		return nil, fmt.Errorf("spec.apiKey.in: names %d places; name 1 to %d", len(spec.In), authz.MaxLocations)
	}
	in := make([]authz.Location, len(spec.In))
	for i, at := range spec.In {
		in[i] = authz.Location(at)
	}
	return &authenticator{
		in:     authz.NewLocations(in, spec.Forward),
		minted: spec.Checksum != v1alpha1.ChecksumIgnored,
		apps:   apps,
		places: places,
	}, nil
}

// Extract implements [authz.Authenticator].
func (a *authenticator) Extract(r *authz.Request) (authz.Credential, error) { return a.in.Find(r) }

// Challenge implements [authz.Authenticator].
func (a *authenticator) Challenge(realm string) authz.Challenge {
	return authz.Challenge{Scheme: scheme}.With("realm", realm)
}

// Verify implements [authz.Authenticator].
func (a *authenticator) Verify(ctx context.Context, r *authz.Request, c authz.Credential) (*authz.Principal, error) {
	if !isClean(c.Value) {
		return nil, errMalformed
	}
	if a.minted && !keystore.IsMinted(c.Value) {
		return nil, errChecksum
	}
	ctx, cancel := r.Within(ctx)
	defer cancel()
	var refusal error = errUnknown
	var unavailable error
	for i := range a.places {
		p, err := a.find(ctx, &a.places[i], r, c.Value)
		switch {
		case err == nil:
			return p, nil
		case errors.Is(err, errUnknown):
		case errors.Is(err, errNotAccepted):
			refusal = err // the next place may know it as one of ours
		case authz.ReasonOf(err).Class() == authz.ClassUnavailable:
			unavailable = err // the next place may know the key
		default:
			return nil, err
		}
	}
	if unavailable != nil {
		return nil, unavailable
	}
	return nil, refusal
}

// find looks a key up in one place.
func (a *authenticator) find(ctx context.Context, at *Place, r *authz.Request, key authz.Secret) (*authz.Principal, error) {
	var room [4]keystore.Digest
	var refusal error = errUnknown
	var unavailable error
	for _, d := range at.Hasher.AppendDigests(room[:0], key) {
		k, err := at.Store.ByDigest(ctx, d)
		switch {
		case errors.Is(err, keystore.ErrNotFound):
		case err != nil:
			unavailable = authz.Unavailable(authz.ReasonStoreUnavailable, err)
		case !errors.Is(refusal, errUnknown) && !errors.Is(refusal, errNotAccepted): // it is decided; this look-up is for its time
		default:
			if refusal = a.accept(k, d, r); refusal == nil {
				return k.Principal, nil
			}
		}
	}
	if unavailable != nil {
		return nil, unavailable // one of the look-ups that failed might have found a good key
	}
	return nil, refusal
}

// accept returns why a key that was found does not count here and now.
func (a *authenticator) accept(k *keystore.Key, d keystore.Digest, r *authz.Request) error {
	switch {
	case !k.Digest.Equal(d):
		return errUnknown
	case !a.apps.Accepts(k.App):
		return errNotAccepted
	}
	return k.Check(r.Now)
}

// isClean reports whether the key is of a length and of characters that it may have in a header.
func isClean(key authz.Secret) bool {
	if len(key) > maxKey {
		return false
	}
	for i := range len(key) {
		if c := key[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

package jwt

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Scheme is an AuthScheme of JWTs, compiled. It implements [authz.Authenticator].
type Scheme struct {
	in       *authz.Locations
	issuers  []issuer
	types    map[string]bool // as token.mediaType spells them
	leeway   time.Duration
	required []requiredClaim
	subject  claimPath
	scopes   []claimPath
	client   claimPath
	binding  v1alpha1.BindingMode

	identity string // differs from that of every other scheme, and of this one with another specification
	tokens   *Tokens
	maxToken int
}

// requiredClaim is a claim that every token must have, and the failure of those that do not.
type requiredClaim struct {
	claimPath
	missing *authz.Failure
}

// facts is what a verified token says. It is a fact, not a decision: what can change is checked at every use.
type facts struct {
	principal *authz.Principal
	window    window
	binding   binding
	issuer    int               // index in Scheme.issuers
	keys      [sha256.Size]byte // digest of the key set that verified it
}

// check looks at what a token's use depends on, apart from its issuer's keys.
func (f *facts) check(r *authz.Request) error {
	if err := f.window.check(r.Now); err != nil {
		return err
	}
	return f.binding.check(r)
}

// Extract implements [authz.Authenticator].
func (s *Scheme) Extract(r *authz.Request) (authz.Credential, error) { return s.in.Find(r) }

// Challenge implements [authz.Authenticator] (RFC 6750 section 3).
func (s *Scheme) Challenge(realm string) authz.Challenge {
	return authz.Challenge{Scheme: "Bearer"}.With("realm", realm)
}

// Verify implements [authz.Authenticator].
func (s *Scheme) Verify(ctx context.Context, r *authz.Request, c authz.Credential) (*authz.Principal, error) {
	text := c.Value.Reveal()
	if len(text) > s.maxToken {
		return nil, errTooLong
	}
	id := newTokenID(s.identity, text)
	f, seen := s.tokens.find(id)
	if !seen || !s.keysUnchanged(f, r.Now) {
		var err error
		if f, err = s.verify(ctx, r, text); err != nil {
			return nil, err
		}
		s.tokens.add(id, f, len(text), r.Now)
		return f.principal, nil
	}
	if err := f.check(r); err != nil {
		return nil, err
	}
	return f.principal, nil
}

// keysUnchanged reports whether the issuer's keys are still the ones that verified the token: a key may be withdrawn.
func (s *Scheme) keysUnchanged(f *facts, now time.Time) bool {
	set := s.issuers[f.issuer].keys.current(now)
	return set != nil && set.digest == f.keys
}

// verify takes the steps of the package comment for a token that was not seen before.
func (s *Scheme) verify(ctx context.Context, r *authz.Request, text string) (*facts, error) {
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	if !s.types[t.mediaType] {
		return nil, errType
	}
	at := s.issuerOf(t)
	if at < 0 {
		return nil, errIssuer
	}
	from := &s.issuers[at]
	a := from.algorithms[t.algorithm]
	if a == nil {
		return nil, errAlgorithm
	}
	f, err := s.read(t.claims, from)
	if err != nil {
		return nil, err
	}
	if err := f.check(r); err != nil {
		return nil, err
	}
	k, set, err := from.key(ctx, r, t, a)
	if err != nil {
		return nil, err
	}
	if !a.verify(k.public, t.signed, t.signature) {
		return nil, errSignature
	}
	f.issuer, f.keys = at, set.digest
	return f, nil
}

// issuerOf returns the index of the issuer that t claims to be of, -1 if there is none.
func (s *Scheme) issuerOf(t *token) int {
	name, ok := t.claims["iss"].(string)
	for i := range s.issuers {
		if ok && s.issuers[i].name == name {
			return i
		}
	}
	return -1
}

// read makes the facts that the claims amount to if the signature holds.
//
// Principal.KeyID stays empty: a token's kid names its issuer's key, and nothing of the caller's.
func (s *Scheme) read(claims map[string]any, from *issuer) (*facts, error) {
	f := &facts{principal: &authz.Principal{Claims: claims}}
	var err error
	if f.window, err = readWindow(claims, s.leeway); err != nil {
		return nil, err
	}
	if !inAudience(claims["aud"], from.audiences) {
		return nil, errAudience
	}
	for i := range s.required {
		if s.required[i].in(claims) == nil {
			return nil, s.required[i].missing
		}
	}
	if sub, there := claims["sub"]; there {
		if _, ok := sub.(string); !ok {
			return nil, errSubject
		}
	}
	var ok bool
	if f.principal.Subject, ok = s.subject.text(claims); !ok {
		return nil, errSubject
	}
	if f.principal.App, ok = s.client.text(claims); !ok {
		return nil, errClient
	}
	if f.principal.Scopes, err = readScopes(claims, s.scopes); err != nil {
		return nil, err
	}
	if f.binding, err = readBinding(claims, s.binding); err != nil {
		return nil, err
	}
	return f, nil
}

package signature

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func fail(reason authz.Reason, text string) *authz.Failure {
	return authz.Fail(reason, errors.New(text))
}

var (
	errGone        = malformed("the request has no signature that counts")
	errNoCreated   = fail(authz.ReasonNotCovered, "the signature does not say when it was created")
	errNoNonce     = fail(authz.ReasonNotCovered, "the signature has no nonce, and the scheme requires one")
	errFuture      = fail(authz.ReasonClockSkew, "the signature was created in the future")
	errOld         = fail(authz.ReasonClockSkew, "the signature is older than maxAge")
	errExpired     = fail(authz.ReasonClockSkew, "the signature has expired")
	errBackwards   = malformed("the signature expires before it was created")
	errUnknown     = fail(authz.ReasonUnknownKey, "no signing key has the signature's keyid, or belongs to the scheme's app")
	errApp         = fail(authz.ReasonAppNotAccepted, "the signing key belongs to no App that the scheme accepts")
	errAlgorithm   = fail(authz.ReasonAlgorithmRefused, "no accepted algorithm fits the signing key and the signature's alg")
	errWrong       = fail(authz.ReasonBadSignature, "the signature does not verify")
	errBodyUnbound = fail(authz.ReasonNotCovered, "the signature does not bind the body")
	errBodyCut     = fail(authz.ReasonBodyTooLarge, "Envoy sent only the beginning of the body: raise max_request_bytes")
	errBodyLarge   = fail(authz.ReasonBodyTooLarge, "the body is larger than limits.body")
	errBodyAway    = fail(authz.ReasonBodyUnavailable, "Envoy did not send the body: set with_request_body on this route")
	errBodyUnknown = fail(authz.ReasonBodyUnavailable, "nothing tells whether the request has a body: the signature must bind it, even if it is empty")
	errReplayed    = fail(authz.ReasonReplayed, "what was signed has been accepted before")
)

// checkTimes holds the claim to the clock. maxAge never lengthens what the signer said.
func (s *scheme) checkTimes(now time.Time, c *claim) error {
	switch {
	case s.timeless:
		return nil
	case c.created.IsZero():
		return errNoCreated
	case !c.expires.IsZero() && c.expires.Before(c.created):
		return errBackwards
	case c.created.After(now.Add(s.clockSkew)):
		return errFuture
	case now.After(c.created.Add(s.maxAge)):
		return errOld
	case !c.expires.IsZero() && !now.Before(c.expires):
		return errExpired
	case s.nonce && c.nonce == "":
		return errNoNonce
	default:
		return nil
	}
}

// candidate is a key that may have signed, and the algorithm it signs with.
type candidate struct {
	key       *keystore.Key
	algorithm *algorithm
	dummy     bool // it can never be the one
}

// prove returns the key that verifies the claim. Nothing it does before the answer depends on whether the key id is
// known, beyond the look-up itself. Stores are asked in turn: keys in memory never wait for a database.
func (s *scheme) prove(ctx context.Context, r *authz.Request, w *work) (*keystore.Key, error) {
	var refusal error = errUnknown
	for i, store := range s.stores {
		keys, err := s.lookUp(ctx, store, &w.claim)
		if err != nil && !errors.Is(err, keystore.ErrNotFound) {
			return nil, authz.Unavailable(authz.ReasonStoreUnavailable, err)
		}
		refusal = s.candidates(keys, w, refusal, i == len(s.stores)-1)
		if len(w.keys) == 0 {
			continue
		}
		if key, err := s.try(r, w); !errors.Is(err, errWrong) {
			return key, err
		}
	}
	return nil, refusal
}

// try returns the candidate that verifies the claim, errWrong if none does. Another error is the answer, whoever else has
// a key with this id.
func (s *scheme) try(r *authz.Request, w *work) (_ *keystore.Key, err error) {
	var refusal error = errWrong
	for n, more := 0, true; more; n++ {
		w.base, more, err = s.profile.base(r, &w.claim, n, w.base[:0])
		if err != nil {
			if _, ok := errors.AsType[*authz.Failure](err); ok {
				return nil, err
			}
			return nil, authz.Fail(authz.ReasonBadSignature, err)
		}
		for _, k := range w.keys {
			if !k.algorithm.verifies(k.key.Signing, w.base, &w.claim) || k.dummy {
				continue
			}
			if err := k.key.Check(r.Now); err != nil {
				refusal = err // another key with this id may still be good
				continue
			}
			return k.key, nil
		}
	}
	return nil, refusal
}

// lookUp returns the keys of a store that the claim may mean.
func (s *scheme) lookUp(ctx context.Context, store keystore.Store, c *claim) ([]*keystore.Key, error) {
	if s.app != "" {
		return store.ByApp(ctx, s.namespace, s.app)
	}
	return store.BySigningID(ctx, c.keyID)
}

// candidates gathers the keys of a store to try, and returns the reason to give if none verifies: that of the stores
// before, unless these keys have a better one. Once the last store has been asked, there was at least one to try.
func (s *scheme) candidates(keys []*keystore.Key, w *work, refusal error, last bool) error {
	w.keys = w.keys[:0]
	for _, k := range keys {
		if !s.apps.Accepts(k.App) {
			if errors.Is(refusal, errUnknown) {
				refusal = errApp
			}
			continue
		}
		a := algorithmFor(k.Signing, w.claim.algorithm, s.accepted)
		if a == nil {
			refusal = errAlgorithm
			continue
		}
		w.keys = append(w.keys, candidate{key: k, algorithm: a})
	}
	if len(w.keys) > 0 {
		return errWrong
	}
	if last && !errors.Is(refusal, errWrong) {
		w.keys = append(w.keys, s.dummyFor(w.claim.algorithm))
	}
	return refusal
}

func (s *scheme) checkCoverage(c *claim) error {
	for i := range s.required {
		if q := &s.required[i]; !q.metBy(c) {
			return q.missing
		}
	}
	return nil
}

// checkBody makes sure that the body is the one that was signed.
//
// A body that Envoy did not send in whole is never verified. Where nothing tells whether there is one at all
// (BodyUnknown: no length, none sent), only a signature that binds the empty body will do: if Envoy sends bodies on
// this route, as a scheme that binds them needs, then there is none. Where it does not, the signer has still said that
// the body is empty, and an upstream that checks Content-Digest sees one that was added.
func (s *scheme) checkBody(r *authz.Request, c *claim) error {
	bound := s.profile.bindsBody(r, c)
	if !bound {
		if s.body == v1alpha1.BodyUnbound || s.body != v1alpha1.BodyRequired && r.Body.State == authz.BodyNone {
			return nil
		}
		if r.Body.State == authz.BodyUnknown {
			return errBodyUnknown
		}
		return errBodyUnbound
	}
	body, refusal := wholeBody(r)
	if s.bodyLimit > 0 && int64(len(body)) > s.bodyLimit {
		refusal = errBodyLarge
	}
	switch {
	case refusal == nil:
		return s.profile.checkBody(r, body)
	case s.body == v1alpha1.BodyUnbound:
		return nil
	default:
		return refusal
	}
}

// wholeBody returns the body, or why it cannot be looked at. Where nothing tells whether there is one, it is empty.
func wholeBody(r *authz.Request) ([]byte, error) {
	switch r.Body.State {
	case authz.BodyNone, authz.BodyWhole, authz.BodyUnknown:
		return r.Body.Bytes, nil
	case authz.BodyPartial:
		return nil, errBodyCut
	default:
		return nil, errBodyAway
	}
}

// explained adds the base, in its first reading, to a refusal, for clients that are being developed. It holds no secret:
// the base is made of the request alone.
func (s *scheme) explained(err error, r *authz.Request, w *work) error {
	if !s.explain {
		return err
	}
	base, _, unbuilt := s.profile.base(r, &w.claim, 0, w.base[:0])
	if w.base = base; unbuilt != nil {
		return err
	}
	x := &authz.Explanation{Text: string(base)}
	if p, ok := s.profile.(interface {
		explain(base []byte) []authz.Header
	}); ok {
		x.Headers = p.explain(base)
	}
	return authz.Explain(err, x)
}

// checkFirst remembers what was signed until it is too old to be accepted, and refuses it if it was remembered.
func (s *scheme) checkFirst(ctx context.Context, r *authz.Request, key *keystore.Key, w *work) error {
	if s.replay == nil {
		return nil
	}
	c := &w.claim
	// Without a time of its own the signature may have been accepted at any time before.
	earliest, until := r.Now.Add(-s.maxAge), r.Now.Add(s.maxAge)
	if !s.timeless {
		earliest, until = c.created.Add(-s.clockSkew), c.created.Add(s.maxAge)
	}
	if !c.expires.IsZero() && c.expires.Before(until) {
		until = c.expires
	}
	// The extra second keeps a memory whose clock is read later than r.Now from having forgotten already.
	first, err := s.replay.First(ctx, w.signed(key.ID), earliest, until.Add(s.clockSkew+time.Second))
	switch {
	case err != nil:
		return authz.Unavailable(authz.ReasonReplayUnavailable, err)
	case !first:
		return errReplayed
	default:
		return nil
	}
}

// signed identifies what a key has signed: its nonce, which may be used once whatever it stands in, or else the base.
// The text of the signature has no part in it: one base has many valid signatures.
func (w *work) signed(keyID string) [32]byte {
	kind, what := byte('b'), w.base
	if w.claim.nonce != "" {
		kind, what = 'n', nil
	}
	w.mark = append(w.mark[:0], kind)
	w.mark = binary.BigEndian.AppendUint32(w.mark, uint32(len(keyID)))
	w.mark = append(w.mark, keyID...)
	w.mark = append(w.mark, what...)
	if what == nil {
		w.mark = append(w.mark, w.claim.nonce...)
	}
	return sha256.Sum256(w.mark)
}

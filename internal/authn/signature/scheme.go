package signature

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Options are what a scheme needs beside its resource.
type Options struct {
	Namespace string         // the scheme's own
	Store     keystore.Store // whose keys verify
	Replay    Replay         // outlives the scheme: a reload must not forget; may be nil for schemes with replay: Allow
	BodyLimit int64          // the largest body to look at, in bytes; 0: any
}

// scheme verifies what one profile reads. It is immutable.
type scheme struct {
	profile  profile
	required []requirement
	accepted []*algorithm
	apps     keystore.AppSelector
	store    keystore.Store
	replay   Replay // nil: replays are allowed
	dummy    *keystore.Key

	clockSkew time.Duration
	maxAge    time.Duration
	nonce     bool // required
	body      v1alpha1.BodyCoverage
	bodyLimit int64
}

// New makes the Authenticator of an AuthScheme with a signature. The spec has its defaults and is valid; what New
// finds wrong nevertheless is named by field, relative to spec.signature.
func New(spec *v1alpha1.SignatureScheme, opts Options) (authz.Authenticator, error) {
	if spec.Profile != v1alpha1.ProfileRFC9421 {
		return nil, fmt.Errorf("profile: %q is not supported; use %s", spec.Profile, v1alpha1.ProfileRFC9421)
	}
	accepted, err := acceptedAlgorithms(spec.Algorithms)
	if err != nil {
		return nil, err
	}
	profile, required, err := newRFC9421(spec, accepted)
	if err != nil {
		return nil, err
	}
	s := &scheme{
		profile:   profile,
		required:  required,
		accepted:  accepted,
		apps:      keystore.NewAppSelector(spec.Apps.Namespaces, spec.Apps.MatchLabels, opts.Namespace),
		store:     opts.Store,
		dummy:     newDummy(),
		clockSkew: orDefault(spec.ClockSkew, v1alpha1.DefaultClockSkew),
		maxAge:    orDefault(spec.MaxAge, v1alpha1.DefaultMaxAge),
		nonce:     spec.RFC9421 != nil && spec.RFC9421.Nonce == v1alpha1.NonceRequired,
		body:      spec.Body,
		bodyLimit: opts.BodyLimit,
	}
	if spec.Replay != v1alpha1.ReplayAllow {
		if opts.Replay == nil {
			return nil, errors.New("replay: there is no memory of accepted signatures; configure one or set replay: Allow")
		}
		s.replay = opts.Replay
	}
	return s, nil
}

func acceptedAlgorithms(names []string) ([]*algorithm, error) {
	if len(names) == 0 {
		return algorithms, nil
	}
	var accepted []*algorithm
	for i, name := range names {
		a := algorithmNamed(name)
		if a == nil {
			return nil, fmt.Errorf("algorithms[%d]: %q is not supported by profile %s", i, name, v1alpha1.ProfileRFC9421)
		}
		accepted = append(accepted, a)
	}
	return accepted, nil
}

// newDummy makes the key that is tried when no real one can be, so that an unknown key id costs what a wrong signature
// does. Its secret exists nowhere else.
func newDummy() *keystore.Key {
	return &keystore.Key{Signing: &keystore.SigningKey{Secret: authz.Secret(rand.Text())}}
}

func orDefault(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.Duration
}

// Extract finds the one signature that counts. Verify reads it again: a Credential carries text, and reading is cheap.
func (s *scheme) Extract(r *authz.Request) (authz.Credential, error) {
	w := newWork()
	defer w.release()
	if err := s.profile.parse(r, &w.claim); err != nil {
		return authz.Credential{}, err
	}
	text, _ := r.Header("signature")
	return authz.Credential{Value: authz.Secret(text)}, nil
}

// Challenge implements [authz.Authenticator].
func (s *scheme) Challenge(realm string) authz.Challenge { return s.profile.challenge(realm) }

// Verify implements [authz.Authenticator] by the phases of the package comment.
func (s *scheme) Verify(ctx context.Context, r *authz.Request, _ authz.Credential) (*authz.Principal, error) {
	ctx, cancel := r.Within(ctx)
	defer cancel()
	w := newWork()
	defer w.release()
	if err := s.profile.parse(r, &w.claim); err != nil {
		if errors.Is(err, authz.ErrNoCredential) {
			err = errGone
		}
		return nil, err
	}
	if err := s.checkTimes(r.Now, &w.claim); err != nil {
		return nil, err
	}
	key, err := s.prove(ctx, r, w)
	if err != nil {
		return nil, err
	}
	if err := s.checkCoverage(&w.claim); err != nil {
		return nil, err
	}
	if err := s.checkBody(r, &w.claim); err != nil {
		return nil, err
	}
	if err := s.checkFirst(ctx, key, w); err != nil {
		return nil, err
	}
	return key.Principal, nil
}

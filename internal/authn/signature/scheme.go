package signature

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/replay"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Options are what a scheme needs beside its resource.
type Options struct {
	Namespace string           // the scheme's own
	Stores    []keystore.Store // whose keys verify; one is asked only if no key of those before it does
	Replay    replay.Memory    // outlives the scheme: a reload must not forget; may be nil for schemes with replay: Allow
	BodyLimit int64            // the largest body to look at, in bytes; 0: any
}

// scheme verifies what one profile reads. It is immutable.
type scheme struct {
	*format

	accepted []*algorithm
	app      string // whose keys count where requests name none; empty: requests name a key
	apps     keystore.AppSelector
	stores   []keystore.Store
	replay   replay.Memory // nil: replays are allowed
	dummies  []candidate   // one for each of accepted

	namespace string
	clockSkew time.Duration
	maxAge    time.Duration
	body      v1alpha1.BodyCoverage
	bodyLimit int64
	explain   bool
}

// New makes the Authenticator of an AuthScheme with a signature. The spec has its defaults and is valid; what New
// finds wrong nevertheless is named by field, relative to spec.signature.
func New(spec *v1alpha1.SignatureScheme, opts Options) (authz.Authenticator, error) {
	made, known := profiles[spec.Profile]
	if !known {
		return nil, fmt.Errorf("profile: %q is not known", spec.Profile)
	}
	f, err := made.read(spec)
	if err != nil {
		return nil, err
	}
	s := &scheme{
		format:    f,
		apps:      keystore.NewAppSelector(spec.Apps.Namespaces, spec.Apps.MatchLabels, opts.Namespace),
		stores:    opts.Stores,
		namespace: opts.Namespace,
		app:       spec.App,
		clockSkew: spec.ClockSkew.Duration,
		maxAge:    spec.MaxAge.Duration,
		body:      spec.Body,
		bodyLimit: opts.BodyLimit,
		explain:   spec.Explain,
	}
	if namespace, name, ok := strings.Cut(spec.App, "/"); ok {
		s.namespace, s.app = namespace, name
	}
	if s.accepted, err = accept(spec.Algorithms, f.algorithms); err != nil {
		return nil, err
	}
	s.dummies = newDummies(s.accepted)
	if spec.Replay != v1alpha1.ReplayAllow {
		if opts.Replay == nil {
			return nil, errors.New("replay: there is no memory of accepted signatures; configure one or set replay: Allow")
		}
		s.replay = opts.Replay
	}
	return s, nil
}

// Extract finds the one signature that counts. The Credential is empty, for a signature has parts in many places and is
// no secret to strip: Verify reads it again, which is cheap.
func (s *scheme) Extract(r *authz.Request) (authz.Credential, error) {
	w := newWork()
	defer w.release()
	if err := s.profile.parse(r, &w.claim); err != nil {
		return authz.Credential{}, err
	}
	return authz.Credential{}, nil
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
		return nil, s.explained(err, r, w)
	}
	key, err := s.prove(ctx, r, w)
	if err != nil {
		return nil, s.explained(err, r, w)
	}
	if err := s.checkCoverage(&w.claim); err != nil {
		return nil, err
	}
	if err := s.checkBody(r, &w.claim); err != nil {
		return nil, err
	}
	if err := s.checkFirst(ctx, r, key, w); err != nil {
		return nil, err
	}
	return key.Principal, nil
}

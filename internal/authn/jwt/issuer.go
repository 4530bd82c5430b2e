package jwt

import (
	"context"
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// issuer is whose tokens count, and what makes one of its tokens good.
type issuer struct {
	name       string // equal to the claim iss, byte for byte
	audiences  []string
	algorithms map[string]*algorithm // by the name in a token's alg
	keys       source
}

// source gives an issuer's keys.
type source interface {
	// current returns the keys to verify with, nil if none may be used at present. It never waits.
	current(now time.Time) *keySet

	// fresher returns the newest keys that can be had within ctx, because the set that current returned does not do.
	// It returns errNoKeys if that could not be told.
	fresher(ctx context.Context, now time.Time, have *keySet) (*keySet, error)
}

// fixed is a source that does not change until the resource is read again.
type fixed struct{ set *keySet }

func (f fixed) current(time.Time) *keySet { return f.set }

func (f fixed) fresher(context.Context, time.Time, *keySet) (*keySet, error) { return f.set, nil }

// offline is a remote source of a scheme that may not use the network.
type offline struct{}

func (offline) current(time.Time) *keySet { return nil }

func (offline) fresher(context.Context, time.Time, *keySet) (*keySet, error) { return nil, errNoKeys }

// key returns the key that must have signed t with a, and the set that it is of. It waits where the set at hand does
// not do.
func (i *issuer) key(ctx context.Context, r *authz.Request, t *token, a *algorithm) (*key, *keySet, error) {
	set := i.keys.current(r.Now)
	if set != nil {
		k, err := set.find(t, a)
		if !errors.Is(err, errUnknownKey) {
			return k, set, err
		}
	}
	ctx, cancel := r.Within(ctx)
	defer cancel()
	set, err := i.keys.fresher(ctx, r.Now, set)
	if err != nil {
		return nil, nil, err
	}
	k, err := set.find(t, a)
	return k, set, err
}

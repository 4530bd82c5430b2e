package policy

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/postern-auth/postern/internal/authz"
)

// Engine decides by the Set in force. The zero Engine has none and denies everything with 503.
type Engine struct{ set atomic.Pointer[Set] }

var errNotLoaded = errors.New("no policies are loaded yet")

// Swap puts a Set in force. Checks that have begun end by the one before.
func (e *Engine) Swap(s *Set) { e.set.Store(s) }

// Check decides one request. It does not wait for anything but its authenticators.
func (e *Engine) Check(ctx context.Context, r *authz.Request) authz.Decision {
	s := e.set.Load()
	if s == nil {
		return authz.Deny(authz.ReasonInternal, errNotLoaded)
	}
	return s.Check(ctx, r)
}

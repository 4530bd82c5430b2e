package extauthz

import (
	"context"

	"github.com/postern-auth/postern/internal/authz"
)

// Checker decides. It is safe for concurrent use, and decorators of it are Checkers.
//
// The Request's strings alias the receive buffer and are reused after Check returns: nothing of them may be kept
// without a clone, in caches and logs least of all. The Decision may alias them, for it is encoded before.
// Check returns by r.Deadline; that is a promise, nobody interrupts it. The context ends when the caller is gone.
type Checker interface {
	Check(ctx context.Context, r *authz.Request) authz.Decision
}

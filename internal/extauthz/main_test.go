package extauthz

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/authz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checkFunc is a Checker made of a function.
type checkFunc func(ctx context.Context, r *authz.Request) authz.Decision

func (f checkFunc) Check(ctx context.Context, r *authz.Request) authz.Decision { return f(ctx, r) }

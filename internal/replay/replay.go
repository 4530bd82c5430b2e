// Package replay remembers what has been accepted, so that it counts once.
//
// A verifier asks [Memory.First] with a digest of what was proved, as the last thing it does. Local is a Memory in this
// process; Redis is one that replicas share and that outlives them.
package replay

import (
	"context"
	"time"
)

// Memory remembers keys until their time is over. It is safe for concurrent use, and outlives those who ask: a reload
// must not forget.
type Memory interface {
	// First reports whether key is new, and remembers it at least until the given time. Of several concurrent calls
	// with one key exactly one is first. earliest is when the key could have been accepted first: a Memory that does not
	// reach back so far cannot tell. An error means that it could not tell; the request is then refused.
	First(ctx context.Context, key [32]byte, earliest, until time.Time) (bool, error)
}

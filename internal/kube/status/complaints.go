package status

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// complaints logs that something goes wrong again and again: at once, then not more than once a minute until it goes
// well.
type complaints struct {
	log  *slog.Logger
	what string

	mu   sync.Mutex
	next time.Time // when to log again; zero: nothing is wrong
	held int       // not logged since
}

// note takes in how it went.
func (c *complaints) note(ctx context.Context, err error, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case ctx.Err() != nil: // it was given up on purpose
	case err != nil && now.Before(c.next):
		c.held++
	case err != nil:
		c.log.WarnContext(ctx, c.what+" failed; it will be tried again",
			append(args, "error", err, "unlogged", c.held)...)
		c.next, c.held = now.Add(time.Minute), 0
	case !c.next.IsZero() && now.After(c.next):
		c.log.InfoContext(ctx, c.what+" works again")
		c.next, c.held = time.Time{}, 0
	}
}

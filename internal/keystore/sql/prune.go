package sqlstore

import (
	"context"
	"time"
)

// How long changes and requests are kept, and how often old ones are removed.
const (
	changesKept = time.Hour
	pruneEvery  = time.Minute
)

// pruneNowAndThen removes what is old until ctx ends. It goes beside following changes: nobody hears of a revoked key
// later because a table is locked, or much is old.
func (s *Store) pruneNowAndThen(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if s.prepared.Load() {
			if err := s.prune(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.Warn("old rows of the database of keys could not be removed; it is tried again", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// prune removes changes that every follower has been told of long ago, requests that may be repeated, and old counts. Of
// several that prune at once each finds what the others have left.
func (s *Store) prune(ctx context.Context) error {
	now := s.opts.Now()
	if _, err := s.remove(ctx, `DELETE FROM changes WHERE changed_at < $1`, instant(now.Add(-changesKept))); err != nil {
		return err
	}
	if _, err := s.remove(ctx, `DELETE FROM requests WHERE made_at < $1`, instant(now.Add(-requestsKept))); err != nil {
		return err
	}
	return s.pruneUsage(ctx, now.Add(-s.opts.UsageKept).UTC().Format(time.DateOnly))
}

// pruneUsage removes the counts of days before first, some at a time: at midnight there is one for each key.
func (s *Store) pruneUsage(ctx context.Context, first string) error {
	const together = 1000
	for {
		n, err := s.remove(ctx, `DELETE FROM usage WHERE (namespace, app, key, day) IN
			(SELECT namespace, app, key, day FROM usage WHERE day < $1 ORDER BY day LIMIT $2)`, first, together)
		if err != nil || n < together {
			return err
		}
	}
}

func (s *Store) remove(ctx context.Context, statement string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	return exec(ctx, s.db.write, statement, args...)
}

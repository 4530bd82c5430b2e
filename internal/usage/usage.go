// Package usage counts how often keys are used, and when they last were.
//
//	Counter.Checker  decorates whoever decides: counts each allowed request whose caller has a key
//	Counter.Run      writes the counts somewhere now and then, and once more at the end
//
// A check costs two atomic additions at most and, for a key that was used lately, neither a lock nor an allocation.
// Counts wait in memory for the next flush: what a process is killed with is lost. A flush that fails is repeated with
// the next one; if it had in fact reached the database, its counts are there twice.
package usage

import (
	"context"
	"log/slog"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// Count is the use of one key on one day.
type Count struct {
	KeyID    string    // "namespace/app/credential"
	Day      time.Time // midnight, UTC
	Requests uint64
	LastUsed time.Time // UTC, in whole seconds
}

// Options say where counts go. Flush is required.
type Options struct {
	// Flush adds counts to those that are kept: at most 500 at a time, in order of key and day, each pair once.
	Flush func(ctx context.Context, counts []Count) error

	Interval time.Duration // between flushes; 10 s
	MaxKeys  int           // how many keys are counted between two flushes; 262,144
	Log      *slog.Logger  // nil: none
}

// Counter counts the use of keys. It is safe for concurrent use.
type Counter struct {
	opts   Options
	tables shards

	pending pending
}

// New makes a Counter.
func New(opts Options) *Counter {
	if opts.Interval == 0 {
		opts.Interval = 10 * time.Second
	}
	if opts.MaxKeys == 0 {
		opts.MaxKeys = 1 << 18
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Counter{opts: opts}
	c.tables.init(opts.MaxKeys)
	c.pending.init(opts.MaxKeys)
	return c
}

// Checker is whoever decides; the same as extauthz's.
type Checker interface {
	Check(ctx context.Context, r *authz.Request) authz.Decision
}

// Checker decorates next so that what it allows is counted. It changes no decision.
func (c *Counter) Checker(next Checker) Checker { return counted{c, next} }

type counted struct {
	*Counter

	next Checker
}

// Check implements [Checker].
func (c counted) Check(ctx context.Context, r *authz.Request) authz.Decision {
	d := c.next.Check(ctx, r)
	if d.Allowed() && d.Principal != nil && d.Principal.KeyID != "" {
		c.Add(d.Principal.KeyID, r.Now)
	}
	return d
}

// Add counts one use of a key. The id may alias memory that is reused later.
func (c *Counter) Add(keyID string, at time.Time) { c.tables.add(keyID, at.Unix()) }

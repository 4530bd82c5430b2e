package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/cached"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/keystore/undeclared"
	"github.com/postern-auth/postern/internal/telemetry"
	"github.com/postern-auth/postern/internal/usage"
)

// stored is the database of Apps and keys with what stands around it: the cache before it, which forgets what changes;
// the count of what its keys and declared ones are used for; the Apps in it that are declared too.
type stored struct {
	db      *sqlstore.Store
	cache   *cached.Store
	keys    keystore.Store // what schemes ask
	usage   *usage.Counter
	clashes clashes
	log     *slog.Logger

	tried    chan struct{}                            // closed once preparing the database has succeeded or failed
	expiring atomic.Pointer[[]telemetry.ExpiringKeys] // nil: not counted yet

	end     context.CancelFunc
	running sync.WaitGroup
}

// newStored opens the database. An SQLite database is there or can be made; a PostgreSQL server may come later.
func newStored(cfg *config.Config, tel *telemetry.Telemetry, log *slog.Logger) (*stored, error) {
	db, err := openDatabase(cfg, log)
	if err != nil {
		return nil, err
	}
	if cfg.KeyStore.Database.SQLite != nil {
		if err := db.Prepare(context.Background()); err != nil {
			_ = db.Close() // Prepare has told
			return nil, fmt.Errorf("keystore.database.sqlite.file: %w", err)
		}
	}
	s := &stored{db: db, log: log, tried: make(chan struct{}), end: func() {}}
	s.clashes = clashes{db: db, place: databaseName(cfg.KeyStore.Database), changed: make(chan struct{}, 1)}
	s.usage = usage.New(usage.Options{Flush: s.flush, Interval: cfg.Usage.FlushInterval, Log: log})
	s.cache = cached.New(timed{db, tel.RegisterKeyStore(s.figures, s.usageFigures)}, cached.Options{
		KeyBytes: int64(cfg.Cache.Keys), NegativeBytes: int64(cfg.Cache.UnknownKeys),
	})
	tel.RegisterCache("keys", func() telemetry.CacheStats { return telemetry.CacheStats(s.cache.Stats().Known) })
	tel.RegisterCache("unknown_keys", func() telemetry.CacheStats { return telemetry.CacheStats(s.cache.Stats().Unknown) })
	s.keys = undeclared.New(peppered{s.cache, db}, s.clashes.declares)
	return s, nil
}

// databaseName says which database it is, for messages.
func databaseName(d *config.Database) string {
	if d.SQLite != nil {
		return "the SQLite database " + d.SQLite.File
	}
	return "the PostgreSQL database of keystore.database"
}

// start follows changes and counts use until close. found is told of clashes, whenever they change.
func (s *stored) start(health *telemetry.Health, found func()) {
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.running.Go(func() {
		_ = s.db.Prepare(ctx) // Follow tries again, and says why it fails
		close(s.tried)
		_ = s.db.Follow(ctx, s.apply) // it returns when ctx ends
	})
	s.running.Go(func() { s.usage.Run(ctx) })
	s.running.Go(func() { s.watch(ctx, health) })
	s.running.Go(func() { s.clashes.watch(ctx, s.log, found) })
}

// awaitFirst waits a moment for the database, so that its keys are good when Postern becomes ready. Postern becomes ready
// without it all the same.
func (s *stored) awaitFirst() {
	const patience = time.Second
	select {
	case <-s.tried:
	case <-time.After(patience):
	}
}

// close ends what start began, after the last check has been answered, writes the last counts and closes the database.
func (s *stored) close() {
	s.end()
	s.running.Wait()
	s.cache.Close()
	if err := s.db.Close(); err != nil {
		s.log.Warn("the database of keys did not close well", "error", err)
	}
}

// apply is told what has changed, while whoever changed it waits.
func (s *stored) apply(c sqlstore.Changes) {
	c.Forget(s.cache)
	s.clashes.note(c)
}

// flush writes what keys were used for.
func (s *stored) flush(ctx context.Context, counts []usage.Count) error {
	rows := make([]sqlstore.UsageCount, len(counts))
	for i, c := range counts {
		namespace, rest, _ := strings.Cut(c.KeyID, "/")
		app, name, _ := strings.Cut(rest, "/")
		rows[i] = sqlstore.UsageCount{
			KeyName: sqlstore.KeyName{Namespace: namespace, App: app, Name: name},
			Day:     c.Day.Format(time.DateOnly), Requests: int64(c.Requests), LastUsed: c.LastUsed, //nolint:gosec // nobody makes 2^63 requests a day
		}
	}
	return s.db.FlushUsage(ctx, rows)
}

const (
	lookEvery    = time.Second // at the state of the database
	expiringSoon = 14 * 24 * time.Hour
)

// watch says whether the database can be read, and counts the keys that expire soon.
func (s *stored) watch(ctx context.Context, health *telemetry.Health) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last pulse
	for looks := 0; ; looks++ {
		now := s.pulse()
		switch {
		case now.failed(last):
			health.Degraded("keystore", "the database of keys cannot be read: cached keys work for five minutes, others are answered 503; the log says why")
		case now.read.After(last.read):
			health.OK("keystore")
		}
		last = now
		if looks%int(time.Minute/lookEvery) == 0 {
			s.countExpiring(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *stored) countExpiring(ctx context.Context) {
	counts, err := s.db.Expiring(ctx, expiringSoon)
	if err != nil {
		return // what was counted last stays
	}
	expiring := make([]telemetry.ExpiringKeys, len(counts))
	for i, c := range counts {
		expiring[i] = telemetry.ExpiringKeys(c)
	}
	s.expiring.Store(&expiring)
}

// pulse is what shows whether the database can be read.
type pulse struct {
	read     time.Time // when it last was
	failures uint64
}

func (s *stored) pulse() pulse {
	stats := s.db.Stats()
	return pulse{read: stats.Polled, failures: stats.PollFailures + s.cache.Stats().Failures}
}

// failed reports whether reading has failed since.
func (p pulse) failed(since pulse) bool { return p.failures > since.failures }

func (s *stored) figures() telemetry.KeyStoreStats {
	c, d := s.cache.Stats(), s.db.Stats()
	var expiring []telemetry.ExpiringKeys
	if counted := s.expiring.Load(); counted != nil {
		expiring = *counted
	}
	return telemetry.KeyStoreStats{
		Degraded: c.Degraded, Reads: c.Reads, Failures: c.Failures, Stale: c.Stale, Refused: c.Overloaded,
		Changes: d.Changes, Resyncs: d.Resyncs, LastPoll: d.Polled, PollFailures: d.PollFailures, Listening: d.Listening,
		Expiring: expiring, Clashes: s.clashes.count(), Events: d.Events,
	}
}

func (s *stored) usageFigures() telemetry.UsageStats { return telemetry.UsageStats(s.usage.Stats()) }

// timed is a store whose reads are timed.
type timed struct {
	next    keystore.Store
	observe func(time.Duration)
}

// ByDigest implements [keystore.Store].
func (t timed) ByDigest(ctx context.Context, d keystore.Digest) (*keystore.Key, error) {
	defer t.since(time.Now())
	return t.next.ByDigest(ctx, d)
}

// BySigningID implements [keystore.Store].
func (t timed) BySigningID(ctx context.Context, id string) ([]*keystore.Key, error) {
	defer t.since(time.Now())
	return t.next.BySigningID(ctx, id)
}

// ByApp implements [keystore.Store].
func (t timed) ByApp(ctx context.Context, namespace, name string) ([]*keystore.Key, error) {
	defer t.since(time.Now())
	return t.next.ByApp(ctx, namespace, name)
}

func (t timed) since(began time.Time) { t.observe(time.Since(began)) }

// peppered looks for no digest under a pepper that the database has none of: not even in the cache.
type peppered struct {
	keystore.Store

	db *sqlstore.Store
}

// ByDigest implements [keystore.Store].
func (p peppered) ByDigest(ctx context.Context, d keystore.Digest) (*keystore.Key, error) {
	if p.db.Lacks(d.Pepper) {
		return nil, keystore.ErrNotFound
	}
	return p.Store.ByDigest(ctx, d)
}

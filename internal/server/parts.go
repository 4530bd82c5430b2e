package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/postern-auth/postern/internal/authn/jwt"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/replay"
	"github.com/postern-auth/postern/internal/telemetry"
)

// parts are what schemes share and what outlives a reload.
type parts struct {
	peppers   peppers
	hasher    *keystore.Hasher // theirs
	keySets   *jwt.KeySets     // nil: nothing is fetched
	tokens    *jwt.Tokens
	replay    memory
	redis     *replay.Redis // nil: the memory is this process's own
	stored    *stored       // nil: there are only declared Apps
	maxToken  int
	bodyLimit int64
	explain   bool // whatever signature schemes say
}

// memory is where accepted signatures are remembered.
type memory interface {
	replay.Memory
	Stats() replay.Stats
}

func newParts(cfg *config.Config, log *slog.Logger) (*parts, error) {
	peppers, err := newPeppers(&cfg.KeyStore, log)
	if err != nil {
		return nil, err
	}
	return &parts{
		peppers:   peppers,
		hasher:    peppers.hasher,
		keySets:   jwt.NewKeySets(jwt.KeySetsOptions{Logger: log}),
		tokens:    jwt.NewTokens(int64(cfg.Cache.Tokens)),
		replay:    replay.NewLocal(int64(cfg.Cache.Replay), time.Now),
		maxToken:  int(cfg.Limits.Token),
		bodyLimit: int64(cfg.Limits.Body),
	}, nil
}

// share makes the memory of accepted signatures the one in Redis, if there is one. It does not connect yet.
func (p *parts) share(cfg *config.Redis, log *slog.Logger) error {
	if !cfg.Enabled() {
		return nil
	}
	network, address, err := cfg.Address.Split()
	if err != nil {
		return fmt.Errorf("redis.address: %w", err)
	}
	options := replay.RedisOptions{
		Network: network, Address: address,
		Username: cfg.Username, PasswordFile: cfg.PasswordFile,
		Timeout: cfg.Timeout, Durable: cfg.Durable,
		Log: log, Now: time.Now,
	}
	if t := cfg.TLS; t.Enabled() {
		options.TLS = &replay.RedisTLS{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile, ServerName: t.ServerName}
	}
	if p.redis, err = replay.NewRedis(options); err != nil {
		return fmt.Errorf("redis.%w", err)
	}
	p.replay = p.redis
	return nil
}

// watch keeps an eye on Redis until ctx ends.
func (p *parts) watch(ctx context.Context, health *telemetry.Health) {
	if p.redis == nil {
		return
	}
	p.redis.Watch(ctx, func(err error) {
		if err != nil {
			health.Degraded("redis", err.Error())
			return
		}
		health.OK("redis")
	})
}

// register shows the parts' figures to whoever scrapes.
func (p *parts) register(t *telemetry.Telemetry) {
	t.RegisterCache("tokens", func() telemetry.CacheStats { return telemetry.CacheStats(p.tokens.Stats()) })
	t.RegisterKeySets(func() []telemetry.KeySetStats { return merged(p.keySets.Stats()) })
	t.RegisterReplay(func() telemetry.ReplayStats { return telemetry.ReplayStats(p.replay.Stats()) })
}

// merged adds up what has the same source, which must not appear twice: addresses that differ in their query only. Stats
// come sorted by source.
func merged(stats []jwt.KeySetStats) []telemetry.KeySetStats {
	var all []telemetry.KeySetStats
	for _, s := range stats {
		if len(all) == 0 || all[len(all)-1].Source != s.Source {
			all = append(all, telemetry.KeySetStats(s))
			continue
		}
		sum := &all[len(all)-1]
		sum.Fetches += s.Fetches
		sum.Failures += s.Failures
		sum.Keys += s.Keys
		if s.LastSuccess.Before(sum.LastSuccess) {
			sum.LastSuccess = s.LastSuccess // the one that is worst off is the one to show
		}
	}
	return all
}

func (p *parts) close() {
	if p.stored != nil {
		p.stored.close()
	}
	if p.keySets != nil {
		p.keySets.Close()
	}
	p.tokens.Close()
	if p.redis != nil {
		_ = p.redis.Close() // it only hangs up
	}
}

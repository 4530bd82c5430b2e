package server

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/postern-auth/postern/internal/authn/jwt"
	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/telemetry"
)

// parts are what schemes share and what outlives a reload.
type parts struct {
	hasher    *keystore.Hasher
	keySets   *jwt.KeySets // nil: nothing is fetched
	tokens    *jwt.Tokens
	replay    *signature.Memory
	maxToken  int
	bodyLimit int64
}

func newParts(cfg *config.Config, log *slog.Logger) (*parts, error) {
	hasher, err := readPeppers(cfg.KeyStore.PepperFile)
	if err != nil {
		return nil, err
	}
	return &parts{
		hasher:    hasher,
		keySets:   jwt.NewKeySets(jwt.KeySetsOptions{Logger: log}),
		tokens:    jwt.NewTokens(int64(cfg.Cache.Tokens)),
		replay:    signature.NewMemory(int64(cfg.Cache.Replay)),
		maxToken:  int(cfg.Limits.Token),
		bodyLimit: int64(cfg.Limits.Body),
	}, nil
}

func readPeppers(file string) (*keystore.Hasher, error) {
	if file == "" {
		return keystore.NewHasher(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("keystore.pepperFile: %w", err)
	}
	peppers, err := keystore.ParsePeppers(text)
	if err != nil {
		return nil, fmt.Errorf("keystore.pepperFile: %s: %w", file, err)
	}
	return keystore.NewHasher(peppers...), nil
}

// register shows the parts' figures to whoever scrapes.
func (p *parts) register(t *telemetry.Telemetry) {
	t.RegisterCache("tokens", func() telemetry.CacheStats { return telemetry.CacheStats(p.tokens.Stats()) })
	t.RegisterKeySets(func() []telemetry.KeySetStats {
		var all []telemetry.KeySetStats
		for _, s := range p.keySets.Stats() {
			all = append(all, telemetry.KeySetStats(s))
		}
		return all
	})
	t.RegisterReplay(func() telemetry.ReplayStats { return telemetry.ReplayStats(p.replay.Stats()) })
}

func (p *parts) close() {
	if p.keySets != nil {
		p.keySets.Close()
	}
	p.tokens.Close()
}

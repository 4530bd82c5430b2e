package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/reload"
)

// peppers are those of the pepper file, which all digests are made with.
type peppers struct {
	hasher *keystore.Hasher
	file   *reload.Value[[]keystore.Pepper] // nil: there is none
	inUse  []keystore.Pepper
}

func newPeppers(cfg *config.KeyStore, log *slog.Logger) (peppers, error) {
	p := peppers{hasher: keystore.NewHasher()}
	path := cfg.PepperFile
	if path == "" {
		return p, nil
	}
	var err error
	p.file, err = reload.New("the pepper file "+path, func() ([]keystore.Pepper, error) {
		list, err := readPeppers(path)
		if err == nil && len(list) == 0 && cfg.Database != nil {
			err = fmt.Errorf("%s holds no pepper, and a database needs one for new keys; add a line such as p1:<base64>", path)
		}
		return list, err
	}, log, path)
	if err != nil {
		return p, fmt.Errorf("keystore.pepperFile: %w", err)
	}
	p.renew()
	return p, nil
}

func readPeppers(path string) ([]keystore.Pepper, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := keystore.ParsePeppers(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// renew has digests made with the peppers that the file holds now. It reports whether they are others than before.
func (p *peppers) renew() bool {
	now := p.file.Latest()
	if slices.Equal(now, p.inUse) {
		return false
	}
	p.inUse = now
	p.hasher.Use(now...)
	return true
}

// watch renews the peppers when the file has changed until ctx ends, and then calls changed.
func (p *peppers) watch(ctx context.Context, changed func()) {
	if p.file == nil {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.renew() {
			changed()
		}
	}
}

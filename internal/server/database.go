package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore/seal"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/reload"
)

// OpenDatabase opens the database of keys that a valid configuration names. It connects to nothing yet.
func OpenDatabase(cfg *config.Config) (*sqlstore.Store, error) {
	return openDatabase(cfg, slog.New(slog.DiscardHandler))
}

func openDatabase(cfg *config.Config, log *slog.Logger) (*sqlstore.Store, error) {
	options := sqlstore.Options{Migrate: true, UsageKept: cfg.Usage.Retention, Log: log}
	if file := cfg.KeyStore.SecretsFile; file != "" {
		keys, err := reload.New("the secrets file "+file, func() (*seal.Keys, error) { return seal.Open(file) }, log, file)
		if err != nil {
			return nil, fmt.Errorf("keystore.secretsFile: %w", err)
		}
		options.Sealer = sealer{keys}
	}
	field := "keystore.database.sqlite.file"
	if p := cfg.KeyStore.Database.Postgres; p != nil {
		field = "keystore.database.postgres.dsnFile"
		dsn, err := os.ReadFile(p.DSNFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		options.DSN = authz.Secret(bytes.TrimSpace(dsn))
		options.MaxConnections, options.ConnectTimeout = p.MaxConnections, p.ConnectTimeout
	} else {
		options.File = cfg.KeyStore.Database.SQLite.File
	}
	db, err := sqlstore.Open(options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return db, nil
}

// sealer seals with the keys that the secrets file holds now.
type sealer struct{ keys *reload.Value[*seal.Keys] }

// Seal implements [sqlstore.Sealer].
func (s sealer) Seal(secret authz.Secret, context string) (sealed []byte, by uint32, err error) {
	return s.keys.Latest().Seal(secret, context)
}

// Unseal implements [sqlstore.Sealer].
func (s sealer) Unseal(sealed []byte, context string) (authz.Secret, error) {
	return s.keys.Latest().Unseal(sealed, context)
}

// Primary implements [sqlstore.Sealer].
func (s sealer) Primary() uint32 { return s.keys.Latest().Primary() }

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
)

// OpenDatabase opens the database of keys that a valid configuration names. It connects to nothing yet.
func OpenDatabase(cfg *config.Config) (*sqlstore.Store, error) {
	return openDatabase(&cfg.KeyStore, slog.New(slog.DiscardHandler))
}

func openDatabase(cfg *config.KeyStore, log *slog.Logger) (*sqlstore.Store, error) {
	options := sqlstore.Options{Migrate: true, Log: log}
	if file := cfg.SecretsFile; file != "" {
		keys, err := seal.Open(file)
		if err != nil {
			return nil, fmt.Errorf("keystore.secretsFile: %w", err)
		}
		options.Sealer = keys
	}
	field := "keystore.database.sqlite.file"
	if p := cfg.Database.Postgres; p != nil {
		field = "keystore.database.postgres.dsnFile"
		dsn, err := os.ReadFile(p.DSNFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		options.DSN = authz.Secret(bytes.TrimSpace(dsn))
		options.MaxConnections, options.ConnectTimeout = p.MaxConnections, p.ConnectTimeout
	} else {
		options.File = cfg.Database.SQLite.File
	}
	db, err := sqlstore.Open(options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return db, nil
}

package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/test/harness"
)

// database is one that a Postern keeps keys in.
type database struct {
	options sqlstore.Options // to read it past Postern
	files   string           // the pattern of their names
	stop    func()
}

// sqlite is the file that [harness.NewAdmin] names when it is given no DSN.
func sqlite(_ context.Context, dir string) (*database, error) {
	file := filepath.Join(dir, "keys.db")
	return &database{sqlstore.Options{File: file}, file + "*", func() {}}, nil
}

// postgres starts a server of its own, with PostgreSQL's settings as they come.
func postgres(ctx context.Context, dir string) (*database, error) {
	dir = filepath.Join(dir, "postgres")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	server, err := harness.StartPostgres(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &database{
		sqlstore.Options{DSN: authz.Secret(server.DSN("postgres"))}, filepath.Join(dir, "data", "base", "*", "*"), server.Kill,
	}, nil
}

// size adds up the bytes of the files.
func (d *database) size() (sum int64, err error) {
	files, err := filepath.Glob(d.files)
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if os.IsNotExist(err) {
			continue // the server has removed it meanwhile
		}
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// lookups finds keys chosen at random, one after the other, with no cache of Postern's in between. It returns how long
// each took, the shortest time first.
func (d *database) lookups(ctx context.Context, digests []string) ([]time.Duration, error) {
	store, err := sqlstore.Open(d.options)
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }() // it was only read
	if err := store.Prepare(ctx); err != nil {
		return nil, err
	}
	times := make([]time.Duration, 10_000)
	for i := range times {
		digest, err := keystore.ParseDigest(digests[rand.IntN(len(digests))]) // any choice will do
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		if _, err := store.ByDigest(ctx, digest); err != nil {
			return nil, err
		}
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	return times, nil
}

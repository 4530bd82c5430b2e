package sqlstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
	"github.com/postern-auth/postern/test/harness"
)

// postgres is one server for all tests; each has a database of its own.
var postgres *harness.Postgres

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the first time, it is installed
	dir, err := os.MkdirTemp("", "sqlstore")
	if err == nil {
		postgres, err = harness.StartPostgres(ctx, dir, "fsync=off", "max_connections=300")
	}
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sqlstore:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.Cleanup(func(code int) {
		postgres.Kill()
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

var databases atomic.Int64

// both runs a test with a new database of each kind. open opens it, again and again, as Options that are given say.
func both(t *testing.T, test func(t *testing.T, options Options)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, Options{File: filepath.Join(t.TempDir(), "keys.db")}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, Options{DSN: newDatabase(t)}) })
}

func newDatabase(t testing.TB) authz.Secret {
	t.Helper()
	dsn, err := postgres.CreateDatabase(t.Context(), fmt.Sprintf("test%d", databases.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return authz.Secret(dsn)
}

// sealer seals what tests store.
var sealer = keystoretest.Sealer()

// open opens a database, migrating it if need be.
func open(t testing.TB, opts Options) *Store {
	t.Helper()
	opts.Migrate = true
	if opts.Sealer == nil {
		opts.Sealer = sealer
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// update carries out an Update that must succeed.
func update(t testing.TB, s *Store, do func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), do); err != nil {
		t.Fatal(err)
	}
}
